import Catalog
import Foundation
public import KeyHierarchy

/// Which versions of an artifact are kept without anybody asking for them. A version that no part keeps, and that has no
/// pin, tag or deployment, is deleted when the rule is applied.
public struct RetentionRule: Sendable, Hashable {
    /// The newest so many versions.
    public var newest: Int?
    /// Versions younger than so many seconds.
    public var ageSeconds: Int?
    /// The newest version that this stage published, and the newest whose execution passed the stage.
    public var stage: String?

    /// A rule; nil parts keep nothing.
    public init(newest: Int? = nil, ageSeconds: Int? = nil, stage: String? = nil) {
        self.newest = newest
        self.ageSeconds = ageSeconds
        self.stage = stage
    }
}

/// The rule of one artifact.
public struct ArtifactRetention: Sendable, Hashable {
    /// The repository, usually a pipeline.
    public let repository: String
    /// The artifact's name.
    public let artifact: String
    /// What is kept.
    public let rule: RetentionRule
}

extension ArtifactStore {
    /// Sets the rule of an artifact, or removes it: without a rule everything is kept.
    public func setRetention(
        _ rule: RetentionRule?, repository: String, artifact: String, in scope: AccountRegion
    ) async throws {
        if let newest = rule?.newest, newest < 1 {
            throw StoreError.invalid("a rule keeps at least 1 version, not \(newest)")
        }
        if let age = rule?.ageSeconds, age < 1 {
            throw StoreError.invalid("a rule keeps versions of an age of at least 1 second, not \(age)")
        }
        if let rule, rule == RetentionRule() {
            throw StoreError.invalid(
                "a rule says what to keep: the newest so many, those of an age, or those of a stage")
        }
        try await catalog.write { transaction in
            guard let rule else {
                try transaction.execute(
                    "DELETE FROM store_rules WHERE account = ? AND region = ? AND repository = ? AND artifact = ?",
                    scope.account, scope.region, repository, artifact)
                return
            }
            try transaction.execute(
                """
                INSERT INTO store_rules (account, region, repository, artifact, newest, age_seconds, stage)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, region, repository, artifact) DO UPDATE
                    SET newest = excluded.newest, age_seconds = excluded.age_seconds, stage = excluded.stage
                """, scope.account, scope.region, repository, artifact, rule.newest, rule.ageSeconds, rule.stage)
        }
    }

    /// Deletes (with the undelete window) what no rule and nobody keeps. Returns what was deleted.
    @discardableResult
    public func applyRetention() async throws -> [VersionID] {
        let time = now().milliseconds
        let executions = ExecutionFacts(configuration)
        return try await catalog.write { transaction in
            let retired = try RetentionCheck.retired(at: time, executions, transaction)
            for id in retired {
                try transaction.execute("UPDATE store_versions SET deleted_at = ? WHERE id = ?", time, id.rawValue)
            }
            return retired
        }
    }

    /// What the next application of the rules would delete.
    public func plannedRetention() async throws -> [VersionID] {
        let time = now().milliseconds
        let executions = ExecutionFacts(configuration)
        return try await catalog.read { try RetentionCheck.retired(at: time, executions, $0) }
    }

    /// The rules of an account and region, by artifact.
    public func retentionRules(in scope: AccountRegion) async throws -> [ArtifactRetention] {
        try await catalog.read { transaction in
            try transaction.rows(
                "SELECT * FROM store_rules WHERE account = ? AND region = ? ORDER BY repository, artifact",
                scope.account, scope.region
            ).map { row in
                ArtifactRetention(
                    repository: try row.string("repository"), artifact: try row.string("artifact"),
                    rule: RetentionRule(
                        newest: try row.optionalNatural("newest").map { Int($0) },
                        ageSeconds: try row.optionalNatural("age_seconds").map { Int($0) },
                        stage: try row.optionalString("stage")))
            }
        }
    }

    /// Every reason for which a version is kept; empty when the next application of the rules deletes it.
    public func why(_ id: VersionID) async throws -> [RetentionReason] {
        let row = try await row(id)
        let time = now().milliseconds
        let window = configuration.undeleteSeconds
        let executions = ExecutionFacts(configuration)
        return try await catalog.read { transaction in
            if let deleted = try row.optionalDate("deleted_at") {
                let end = deleted.addingTimeInterval(Double(window))
                return [
                    RetentionReason(
                        kind: "undelete-window",
                        description: "deleted, can be brought back until \(end.formatted(.iso8601))")
                ]
            }
            return try RetentionCheck.reasons(id, row, at: time, executions, transaction)
        }
    }

