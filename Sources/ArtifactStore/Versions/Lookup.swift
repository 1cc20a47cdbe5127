import Catalog
import Cryptography
public import Foundation
public import KeyHierarchy

/// Which versions to list.
public struct VersionFilter: Sendable {
    /// Whose.
    public var scope: AccountRegion
    /// Of one repository.
    public var repository: String?
    /// Of all repositories but this one.
    public var exceptRepository: String?
    /// Of one artifact name.
    public var artifact: String?
    /// Of one execution.
    public var execution: String?
    /// Deleted ones that can still be brought back, too.
    public var includesDeleted = false

    /// All versions of an account and region, or fewer.
    public init(
        scope: AccountRegion, repository: String? = nil, artifact: String? = nil, execution: String? = nil,
        includesDeleted: Bool = false
    ) {
        self.scope = scope
        self.repository = repository
        self.artifact = artifact
        self.execution = execution
        self.includesDeleted = includesDeleted
    }
}

/// One page of versions, newest first.
public struct VersionPage: Sendable {
    /// The versions.
    public let versions: [Version]
    /// Where the next page starts; nil on the last.
    public let next: String?
}

/// An artifact and how many versions it has.
public struct ArtifactSummary: Sendable, Hashable {
    /// The repository, usually a pipeline.
    public let repository: String
    /// The artifact's name.
    public let artifact: String
    /// Versions that are not deleted.
    public let versionCount: Int
    /// The newest version.
    public let latestNumber: Int
    /// When the newest version was published.
    public let latestAt: Date
}

extension ArtifactStore {
    /// A version by id, deleted ones included while they can be brought back.
    public func version(_ id: VersionID) async throws -> Version { try await version(try await row(id)) }

    func row(_ id: VersionID) async throws -> Row {
        guard
            let row = try await catalog.read({
                try $0.row("SELECT * FROM store_versions WHERE id = ?", id.rawValue)
            })
        else { throw StoreError.notFound("there is no version \(id)") }
        return row
    }

    /// Versions, newest first.
    ///
    /// - Parameters:
    ///   - after: the `next` of the page before.
    ///   - limit: 1…1,000.
    public func versions(_ filter: VersionFilter, after: String? = nil, limit: Int = 100) async throws -> VersionPage {
        let limit = min(max(limit, 1), 1000)
        var cursor = (time: Int64.max, number: Int64.max, id: "~")
        if let after {
            let parts = after.split(separator: "_").map(String.init)
            guard parts.count == 3, let time = Int64(parts[0]), let number = Int64(parts[1]) else {
                throw StoreError.invalid("the page token is not one that this store gave out")
            }
            cursor = (time, number, parts[2])
        }
        let (time, number, last) = cursor
        // Each filter keeps its one placeholder, set or not, so that an index can serve the ones that are set.
        func condition(_ column: String, _ value: String?) -> String {
            value == nil ? "CAST(? AS TEXT) IS NULL" : "\(column) = ?"
        }
        let sql = """
            SELECT * FROM store_versions WHERE account = ? AND region = ? AND \(condition("repository", filter.repository))
                AND repository <> ?
                AND \(condition("artifact", filter.artifact)) AND \(condition("execution", filter.execution))
                AND (deleted_at IS NULL OR ? = 1) AND (created_at, number, id) < (?, ?, ?)
            ORDER BY created_at DESC, number DESC, id DESC LIMIT ?
            """
        let rows = try await catalog.read { transaction in
            try transaction.rows(
                sql, filter.scope.account, filter.scope.region, filter.repository, filter.exceptRepository ?? "",
                filter.artifact, filter.execution,
                filter.includesDeleted ? 1 : 0, time, number, last, limit + 1)
        }
        let page = try await versions(Array(rows.prefix(limit)))
        guard rows.count > limit, let end = page.last else { return VersionPage(versions: page, next: nil) }
        return VersionPage(versions: page, next: "\(end.createdAt.milliseconds)_\(end.number)_\(end.id)")
    }

