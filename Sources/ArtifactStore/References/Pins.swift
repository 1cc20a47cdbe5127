import Catalog
public import Foundation

/// Why a version is kept although no rule keeps it.
public struct Pin: Sendable, Hashable {
    /// What kind of reason it is.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Somebody wants it.
        case pin
        /// Somebody must keep it; only whoever may lift holds can remove it.
        case hold
        /// It runs in a stage or environment, whose name the pin has. One version of an artifact at a time.
        case deployment
        /// An execution or a share link needs it.
        case use
    }

    /// The pinned version.
    public let version: VersionID
    /// Unique among the pins of the version.
    public let name: String
    /// What kind of reason it is.
    public let kind: Kind
    /// Who set it.
    public let owner: String
    /// In words.
    public let reason: String
    /// When it was set.
    public let createdAt: Date
    /// When it stops to count; nil: never.
    public let expiresAt: Date?
}

/// One reason for which a version is kept.
public struct RetentionReason: Sendable, Hashable, CustomStringConvertible {
    /// A stable name: `pin`, `hold`, `deployment`, `use`, `execution`, `tag`, `newest`, `age`, `stage`, `no-rule`,
    /// `undelete-window`.
    public let kind: String
    /// In words.
    public let description: String
}

extension ArtifactStore {
    /// Pins a version under a name; the same name again replaces the pin. A deployment moves from the artifact's other
    /// versions to this one.
    public func pin(
        _ id: VersionID, name: String, kind: Pin.Kind = .pin, owner: String, reason: String = "", expiresAt: Date? = nil
    ) async throws {
        guard !name.isEmpty, name.utf8.count <= 256 else { throw StoreError.invalid("a pin's name has 1 to 256 bytes") }
        let pin = Pin(
            version: id, name: name, kind: kind, owner: owner, reason: reason, createdAt: now(), expiresAt: expiresAt)
        try await catalog.write { [pinRecords] in try Self.set(pin, pinRecords, $0) }
    }

    static func set(_ pin: Pin, _ records: PinRecords, _ transaction: Transaction) throws {
        let row = try transaction.row(
            "SELECT account, region, repository, artifact FROM store_versions WHERE id = ? AND deleted_at IS NULL",
            pin.version.rawValue)
        guard let row else { throw StoreError.notFound("there is no version \(pin.version)") }
        let time = pin.createdAt.milliseconds
        if pin.kind == .deployment {
            let others = try transaction.rows(
                """
                SELECT version FROM store_pins WHERE kind = 'deployment' AND name = ? AND version <> ? AND version IN
                    (SELECT id FROM store_versions
                    WHERE account = ? AND region = ? AND repository = ? AND artifact = ?)
                """, pin.name, pin.version.rawValue, try row.string("account"), try row.string("region"),
                try row.string("repository"), try row.string("artifact"))
            for other in others {
                _ = try records.remove(
                    VersionID(unchecked: try other.string("version")), pin.name, at: time, transaction)
            }
        }
        try records.save(pin, at: time, transaction)
    }

    /// Removes a pin. Returns whether there was one. A hold goes only with `liftingHold`.
    @discardableResult
    public func unpin(_ id: VersionID, name: String, liftingHold: Bool = false) async throws -> Bool {
        let time = now().milliseconds
        return try await catalog.write { [pinRecords] transaction in
            let row = try transaction.row(
                "SELECT kind FROM store_pins WHERE version = ? AND name = ?", id.rawValue, name)
            guard let row else { return false }
            if try row.string("kind") == Pin.Kind.hold.rawValue, !liftingHold {
                throw StoreError(.retained, "\(name) is a hold on version \(id); lift it as such")
            }
            if try row.string("kind") == Pin.Kind.use.rawValue, name.hasPrefix("share/") {
                throw StoreError(.retained, "version \(id) is shared; revoke \(name) and the pin goes with it")
            }
            return try pinRecords.remove(id, name, at: time, transaction)
        }
    }

    /// The pins of a version, or all of them, expired ones left out.
    public func pins(of id: VersionID? = nil) async throws -> [Pin] {
        let time = now().milliseconds
        return try await catalog.read { [pinRecords] transaction in
            try transaction.rows(
                """
                SELECT * FROM store_pins WHERE (CAST(? AS TEXT) IS NULL OR version = ?)
                    AND (expires_at IS NULL OR expires_at > ?) ORDER BY version, name
                """, id?.rawValue, id?.rawValue, time
            ).map { try pinRecords.checked($0, transaction) }
        }
    }

    static func pin(_ row: Row) throws -> Pin {
        Pin(
            version: VersionID(unchecked: try row.string("version")), name: try row.string("name"),
            kind: Pin.Kind(rawValue: try row.string("kind")) ?? .pin, owner: try row.string("owner"),
            reason: try row.string("reason"), createdAt: try row.date("created_at"),
            expiresAt: try row.optionalDate("expires_at"))
    }

    /// Moves a tag to a version of its artifact.
    public func setTag(_ tag: String, on id: VersionID) async throws {
        let version = try await version(id)
        let time = now().milliseconds
        try await catalog.write { transaction in
            guard version.deletedAt == nil,
                try transaction.row("SELECT id FROM store_versions WHERE id = ? AND deleted_at IS NULL", id.rawValue)
                    != nil
            else { throw StoreError.notFound("version \(id) is deleted") }
            try Tags.set(tag, on: version, at: time, transaction)
        }
    }

    /// Removes a tag from a version. Returns whether it had it.
    @discardableResult
    public func removeTag(_ tag: String, from id: VersionID) async throws -> Bool {
        try await catalog.write { transaction in
            try transaction.execute("DELETE FROM store_tags WHERE version = ? AND tag = ?", id.rawValue, tag) > 0
        }
    }

    /// The tags of a version.
    public func tags(of id: VersionID) async throws -> [String] {
        try await catalog.read { transaction in
            try transaction.rows("SELECT tag FROM store_tags WHERE version = ? ORDER BY tag", id.rawValue).map {
                try $0.string("tag")
            }
        }
    }
}
