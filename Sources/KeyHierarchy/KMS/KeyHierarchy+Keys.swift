import Catalog
public import Cryptography
import Foundation
import Synchronization

extension KeyHierarchy {
    /// Finds the key that an ID, key ARN, alias name or alias ARN means.
    ///
    /// Bare IDs and alias names belong to `scope`; nil means `alias/aws/s3`. The predefined aliases `alias/aws/…` make
    /// their key on first use. Throws `KeyError` with `notFound` when there is no such key.
    public func resolveKey(_ id: String?, in scope: AccountRegion) async throws -> KMSKeyReference {
        let target = try KeyIdentifier(parsing: id ?? "alias/aws/s3", in: scope)
        switch target.resource {
        case .key(let keyID):
            _ = try await key(target.scope, keyID)
            return KMSKeyReference(scope: target.scope, keyID: keyID)
        case .alias(let name):
            if let alias = try await alias(target.scope, name) {
                return KMSKeyReference(scope: target.scope, keyID: alias.targetKeyID, aliasName: name)
            }
            if AWSManagedKeys.isPredefined(name) {
                let keyID = try await makeManagedKey(name, target.scope)
                return KMSKeyReference(scope: target.scope, keyID: keyID, aliasName: name)
            }
            throw KeyError(.notFound, "Alias \(target.scope.kmsARN(name)) is not found.")
        }
    }

    /// A key's metadata. Throws `notFound`.
    public func key(_ scope: AccountRegion, _ keyID: String) async throws -> KMSKey {
        let state = try unsealed()
        let name = KeyCaches.Name(scope: scope, id: keyID)
        let (cached, epoch) = caches.withLock { ($0.keys[name], $0.epoch) }
        if let cached, !isDue(cached) { return cached }
        var found = try await catalog.read { transaction in
            try state.records.find(KMSKey.self, scope: scope.recordScope, id: keyID, transaction)
        }
        if let due = found, isDue(due) { found = try await settle(scope, keyID) }
        guard let found else { throw Self.noSuchKey(scope, keyID) }
        caches.withLock { $0.fill(found, since: epoch) }
        return found
    }

    static func noSuchKey(_ scope: AccountRegion, _ keyID: String) -> KeyError {
        KeyError(.notFound, "Key '\(scope.kmsARN("key/\(keyID)"))' does not exist")
    }

    /// An alias, or nil.
    public func alias(_ scope: AccountRegion, _ name: String) async throws -> KMSAlias? {
        let state = try unsealed()
        let cacheName = KeyCaches.Name(scope: scope, id: name)
        let (cached, epoch) = caches.withLock { ($0.aliases[cacheName], $0.epoch) }
        if let cached { return cached }
        let found = try await catalog.read { transaction in
            try state.records.find(KMSAlias.self, scope: scope.recordScope, id: name, transaction)
        }
        if let found { caches.withLock { $0.fill(found, since: epoch) } }
        return found
    }

    /// The material of a key by version, opened.
    func backingKey(_ key: KMSKey, version: UInt32) async throws -> SecretBytes {
        let state = try unsealed()
        let name = KeyCaches.BackingName(scope: key.scope, keyID: key.keyID, version: version)
        let (cached, epoch) = caches.withLock { ($0.backing[name], $0.epoch) }
        if let cached { return cached }
        let found = try await catalog.read { transaction in
            try BackingKeys.load(
                key.scope, key.keyID, version: version, spec: key.spec, state.root, transaction)
        }
        guard let found else {
            throw KeyError(.invalidState, "\(key.arn) has no key material of version \(version).")
        }
        caches.withLock { $0.fill(found, name, since: epoch) }
        return found
    }

    /// A new 32-byte data key under a symmetric key: the plaintext and its CFKB blob.
    ///
    /// Throws `disabled` or `invalidState` when the key cannot be used now.
    public func generateDataKey(
        under reference: KMSKeyReference, context: [String: String]
    ) async throws -> (plaintext: SecretBytes, blob: [UInt8]) {
        let plaintext = SecretBytes.random(count: 32)
        let key = try await key(reference.scope, reference.keyID)
        return (plaintext, try await encrypt(plaintext, under: key, context: context))
    }

    /// Opens a blob made by `generateDataKey` or `Encrypt` in the same instance, whatever key it names.
    ///
    /// Throws `invalidCiphertext` for a malformed blob or a wrong context, `disabled` or `invalidState` by the key's state.
    public func decryptDataKey(_ blob: [UInt8], context: [String: String]) async throws -> SecretBytes {
        let parsed = try Self.parse(blob)
        let state = try unsealed()
        let scopes = try await scopes(ofKeyID: parsed.keyID, state)
        for scope in scopes {
            // A failure means that it was deleted meanwhile; the next may be there.
            guard let key = try? await key(scope, parsed.keyID) else { continue }
            return try await decrypt(parsed, with: key, context: context)
        }
        throw KeyError(.invalidCiphertext, "The ciphertext refers to a key that does not exist.")
    }

