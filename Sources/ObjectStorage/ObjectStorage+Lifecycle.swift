import Catalog
public import Foundation
import KeyHierarchy

/// One rule of a bucket's lifecycle (S3 User Guide, "Lifecycle configuration elements").
public struct LifecycleRule: Sendable, Hashable {
    /// Only keys that begin so.
    public var prefix = ""
    /// Only objects that have all of these tags.
    public var tags: [ObjectTag] = []
    /// Only objects with more bytes than this.
    public var sizeGreaterThan: Int64?
    /// Only objects with fewer bytes than this.
    public var sizeLessThan: Int64?
    /// Current objects expire this many days after they were written.
    public var expirationDays: Int?
    /// Current objects expire at this time.
    public var expirationDate: Date?
    /// Delete markers that hide nothing any more are removed.
    public var removesLoneMarkers = false
    /// Versions are deleted this many days after another took their place.
    public var noncurrentDays: Int?
    /// The newest of those versions that are kept whatever their age.
    public var newerNoncurrentVersions = 0
    /// Uploads are aborted this many days after they were begun.
    public var abortUploadDays: Int?

    /// A rule that matches everything and does nothing.
    public init() {}

    func matches(_ entry: ObjectSummary) -> Bool {
        entry.key.utf8.starts(with: prefix.utf8) && entry.size > sizeGreaterThan ?? -1
            && entry.size < sizeLessThan ?? .max
    }

    /// The first midnight, UTC, that is at least `days` after `start`: S3 rounds up.
    static func due(_ days: Int, after start: Date) -> Date {
        let seconds = start.timeIntervalSince1970 + Double(days) * 86400
        return Date(timeIntervalSince1970: (seconds / 86400).rounded(.up) * 86400)
    }
}

/// What an application of lifecycle rules did.
public struct LifecycleOutcome: Sendable, Hashable {
    /// Current objects that expired.
    public var expired = 0
    /// Old versions and lone delete markers that were deleted.
    public var deletedVersions = 0
    /// Uploads that were aborted.
    public var abortedUploads = 0

    /// Whether anything was due.
    public var didSomething: Bool { expired + deletedVersions + abortedUploads > 0 }
}

