import Catalog
import Foundation
public import KeyHierarchy
import PipelineModel

/// Tags of pipelines and custom action types.
enum Tags {
    static func validate(_ tags: [String: String]) throws(PipelineError) {
        guard tags.count <= 50 else {
            throw PipelineError(.tooManyTags, "\(tags.count) tags were given; a resource may have at most 50")
        }
        for (key, value) in tags {
            guard (1...128).contains(key.count), value.count <= 256, !key.lowercased().hasPrefix("aws:"),
                !key.allSatisfy(\.isWhitespace), key.last != " ", isAllowed(key), isAllowed(value)
            else {
                throw PipelineError(
                    .invalidTags,
                    "The tag '\(key.prefix(128))' is not valid: keys have 1 to 128 and values at most 256 letters, "
                        + "digits, spaces and characters of '+-=._:/@', and keys may not begin with 'aws:' or end "
                        + "with a space")
            }
        }
    }

    private static func isAllowed(_ text: String) -> Bool {
        text.allSatisfy { $0.isLetter || $0.isNumber || $0.isWhitespace || "+-=._:/@".contains($0) }
    }

    static func of(_ resource: String, _ transaction: Transaction) throws -> [String: String] {
        var tags: [String: String] = [:]
        for row in try transaction.rows("SELECT key, value FROM pipeline_tags WHERE resource = ?", resource) {
            tags[try row.string("key")] = try row.string("value")
        }
        return tags
    }

    static func set(_ tags: [String: String], on resource: String, _ transaction: Transaction) throws {
        for (key, value) in tags {
            try transaction.execute(
                """
                INSERT INTO pipeline_tags (resource, key, value) VALUES (?, ?, ?)
                ON CONFLICT (resource, key) DO UPDATE SET value = excluded.value
                """, resource, key, value)
        }
    }

    /// Checks that an ARN names a resource that exists.
    static func check(_ arn: String, _ scope: AccountRegion, _ transaction: Transaction) throws {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "codepipeline",
            parts[4].count == 12, parts[4].allSatisfy({ $0.isASCII && $0.isNumber }), !parts[5].isEmpty
        else {
            throw PipelineError(.invalidArn, "'\(arn)' is not the ARN of a pipeline or custom action type")
        }
        let missing = PipelineError(.resourceNotFound, "There is no resource '\(arn)' in this account and region")
        guard parts[3] == scope.region, parts[4] == scope.account else { throw missing }
        if parts[5].lowercased().hasPrefix("actiontype:") {
            let id = String(parts[5].dropFirst("actiontype:".count))
            guard try CustomActionTypes.find(id, transaction, scope) != nil else { throw missing }
        } else if try PipelineRow.find(transaction, name: parts[5], scope: scope) == nil {
            throw PipelineError(
                .resourceNotFound,
                "The account with id '\(scope.account)' does not include a pipeline with the name '\(parts[5])'")
        }
    }
}

extension PipelineService {
    /// Adds tags, or replaces the values of those there are.
    ///
    /// - Throws: ResourceNotFoundException, InvalidArnException, TooManyTagsException, InvalidTagsException.
    public func tag(_ arn: String, _ tags: [String: String], in scope: AccountRegion) async throws {
        try Tags.validate(tags)
        try await write { transaction, _ in
            try Tags.check(arn, scope, transaction)
            try Tags.validate(try Tags.of(arn, transaction).merging(tags) { _, new in new })
            try Tags.set(tags, on: arn, transaction)
            return ((), Aftermath())
        }
    }

    /// Removes tags; missing ones are no error.
    ///
    /// - Throws: ResourceNotFoundException, InvalidArnException.
    public func untag(_ arn: String, keys: [String], in scope: AccountRegion) async throws {
        try await write { transaction, _ in
            try Tags.check(arn, scope, transaction)
            for key in keys {
                try transaction.execute("DELETE FROM pipeline_tags WHERE resource = ? AND key = ?", arn, key)
            }
            return ((), Aftermath())
        }
    }

    /// The tags of a resource.
    ///
    /// - Throws: ResourceNotFoundException, InvalidArnException.
    public func tags(of arn: String, in scope: AccountRegion) async throws -> [String: String] {
        try await catalog.read { transaction in
            try Tags.check(arn, scope, transaction)
            return try Tags.of(arn, transaction)
        }
    }
}
