import Catalog
import Cryptography

/// What vouches for rows of pins: a code over the row and the sequence of the log's latest entry about it. A changed row,
/// an old one put back and one that nobody set are noticed when it is read; a deleted one by a verification.
struct PinRecords: Sendable {
    let log: VersionLog

    init(_ log: VersionLog) { self.log = log }

    /// States that a version was pinned, and writes the row.
    func save(_ pin: Pin, at time: Int64, _ transaction: Transaction) throws {
        let sequence = try log.append(
            try statement(.pin, pin, at: time, transaction), subject: VersionLog.subject(pin.version, pin: pin.name),
            transaction)
        let expires = pin.expiresAt?.milliseconds
        let mac = try currentCode(pin, created: time, expires: expires, sequence)
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
        let sequence = try row.optionalNatural("log_sequence") ?? 0
        let covered = Self.covered(
            pin, created: try row.int64("created_at"), expires: try row.optionalInt64("expires_at"), sequence)
        let mac = try row.optionalBytes("mac") ?? []
        // Under an older key too, until a rotation has made the code anew.
        guard try log.signer.rowKeys().contains(where: { Self.isCode(mac, of: covered, under: $0) }) else {
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
        statement.number = try row.map { Int(try $0.natural("number")) }
        statement.pin = Statement.PinStatement(
            name: pin.name, kind: pin.kind.rawValue, owner: pin.owner, reason: pin.reason,
            expiresAt: pin.expiresAt?.milliseconds)
        return statement
    }

    /// Gives up to `limit` pins behind a place, whose codes are right under an older key, codes under the current one. Returns
    /// the place where it stopped, nil at the end, and how many there were.
    func recode(
        after place: (version: String, name: String), limit: Int, _ transaction: Transaction
    ) throws -> (next: (version: String, name: String)?, count: Int) {
        let rows = try transaction.rows(
            "SELECT * FROM store_pins WHERE (version, name) > (?, ?) ORDER BY version, name LIMIT ?", place.version,
            place.name, limit)
        let keys = try log.signer.rowKeys()
        var count = 0
        for row in rows {
            let covered = Self.covered(
                try ArtifactStore.pin(row), created: try row.int64("created_at"),
                expires: try row.optionalInt64("expires_at"), try row.optionalNatural("log_sequence") ?? 0)
            let mac = try row.optionalBytes("mac") ?? []
            // A wrong code stays wrong.
            guard let current = keys.first, !Self.isCode(mac, of: covered, under: current),
                keys.dropFirst().contains(where: { Self.isCode(mac, of: covered, under: $0) })
            else { continue }
            try transaction.execute(
                "UPDATE store_pins SET mac = ? WHERE version = ? AND name = ?",
                HMACSHA256.code(key: current, covered).bytes, try row.string("version"), try row.string("name"))
            count += 1
        }
        return (try rows.last.map { (try $0.string("version"), try $0.string("name")) }, count)
    }

    private static func isCode(_ mac: [UInt8], of covered: [UInt8], under key: SecretBytes) -> Bool {
        constantTimeEqual(HMACSHA256.code(key: key, covered).bytes, mac)
    }

    private func currentCode(_ pin: Pin, created: Int64, expires: Int64?, _ sequence: Int64) throws -> [UInt8] {
        guard let key = try log.signer.rowKeys().first else { throw StoreError.integrity("there is no row key") }
        return HMACSHA256.code(key: key, Self.covered(pin, created: created, expires: expires, sequence)).bytes
    }

    /// What the code of a row covers.
    private static func covered(_ pin: Pin, created: Int64, expires: Int64?, _ sequence: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in ["store_pins", pin.version.rawValue, pin.name, pin.kind.rawValue, pin.owner, pin.reason] {
            bytes.appendBig(UInt32(field.utf8.count))
            bytes += Array(field.utf8)
        }
        bytes.appendBig(UInt64(bitPattern: created))
        bytes.appendBig(UInt64(bitPattern: expires ?? -1))
        bytes.appendBig(UInt64(sequence))
        return bytes
    }
}