    /// Deletes versions: they vanish from lists at once, can be brought back for a while, and are collected after that.
    ///
    /// - Throws: `StoreError` with `.retained` when a pin, hold, deployment or running execution keeps one of them; then none
    ///   is deleted.
    public func delete(_ ids: [VersionID]) async throws {
        let time = now().milliseconds
        let executions = ExecutionFacts(configuration)
        try await catalog.write { transaction in
            for id in ids {
                guard let row = try transaction.row("SELECT * FROM store_versions WHERE id = ?", id.rawValue) else {
                    throw StoreError.notFound("there is no version \(id)")
                }
                if try row.optionalInt64("deleted_at") != nil { continue }
                let needed =
                    try RetentionCheck.pins(id, at: time, transaction)
                    + RetentionCheck.uses(row, executions, transaction)
                if let first = needed.first {
                    throw StoreError(.retained, "version \(id) is kept: \(first.description); remove that first")
                }
                try transaction.execute("DELETE FROM store_tags WHERE version = ?", id.rawValue)
                try transaction.execute("UPDATE store_versions SET deleted_at = ? WHERE id = ?", time, id.rawValue)
            }
        }
    }

    /// Brings a deleted version back.
    ///
    /// - Throws: `StoreError` with `.notFound` when its window has ended.
    public func undelete(_ id: VersionID) async throws {
        let limit = now().milliseconds - Int64(configuration.undeleteSeconds) * 1000
        let changed = try await catalog.write { transaction in
            try transaction.execute(
                "UPDATE store_versions SET deleted_at = NULL WHERE id = ? AND deleted_at > ?", id.rawValue, limit)
        }
        if changed == 0, try await version(id).deletedAt != nil {
            throw StoreError.notFound("version \(id) was deleted too long ago to be brought back")
        }
    }
}

/// What is known of the executions that made versions.
private struct ExecutionFacts: Sendable {
    let uses: @Sendable (_ execution: String, Transaction) throws -> [String]
    let past: @Sendable (_ stage: String, _ repository: String, AccountRegion, Transaction) throws -> [String]

    init(_ configuration: StoreConfiguration) {
        uses = configuration.executionUses
        past = configuration.executionsPast
    }
}

/// Applies one rule.
private struct RetentionCheck {
    private let rule: Row

    init(_ rule: Row) { self.rule = rule }

    /// What no rule and nobody keeps.
    static func retired(at time: Int64, _ executions: ExecutionFacts, _ transaction: Transaction) throws -> [VersionID]
    {
        var retired: [VersionID] = []
        for rule in try transaction.rows("SELECT * FROM store_rules") {
            for row in try RetentionCheck(rule).candidates(at: time, transaction) {
                let id = try VersionRow.id(row)
                if try reasons(id, row, at: time, executions, transaction).isEmpty { retired.append(id) }
            }
        }
        return retired
    }

    /// Why the execution that made a version still needs it.
    static func uses(_ row: Row, _ executions: ExecutionFacts, _ transaction: Transaction) throws -> [RetentionReason] {
        guard let execution = try row.optionalString("execution") else { return [] }
        return try executions.uses(execution, transaction).map { RetentionReason(kind: "execution", description: $0) }
    }

    /// Versions that the numbers and ages of the rule do not keep, newest first: of an artifact with very many versions only
    /// those are looked at one by one.
    private func candidates(at time: Int64, _ transaction: Transaction) throws -> [Row] {
        let place = try Self.place(rule)
        let oldest = try oldestOfNewest(place, transaction)
        let youngest = try rule.optionalNatural("age_seconds").map { time - $0 * 1000 }
        return try transaction.rows(
            """
            SELECT * FROM store_versions WHERE account = ? AND region = ? AND repository = ? AND artifact = ?
                AND deleted_at IS NULL AND number < ? AND created_at <= ? ORDER BY number DESC
            """, place[0], place[1], place[2], place[3], oldest ?? .max, youngest ?? .max)
    }