    /// Artifacts with at least one version, by name.
    public func artifacts(in scope: AccountRegion, repository: String? = nil) async throws -> [ArtifactSummary] {
        try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT repository, artifact, COUNT(*) AS versions, MAX(number) AS latest, MAX(created_at) AS latest_at
                FROM store_versions WHERE account = ? AND region = ? AND deleted_at IS NULL
                    AND (CAST(? AS TEXT) IS NULL OR repository = ?)
                GROUP BY repository, artifact ORDER BY repository, artifact
                """, scope.account, scope.region, repository, repository
            ).map { row in
                ArtifactSummary(
                    repository: try row.string("repository"), artifact: try row.string("artifact"),
                    versionCount: try row.int("versions"), latestNumber: try row.int("latest"),
                    latestAt: try row.date("latest_at"))
            }
        }
    }
}

/// A way to name a version: `REPOSITORY[/ARTIFACT]@WHICH`, where WHICH is an execution number (`413`, attempt `413.2`),
/// `latest`, an execution or version id, a stage or environment ("what runs there"), a tag, or `sha256:…`.
public struct VersionReference: Sendable, Hashable, CustomStringConvertible {
    /// The repository.
    public var repository: String
    /// The artifact; nil when the repository has only one.
    public var artifact: String?
    /// Which of its versions.
    public var which: String

    /// A reference from its parts.
    public init(repository: String, artifact: String? = nil, which: String = "latest") {
        self.repository = repository
        self.artifact = artifact
        self.which = which
    }

    /// Parses `REPOSITORY[/ARTIFACT][@WHICH]`; nil when a part is empty.
    public init?(_ text: String) {
        let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let names = halves[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard !names.contains(""), halves.count == 1 || !halves[1].isEmpty else { return nil }
        self.init(
            repository: names[0], artifact: names.count > 1 ? names[1] : nil,
            which: halves.count > 1 ? halves[1] : "latest")
    }

    /// The text form.
    public var description: String { repository + (artifact.map { "/" + $0 } ?? "") + "@" + which }
}

extension ArtifactStore {
    /// The version that a reference means at this moment.
    public func resolve(_ reference: VersionReference, in scope: AccountRegion) async throws -> Version {
        let artifact = try await artifactName(reference, scope)
        let contentKeys = Self.digest(reference.which).map { self.contentKeys($0) } ?? []
        let row = try await catalog.read { transaction in
            try Resolution(
                scope: scope, repository: reference.repository, artifact: artifact, contentKeys: contentKeys,
                now: self.now().milliseconds, pins: self.pinRecords
            ).find(reference.which, transaction)
        }
        guard let row else { throw StoreError.notFound("there is no version \(reference)") }
        return try await version(row)
    }

    private static func digest(_ which: String) -> SHA256Digest? {
        which.hasPrefix("sha256:") ? SHA256Digest(hex: which.dropFirst(7)) : nil
    }

    private func artifactName(_ reference: VersionReference, _ scope: AccountRegion) async throws -> String {
        if let artifact = reference.artifact { return artifact }
        let names = try await artifacts(in: scope, repository: reference.repository).map(\.artifact)
        guard let only = names.first else {
            throw StoreError.notFound("there are no versions in \(reference.repository)")
        }
        guard names.count == 1 else {
            throw StoreError.invalid(
                "\(reference.repository) has the artifacts \(names.joined(separator: ", ")); say which, as in "
                    + "\(reference.repository)/\(only)@\(reference.which)")
        }
        return only
    }
}

/// Finds one version of one artifact.
private struct Resolution {
    let scope: AccountRegion
    let repository: String
    let artifact: String
    let contentKeys: [[UInt8]]
    let now: Int64
    let pins: PinRecords

    private static let base =
        "SELECT * FROM store_versions WHERE account = ? AND region = ? AND repository = ? AND artifact = ? AND deleted_at IS NULL"

    func find(_ which: String, _ transaction: Transaction) throws -> Row? {
        if which == "latest" { return try first("ORDER BY number DESC LIMIT 1", transaction) }
        if !contentKeys.isEmpty {
            let found = try contentKeys.compactMap {
                try first("AND content_key = ? ORDER BY number DESC LIMIT 1", transaction, $0)
            }
            return try found.max { try $0.int64("number") < $1.int64("number") }
        }
        if let id = VersionID(which) {
            if let row = try first("AND id = ?", transaction, id.rawValue) { return row }
            return try first("AND execution = ? ORDER BY number DESC LIMIT 1", transaction, which.lowercased())
                ?? first("AND execution = ? ORDER BY number DESC LIMIT 1", transaction, which)
        }
        let parts = which.split(separator: ".", omittingEmptySubsequences: false)
        if let number = Int(parts[0]), parts.count <= 2 {
            if parts.count == 2 {
                guard let attempt = Int(parts[1]), attempt > 0 else { return nil }
                return try first(
                    "AND execution_number = ? ORDER BY number LIMIT 1 OFFSET ?", transaction, number, attempt - 1)
            }
            if let row = try first("AND execution_number = ? ORDER BY number DESC LIMIT 1", transaction, number) {
                return row
            }
            return try first("AND execution_number IS NULL AND number = ?", transaction, number)
        }
        return try named(which, transaction)
    }

    /// A tag, else what a deployment record says runs in a stage or environment.
    private func named(_ which: String, _ transaction: Transaction) throws -> Row? {
        let tagged = try transaction.row(
            "SELECT version FROM store_tags WHERE account = ? AND region = ? AND repository = ? AND artifact = ? AND tag = ?",
            scope.account, scope.region, repository, artifact, which)
        if let tagged { return try first("AND id = ?", transaction, try tagged.string("version")) }
        let deployed = try first(
            """
            AND id IN (SELECT version FROM store_pins WHERE kind = 'deployment' AND name = ?
                AND (expires_at IS NULL OR expires_at > ?)) ORDER BY number DESC LIMIT 1
            """, transaction, which, now)
        // What runs somewhere must not be a matter of who can write to the database.
        if let deployed {
            let pin = try transaction.row(
                "SELECT * FROM store_pins WHERE version = ? AND name = ?", try deployed.string("id"), which)
            if let pin { _ = try pins.checked(pin, transaction) }
        }
        return deployed
    }

    private func first(_ rest: String, _ transaction: Transaction, _ a: (any SQLConvertible)? = nil) throws -> Row? {
        if let a {
            return try transaction.row(Self.base + " " + rest, scope.account, scope.region, repository, artifact, a)
        }
        return try transaction.row(Self.base + " " + rest, scope.account, scope.region, repository, artifact)
    }

    private func first(
        _ rest: String, _ transaction: Transaction, _ a: any SQLConvertible, _ b: any SQLConvertible
    ) throws -> Row? {
        try transaction.row(Self.base + " " + rest, scope.account, scope.region, repository, artifact, a, b)
    }
}