extension ObjectStorage {
    /// The buckets that have a document of a kind, with the document.
    public func buckets(with kind: BucketDocument) async throws -> [(bucket: String, document: [UInt8])] {
        try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT object_buckets.name AS name, object_documents.body AS body FROM object_documents
                JOIN object_buckets ON object_buckets.id = object_documents.bucket
                WHERE object_documents.kind = ? ORDER BY object_buckets.name
                """,
                kind.rawValue
            ).map { (try $0.string("name"), try $0.bytes("body")) }
        }
    }

    /// Deletes what a bucket's rules say is due. Each deletion looks again at what it deletes, so that an object written
    /// meanwhile stays.
    @discardableResult
    public func applyLifecycle(_ rules: [LifecycleRule], to bucket: String) async throws -> LifecycleOutcome {
        var outcome = LifecycleOutcome()
        let time = now()
        var position = (key: "", version: String?.none)
        var walk = VersionHistory()
        while true {
            let page = try await listVersions(
                bucket, ListQuery(after: position.key), afterVersion: position.version)
            var due: [LifecycleAction] = []
            for entry in page.entries {
                guard let action = walk.visit(entry, rules, time) else { continue }
                due.append(action)
            }
            try await perform(due, rules, in: bucket, at: time, &outcome)
            guard page.isTruncated, let last = page.lastKey else { break }
            position = (last, page.lastVersionID)
        }
        try await abortUploads(rules, in: bucket, at: time, &outcome)
        return outcome
    }

    private func perform(
        _ actions: [LifecycleAction], _ rules: [LifecycleRule], in name: String, at time: Date,
        _ outcome: inout LifecycleOutcome
    ) async throws {
        guard !actions.isEmpty else { return }
        let done = try await catalog.write { transaction in
            var done = LifecycleOutcome()
            let bucket = try BucketRow.named(name, transaction)
            for action in actions {
                let version = action.entry.versionID
                guard let row = try Namespace.version(version, of: action.entry.key, in: bucket, transaction),
                    row.rank == action.entry.rank, row.object.isLatest == action.entry.isLatest,
                    action.rule.tags.allSatisfy(row.object.tags.contains)
                else { continue }
                if action.entry.isLatest, !row.object.isDeleteMarker, bucket.bucket.versioning != .off {
                    var marker = ObjectDraft(key: row.object.key, owner: bucket.bucket.scope.account)
                    marker.isDeleteMarker = true
                    _ = try Namespace.insert(marker, in: bucket, now: time, transaction)
                    done.expired += 1
                } else {
                    if row.object.isDeleteMarker, try Self.hidesSomething(row, transaction) { continue }
                    try Namespace.remove(row, now: time, transaction)
                    if action.entry.isLatest, !row.object.isDeleteMarker {
                        done.expired += 1
                    } else {
                        done.deletedVersions += 1
                    }
                }
            }
            return done
        }
        outcome.expired += done.expired
        outcome.deletedVersions += done.deletedVersions
    }

    /// Whether a key has other versions than this delete marker.
    private static func hidesSomething(_ marker: ObjectRow, _ transaction: Transaction) throws -> Bool {
        guard marker.object.isLatest else { return false }
        return try transaction.row(
            "SELECT 1 AS one FROM object_versions WHERE bucket = ? AND key = ? AND rank > ? LIMIT 1",
            marker.bucketID, Array(marker.object.key.utf8), marker.rank) != nil
    }

    private func abortUploads(
        _ rules: [LifecycleRule], in bucket: String, at time: Date, _ outcome: inout LifecycleOutcome
    ) async throws {
        var position = (key: "", upload: String?.none)
        while true {
            let page = try await listUploads(bucket, ListQuery(after: position.key), afterUpload: position.upload)
            for upload in page.uploads {
                let isDue = rules.contains { rule in
                    guard let days = rule.abortUploadDays else { return false }
                    return upload.key.utf8.starts(with: rule.prefix.utf8)
                        && LifecycleRule.due(days, after: upload.initiated) <= time
                }
                guard isDue else { continue }
                do {
                    try await abortUpload(upload.id, bucket: bucket, key: upload.key)
                    outcome.abortedUploads += 1
                } catch let error as ObjectStorageError where error.code == "NoSuchUpload" {
                    // Completed or aborted since it was listed: nothing is left to do.
                    continue
                }
            }
            guard page.isTruncated, let last = page.lastKey else { return }
            position = (last, page.lastUploadID)
        }
    }
}

/// A version that a rule says is due.
private struct LifecycleAction: Sendable {
    let entry: ObjectSummary
    let rule: LifecycleRule
}

/// What must be remembered of a key's newer versions to judge the next one.
private struct VersionHistory {
    private var key: String?
    private var successorTime: Date?
    private var noncurrent = 0

    /// Judges the next version of a listing.
    mutating func visit(_ entry: ObjectSummary, _ rules: [LifecycleRule], _ now: Date) -> LifecycleAction? {
        if key != entry.key {
            key = entry.key
            successorTime = nil
            noncurrent = 0
        }
        defer { successorTime = entry.lastModified }
        guard let successorTime else {
            return rules.first { Self.expires(entry, $0, now) }.map { LifecycleAction(entry: entry, rule: $0) }
        }
        noncurrent += 1
        let rank = noncurrent
        let rule = rules.first { rule in
            guard let days = rule.noncurrentDays, rule.matches(entry) else { return false }
            return rank > rule.newerNoncurrentVersions && LifecycleRule.due(days, after: successorTime) <= now
        }
        return rule.map { LifecycleAction(entry: entry, rule: $0) }
    }

    private static func expires(_ entry: ObjectSummary, _ rule: LifecycleRule, _ now: Date) -> Bool {
        if entry.isDeleteMarker {
            return rule.removesLoneMarkers && entry.key.utf8.starts(with: rule.prefix.utf8)
        }
        guard rule.matches(entry) else { return false }
        if let date = rule.expirationDate { return date <= now }
        guard let days = rule.expirationDays else { return false }
        return LifecycleRule.due(days, after: entry.lastModified) <= now
    }
}
