import Catalog
import Cryptography

/// What vouches for rows of pins: a code over the row and the sequence of the log's latest entry about it. A changed row,
/// an old one put back and one that nobody set are noticed when it is read; a deleted one by a verification.
struct PinRecords: Sendable {
    let log: VersionLog
    private let key: SecretBytes

    init(_ log: VersionLog) throws {
        self.log = log
        key = try log.signer.rowKey()
    }

    /// States that a version was pinned, and writes the row.
    func save(_ pin: Pin, at time: Int64, _ transaction: Transaction) throws {
        let sequence = try log.append(
            try statement(.pin, pin, at: time, transaction), subject: VersionLog.subject(pin.version, pin: pin.name),
            transaction)
        let expires = pin.expiresAt?.milliseconds
        let mac = code(pin, created: time, expires: expires, sequence)
        try transaction.execute(
            """
            INSERT INTO store_pins (version, name, kind, owner, reason, created_at, expires_at, log_sequence, mac)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (version, name) DO UPDATE SET kind = excluded.kind, owner = excluded.owner,
                reason = excluded.reason, created_at = excluded.created_at, expires_at = excluded.expires_at,
                log_sequence = excluded.log_sequence, mac = excluded.mac
            """, pin.version.rawValue, pin.name, pin.kind.rawValue, pin.owner, pin.reason, time,
            expires, sequence, mac)
    }

    /// States that a pin is gone, and removes the row. Returns whether there was one.
    func remove(_ version: VersionID, _ name: String, at time: Int64, _ transaction: Transaction) throws -> Bool {
        let row = try transaction.row(
            "SELECT * FROM store_pins WHERE version = ? AND name = ?", version.rawValue, name)
        guard let row else { return false }
        try log.append(
            try statement(.unpin, try ArtifactStore.pin(row), at: time, transaction),
            subject: VersionLog.subject(version, pin: name), transaction)
        return try transaction.execute(
            "DELETE FROM store_pins WHERE version = ? AND name = ?", version.rawValue, name) > 0
    }

    /// What is wrong with a row; nil when it is as it was set.
    func problem(_ row: Row, _ transaction: Transaction) throws -> String? {
        let pin = try ArtifactStore.pin(row)
        let sequence = try row.optionalInt64("log_sequence") ?? 0
        let expected = code(
            pin, created: try row.int64("created_at"), expires: try row.optionalInt64("expires_at"), sequence)
        guard constantTimeEqual(expected, try row.optionalBytes("mac") ?? []) else {
            return "its authentication code does not match, the row was altered"
        }
        let last = try transaction.row(
            "SELECT MAX(sequence) AS last FROM store_log WHERE subject = ?",
            VersionLog.subject(pin.version, pin: pin.name))
        return try last?.optionalInt64("last") == sequence
            ? nil : "it is not the latest version, an old row was put back"
    }

    /// A row as a pin. Throws `StoreError` with `.integrity` when it is not as it was set.
    func checked(_ row: Row, _ transaction: Transaction) throws -> Pin {
        let pin = try ArtifactStore.pin(row)
        if let problem = try problem(row, transaction) {
            throw StoreError.integrity("the pin \(pin.name) on version \(pin.version): \(problem)")
        }
        return pin
    }

    private func statement(_ kind: Statement.Kind, _ pin: Pin, at time: Int64, _ transaction: Transaction) throws
        -> Statement
    {
        var statement = Statement(kind, at: time)
        let row = try transaction.row(
            "SELECT account, region, repository, artifact, number FROM store_versions WHERE id = ?",
            pin.version.rawValue)
        statement.version = pin.version.rawValue
        statement.account = try row?.string("account")
        statement.region = try row?.string("region")
        statement.repository = try row?.string("repository")
        statement.artifact = try row?.string("artifact")
        statement.number = try row?.int("number")
        statement.pin = Statement.PinStatement(
            name: pin.name, kind: pin.kind.rawValue, owner: pin.owner, reason: pin.reason,
            expiresAt: pin.expiresAt?.milliseconds)
        return statement
    }

    private func code(_ pin: Pin, created: Int64, expires: Int64?, _ sequence: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in ["store_pins", pin.version.rawValue, pin.name, pin.kind.rawValue, pin.owner, pin.reason] {
            bytes.appendBig(UInt32(field.utf8.count))
            bytes += Array(field.utf8)
        }
        bytes.appendBig(UInt64(bitPattern: created))
        bytes.appendBig(UInt64(bitPattern: expires ?? -1))
        bytes.appendBig(UInt64(sequence))
        return HMACSHA256.code(key: key, bytes).bytes
    }
}
