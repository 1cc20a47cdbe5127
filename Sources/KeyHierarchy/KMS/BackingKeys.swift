import Catalog
import Cryptography
import Foundation

/// Backing records of KMS keys: rows sealed under the Region's keyring.
enum BackingKeys {
    static func name(_ scope: AccountRegion, _ keyID: String, _ version: UInt32) -> String {
        "backing/\(scope.region)/\(scope.account)/\(keyID)/\(version)"
    }

    static func type(spec: String) -> SealedEnvelope.ObjectType {
        spec == "SYMMETRIC_DEFAULT" || spec.hasPrefix("HMAC_") ? .backingKey : .privateBackingKey
    }

    static func store(
        _ secret: SecretBytes, _ scope: AccountRegion, _ keyID: String, version: UInt32, spec: String, _ root: RootKey,
        _ now: Date, _ transaction: Transaction
    ) throws {
        let ring = try Keyring.load(scope.region, root, now, transaction)
        let sealed = try ring.seal(secret, type: type(spec: spec), name: name(scope, keyID, version))
        try transaction.execute(
            """
            INSERT INTO key_backing (account, region, key_id, version, sealed, created_at) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (account, region, key_id, version) DO UPDATE SET sealed = excluded.sealed
            """, scope.account, scope.region, keyID, version, sealed, now)
    }

    static func load(
        _ scope: AccountRegion, _ keyID: String, version: UInt32, spec: String, _ root: RootKey,
        _ transaction: Transaction
    ) throws -> SecretBytes? {
        guard
            let row = try transaction.row(
                "SELECT sealed FROM key_backing WHERE account = ? AND region = ? AND key_id = ? AND version = ?",
                scope.account, scope.region, keyID, version)
        else { return nil }
        let ring = try Keyring.existing(scope.region, root, transaction)
        return try ring.open(row.bytes("sealed"), type: type(spec: spec), name: name(scope, keyID, version))
    }

    static func delete(_ scope: AccountRegion, _ keyID: String, version: UInt32? = nil, _ transaction: Transaction)
        throws
    {
        if let version {
            try transaction.execute(
                "DELETE FROM key_backing WHERE account = ? AND region = ? AND key_id = ? AND version = ?",
                scope.account,
                scope.region, keyID, version)
        } else {
            try transaction.execute(
                "DELETE FROM key_backing WHERE account = ? AND region = ? AND key_id = ?", scope.account, scope.region,
                keyID)
        }
    }
}
