import Catalog
package import Foundation
import Synchronization

/// The last successful use of a key.
package struct KeyUse: Sendable, Equatable {
    package var operation: String
    package var at: Date
    package var requestID: String
}

/// Uses since the last one that was stored.
struct KeyUsage {
    var latest: [String: KeyUse] = [:]
    var stored: [String: Date] = [:]
}

extension KeyHierarchy {
    /// Notes a successful cryptographic operation. Stored at most once a minute a key, so that hot calls need no SQL.
    package func noteUse(_ keyARN: String, operation: String, requestID: String) async throws {
        let use = KeyUse(operation: operation, at: now(), requestID: requestID)
        let mustStore = usage.withLock { usage in
            if usage.latest.count > 10_000 { usage = KeyUsage() }
            usage.latest[keyARN] = use
            if let last = usage.stored[keyARN], use.at.timeIntervalSince(last) < 60 { return false }
            usage.stored[keyARN] = use.at
            return true
        }
        guard mustStore else { return }
        _ = try await catalog.write { transaction in
            try transaction.execute(
                """
                INSERT INTO key_usage (key_arn, operation, at, request_id) VALUES (?, ?, ?, ?)
                ON CONFLICT (key_arn) DO UPDATE SET operation = excluded.operation, at = excluded.at,
                    request_id = excluded.request_id
                """, keyARN, use.operation, use.at, use.requestID)
        }
    }

    /// Checks that a symmetric key can be used now and notes the use, for services that use it on a caller's behalf.
    package func beginUse(of keyARN: String, operation: String, requestID: String) async throws {
        let identifier = try KeyIdentifier(parsing: keyARN, in: AccountRegion(account: "", region: ""))
        guard case .key(let keyID) = identifier.resource else {
            throw KeyError(.invalidARN, "\(keyARN) is not the ARN of a key.")
        }
        let key = try await key(identifier.scope, keyID)
        guard key.spec == "SYMMETRIC_DEFAULT" else {
            throw KeyError(.invalidKeyUsage, "\(keyARN) is a \(key.spec) key which is not valid for \(operation).")
        }
        try KeyStateRules.check(.cryptography, key)
        try await noteUse(keyARN, operation: operation, requestID: requestID)
    }

    /// The last noted use.
    package func lastUse(_ keyARN: String) async throws -> KeyUse? {
        if let use = usage.withLock({ $0.latest[keyARN] }) { return use }
        return try await catalog.read { transaction in
            try transaction.row("SELECT * FROM key_usage WHERE key_arn = ?", keyARN).map {
                KeyUse(
                    operation: try $0.string("operation"), at: try $0.date("at"), requestID: try $0.string("request_id")
                )
            }
        }
    }
}