    /// The lowest number among the newest versions that the rule keeps; nil when it has no such part.
    private func oldestOfNewest(_ place: [String], _ transaction: Transaction) throws -> Int64? {
        guard let newest = try rule.optionalNatural("newest") else { return nil }
        let row = try transaction.row(
            """
            SELECT number FROM store_versions WHERE account = ? AND region = ? AND repository = ? AND artifact = ?
                AND deleted_at IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?
            """, place[0], place[1], place[2], place[3], newest - 1)
        return try row?.int64("number") ?? .min
    }

    private static func place(_ row: Row) throws -> [String] {
        try ["account", "region", "repository", "artifact"].map { try row.string($0) }
    }

    static func pins(_ id: VersionID, at time: Int64, _ transaction: Transaction) throws -> [RetentionReason] {
        try transaction.rows(
            "SELECT * FROM store_pins WHERE version = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY name",
            id.rawValue,
            time
        ).map { pin in
            let kind = try pin.string("kind")
            let (name, reason) = (try pin.string("name"), try pin.string("reason"))
            let isShare = kind == "use" && name.hasPrefix("share/")
            let what = kind == "deployment" ? "runs in \(name)" : isShare ? name : "\(kind) \(name)"
            return RetentionReason(
                kind: isShare ? "share" : kind,
                description: "\(what), set by \(try pin.string("owner"))" + (reason.isEmpty ? "" : ": \(reason)"))
        }
    }

    /// The newest version of the newest execution that passed a stage and of which there is one.
    private static func newestPast(
        _ stage: String, _ place: [String], _ executions: ExecutionFacts, _ transaction: Transaction
    ) throws -> String? {
        let scope = AccountRegion(account: place[0], region: place[1])
        for execution in try executions.past(stage, place[2], scope, transaction) {
            let row = try transaction.row(
                """
                SELECT id FROM store_versions WHERE account = ? AND region = ? AND repository = ? AND artifact = ?
                    AND deleted_at IS NULL AND execution = ? ORDER BY number DESC LIMIT 1
                """, place[0], place[1], place[2], place[3], execution)
            if let row { return try row.string("id") }
        }
        return nil
    }

    static func reasons(
        _ id: VersionID, _ row: Row, at time: Int64, _ executions: ExecutionFacts, _ transaction: Transaction
    ) throws -> [RetentionReason] {
        var reasons = try pins(id, at: time, transaction) + self.uses(row, executions, transaction)
        for tag in try transaction.rows("SELECT tag FROM store_tags WHERE version = ? ORDER BY tag", id.rawValue) {
            reasons.append(RetentionReason(kind: "tag", description: "has the tag \(try tag.string("tag"))"))
        }
        let place = try place(row)
        let rule = try transaction.row(
            "SELECT * FROM store_rules WHERE account = ? AND region = ? AND repository = ? AND artifact = ?", place[0],
            place[1], place[2], place[3])
        guard let rule else {
            return reasons + [RetentionReason(kind: "no-rule", description: "its artifact has no retention rule")]
        }
        if let oldest = try RetentionCheck(rule).oldestOfNewest(place, transaction), try row.int64("number") >= oldest {
            reasons.append(
                RetentionReason(
                    kind: "newest", description: "is among the newest \(try rule.natural("newest"))"))
        }
        if let age = try rule.optionalNatural("age_seconds"),
            time - (try row.date("created_at").milliseconds) < age * 1000
        {
            reasons.append(RetentionReason(kind: "age", description: "is younger than \(age) seconds"))
        }
        if let stage = try rule.optionalString("stage") {
            let newest = try transaction.row(
                """
                SELECT id FROM store_versions WHERE account = ? AND region = ? AND repository = ? AND artifact = ?
                    AND deleted_at IS NULL AND stage = ? ORDER BY number DESC LIMIT 1
                """, place[0], place[1], place[2], place[3], stage)
            if try newest?.string("id") == id.rawValue {
                reasons.append(RetentionReason(kind: "stage", description: "is the newest of stage \(stage)"))
            } else if try newestPast(stage, place, executions, transaction) == id.rawValue {
                reasons.append(RetentionReason(kind: "stage", description: "is the newest that passed stage \(stage)"))
            }
        }
        return reasons
    }
}
