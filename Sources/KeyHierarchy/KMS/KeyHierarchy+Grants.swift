import Catalog
import Cryptography
import Foundation
import Synchronization

extension KeyHierarchy {
    /// All grants of a key, from memory where possible.
    package func grants(_ scope: AccountRegion, _ keyID: String) async throws -> [KMSGrant] {
        let state = try unsealed()
        let name = KeyCaches.Name(scope: scope, id: keyID)
        let (cached, epoch) = caches.withLock { ($0.grants[name], $0.epoch) }
        if let cached { return cached }
        let found = try await catalog.read { transaction in
            try state.records.children(KMSGrant.self, of: scope.kmsARN("key/\(keyID)"), transaction)
        }
        caches.withLock { $0.fill(found, of: name, since: epoch) }
        return found
    }

    /// Makes a grant, or finds the one of the same name and parameters. The token is fresh every time.
    package func createGrant(_ draft: KMSGrant) async throws -> (grant: KMSGrant, token: String) {
        let state = try unsealed()
        let target = try await key(draft.scope, draft.keyID)
        let excess = Set(draft.operations).subtracting(KeySpecs.grantOperations(target.spec, target.usage))
        guard excess.isEmpty else {
            throw KeyError(
                .validation,
                "A grant on a \(target.spec) \(target.usage) key cannot allow \(excess.sorted().joined(separator: ", "))."
            )
        }
        try KeyStateRules.check(.createGrant, target)
        defer { caches.withLock { $0.drop(keyID: draft.keyID) } }
        let grant = try await catalog.write { transaction in
            let existing = try state.records.children(KMSGrant.self, of: draft.keyARN, transaction)
            if draft.name != nil, let same = existing.first(where: { $0.isRepeat(of: draft) }) { return same }
            guard existing.count < KMSLimits.grantsPerKey else {
                throw KeyError(.limitExceeded, "A key has at most \(KMSLimits.grantsPerKey) grants.")
            }
            try state.records.save(draft, action: "create", transaction)
            return draft
        }
        return (grant, try grantToken(for: grant.grantID))
    }

    /// Ends a grant.
    package func deleteGrant(_ scope: AccountRegion, grantID: String) async throws {
        let state = try unsealed()
        let keyID = try await catalog.write { transaction in
            guard let grant = try state.records.find(KMSGrant.self, scope: scope.recordScope, id: grantID, transaction)
            else { throw KeyError(.notFound, "Grant \(grantID) is not found.") }
            try state.records.delete(grant, transaction)
            return grant.keyID
        }
        caches.withLock { $0.drop(keyID: keyID) }
    }

    package func grant(_ scope: AccountRegion, grantID: String) async throws -> KMSGrant? {
        let state = try unsealed()
        return try await catalog.read { transaction in
            try state.records.find(KMSGrant.self, scope: scope.recordScope, id: grantID, transaction)
        }
    }

    /// The grant that an ID names, in whatever Region.
    package func grant(anywhere grantID: String) async throws -> KMSGrant? {
        let state = try unsealed()
        return try await catalog.read { transaction in
            guard
                let row = try transaction.row(
                    "SELECT scope FROM key_record WHERE kind = 'grant' AND id = ?", grantID)
            else { return nil }
            return try state.records.find(KMSGrant.self, scope: row.string("scope"), id: grantID, transaction)
        }
    }

    package func listGrants(
        _ scope: AccountRegion, _ keyID: String, after marker: String, limit: Int,
        matching: @Sendable @escaping (KMSGrant) -> Bool = { _ in true }
    ) async throws -> [KMSGrant] {
        let all = try await grants(scope, keyID)
        return Array(all.lazy.filter { $0.grantID > marker && matching($0) }.prefix(limit))
    }

    package func listRetirableGrants(
        by principal: String, account: String, region: String, after marker: String, limit: Int
    ) async throws -> [KMSGrant] {
        let state = try unsealed()
        let all = try await catalog.read { transaction in
            try state.records.matching(KMSGrant.self, aux: principal, after: marker, transaction)
        }
        return Array(all.lazy.filter { $0.scope.region == region }.prefix(limit))
    }

    // MARK: Tokens

    /// version ‖ grant ID ‖ 16 random bytes ‖ HMAC, in URL-safe base64. Names a grant; confers nothing by itself.
    private func grantToken(for grantID: String) throws -> String {
        let body = [1] + (Hex.decode(grantID) ?? []) + SecureRandom.bytes(16)
        let key = try unsealed().keys.current(.token).key
        return Base64.encodeURL(body + HMACSHA256.code(key: key, Array("grant".utf8) + body).bytes)
    }

    /// The grant ID in a token. Throws `invalidGrantToken` for anything this instance did not make.
    package func grantID(ofToken token: String) throws -> String {
        guard let bytes = Base64.decodeURL(token), bytes.count == 1 + 32 + 16 + 32, bytes[0] == 1,
            try isTokenCode(Array(bytes[49...]), of: Array("grant".utf8) + bytes[..<49])
        else { throw KeyError(.invalidGrantToken, "The grant token is not valid.") }
        return Hex.encode(bytes[1..<33])
    }

    /// An opaque marker for the next page, bound to its operation.
    package func marker(_ last: String, for operation: String) throws -> String {
        let key = try unsealed().keys.current(.token).key
        let body = Array(last.utf8)
        let code = HMACSHA256.code(key: key, Array("marker/\(operation)/".utf8) + body).bytes
        return Base64.encodeURL(Array(code.prefix(16)) + body)
    }

    /// What a marker holds. Throws `invalidMarker`.
    package func open(marker: String?, for operation: String) throws -> String {
        guard let marker else { return "" }
        guard let bytes = Base64.decodeURL(marker), bytes.count >= 16,
            try isTokenCode(Array(bytes[..<16]), of: Array("marker/\(operation)/".utf8) + bytes[16...])
        else { throw KeyError(.invalidMarker, "The marker is not one that \(operation) returned.") }
        return String(decoding: bytes[16...], as: UTF8.self)
    }

    /// Whether a code, or the beginning of one that callers have checked the length of, is under a token key that is not
    /// destroyed.
    private func isTokenCode(_ code: [UInt8], of message: [UInt8]) throws -> Bool {
        try unsealed().keys.all(.token).values.contains { key in
            constantTimeEqual(Array(HMACSHA256.code(key: key, message).bytes.prefix(code.count)), code)
        }
    }
}

extension KMSGrant {
    /// Whether a named draft asks for this grant again.
    func isRepeat(of draft: KMSGrant) -> Bool {
        var other = draft
        other.grantID = grantID
        other.createdAt = createdAt
        return self == other
    }
}