    /// Seals bytes under the current material of a symmetric key.
    func encrypt(_ plaintext: SecretBytes, under key: KMSKey, context: [String: String]) async throws -> [UInt8] {
        try KeyStateRules.check(.cryptography, key)
        guard key.spec == "SYMMETRIC_DEFAULT" else {
            throw KeyError(
                .invalidKeyUsage,
                "\(key.arn) key usage is \(key.usage) with spec \(key.spec); a symmetric key is needed.")
        }
        guard let material = key.current, let materialID = Hex.decode(material.materialID) else {
            throw KeyError(.invalidState, "\(key.arn) has no current key material.")
        }
        let encoded = try EncryptionContext.checked(context)
        let secret = try await backingKey(key, version: material.version)
        return try plaintext.withUnsafeBytes {
            try CiphertextBlob.seal(
                $0, under: secret, keyUUID: key.uuid, isMultiRegion: key.isMultiRegion,
                materialReference: Array(materialID.prefix(16)), context: encoded)
        }
    }

    /// Opens a blob with the material it refers to.
    func decrypt(_ blob: CiphertextBlob, with key: KMSKey, context: [String: String]) async throws -> SecretBytes {
        try KeyStateRules.check(.cryptography, key)
        let reference = Hex.encode(blob.materialReference)
        guard let material = key.materials.first(where: { $0.materialID.hasPrefix(reference) }) else {
            throw KeyError(.invalidCiphertext, "The ciphertext refers to key material that \(key.arn) does not have.")
        }
        let encoded = try EncryptionContext.checked(context)
        let secret = try await backingKey(key, version: material.version)
        do {
            return try blob.open(under: secret, context: encoded)
        } catch is KeyFormatError {
            throw Self.invalidCiphertext
        }
    }

    static let invalidCiphertext = KeyError(
        .invalidCiphertext, "The ciphertext is malformed, or the encryption context is not the one it was made with.")

    static func parse(_ blob: [UInt8]) throws(KeyError) -> CiphertextBlob {
        do { return try CiphertextBlob(parsing: blob) } catch { throw invalidCiphertext }
    }

    /// Who owns the key that a ciphertext names: the caller's account if it has it, else another one in the same Region.
    package func owner(ofKeyID keyID: String, near scope: AccountRegion) async throws -> AccountRegion? {
        let state = try unsealed()
        if caches.withLock({ $0.keys[KeyCaches.Name(scope: scope, id: keyID)] != nil }) { return scope }
        let owners = try await storedScopes(ofKeyID: keyID, state).filter { $0.region == scope.region }
        return owners.contains(scope) ? scope : owners.first
    }

    /// Owners of a key ID; several for a multi-Region key.
    private func scopes(ofKeyID keyID: String, _ state: Unsealed) async throws -> [AccountRegion] {
        if let cached = caches.withLock({ $0.scopes[keyID] }) { return cached }
        return try await storedScopes(ofKeyID: keyID, state)
    }

    private func storedScopes(ofKeyID keyID: String, _ state: Unsealed) async throws -> [AccountRegion] {
        try await catalog.read { transaction in
            try transaction.rows("SELECT scope FROM key_record WHERE kind = 'key' AND id = ? ORDER BY scope", keyID)
                .compactMap { row in
                    let parts = try row.string("scope").split(separator: "/", maxSplits: 1).map(String.init)
                    return parts.count == 2 ? AccountRegion(account: parts[0], region: parts[1]) : nil
                }
        }
    }

    /// Makes the AWS-managed key behind a predefined alias, unless another caller was first.
    private func makeManagedKey(_ alias: String, _ scope: AccountRegion) async throws -> String {
        let state = try unsealed()
        let at = now()
        return try await catalog.write { transaction in
            if let existing = try state.records.find(
                KMSAlias.self, scope: scope.recordScope, id: alias, transaction)
            {
                return existing.targetKeyID
            }
            let key = try AWSManagedKeys.make(alias, scope, state, at, transaction)
            return key.keyID
        }
    }
}

/// What an identifier in a request names.
package struct KeyIdentifier {
    package enum Resource: Equatable {
        case key(String)
        case alias(String)
    }

    package let scope: AccountRegion
    package let resource: Resource
    /// Whether it was an ARN, which may name another account.
    package let isARN: Bool

    package init(parsing text: String, in scope: AccountRegion) throws(KeyError) {
        guard text.utf8.starts(with: "arn:".utf8) else {
            self.scope = scope
            isARN = false
            let isAlias = text.utf8.starts(with: "alias/".utf8)
            resource = isAlias ? .alias(text) : .key(text)
            guard isAlias || Self.isKeyID(text) else {
                throw KeyError(.notFound, "Invalid keyId '\(text)'")
            }
            return
        }
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[2] == "kms", !parts[3].isEmpty, parts[4].utf8.count == 12 else {
            throw KeyError(.invalidARN, "Invalid arn \(text)")
        }
        self.scope = AccountRegion(account: parts[4], region: parts[3])
        isARN = true
        if parts[5].hasPrefix("key/") {
            resource = .key(String(parts[5].dropFirst(4)))
        } else if parts[5].hasPrefix("alias/") {
            resource = .alias(parts[5])
        } else {
            throw KeyError(.invalidARN, "Invalid arn \(text)")
        }
    }

    /// Whether a text has the form of a key ID: a UUID, or `mrk-` and 32 hexadecimal digits.
    private static func isKeyID(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count == 36 else { return false }
            let isMultiRegion = bytes.starts(with: "mrk-".utf8)
            for index in (isMultiRegion ? 4 : 0)..<36 {
                let byte = bytes[index]
                let isPunctuation = !isMultiRegion && (index == 8 || index == 13 || index == 18 || index == 23)
                let isDigit = (48...57).contains(byte) || (97...102).contains(byte | 0x20)
                guard isPunctuation ? byte == UInt8(ascii: "-") : isDigit else { return false }
            }
            return true
        }
    }
}
