import Catalog
import Cryptography
package import Foundation

/// Changes to imported material.
enum ImportedMaterial {
    /// Forgets the bytes of a material; its place in the history stays.
    static func remove(_ key: inout KMSKey, at index: Int, _ change: KeyChange) throws {
        let version = key.materials[index].version
        try BackingKeys.delete(key.scope, key.keyID, version: version, change.transaction)
        if key.materials[index].state.hasPrefix("PENDING") {
            key.materials.remove(at: index)
            return
        }
        key.materials[index].importState = "PENDING_IMPORT"
        key.materials[index].validTo = nil
        key.materials[index].expirationModel = nil
        if !key.state.isPendingDeletion { key.state = .pendingImport }
    }

    /// Makes the material that waits current.
    static func promotePending(_ key: inout KMSKey, _ change: KeyChange) throws {
        guard let index = key.materials.firstIndex(where: { $0.state == "PENDING_ROTATION" }) else {
            throw KeyError(
                .invalidState, "\(key.arn) has no key material pending rotation; import NEW_KEY_MATERIAL first.")
        }
        func promote(_ key: inout KMSKey, _ materialID: String) {
            for index in key.materials.indices {
                if key.materials[index].state == "CURRENT" { key.materials[index].state = "NON_CURRENT" }
                if key.materials[index].materialID == materialID {
                    key.materials[index].state = "CURRENT"
                    key.materials[index].rotationType = "ON_DEMAND"
                    key.materials[index].rotatedAt = change.milliseconds
                }
            }
        }
        let materialID = key.materials[index].materialID
        promote(&key, materialID)
        for var relative in try change.relatives(key) {
            promote(&relative, materialID)
            try change.save(relative, "rotate")
        }
    }
}

/// What an import brings.
package struct MaterialImport: Sendable {
    package var token: [UInt8]
    package var encrypted: [UInt8]
    package var validTo: Date?
    package var expirationModel: String
    package var isNew: Bool
    package var description: String?
    package var expectedMaterialID: String?

    package init(
        token: [UInt8], encrypted: [UInt8], validTo: Date?, expirationModel: String, isNew: Bool, description: String?,
        expectedMaterialID: String?
    ) {
        self.token = token
        self.encrypted = encrypted
        self.validTo = validTo
        self.expirationModel = expirationModel
        self.isNew = isNew
        self.description = description
        self.expectedMaterialID = expectedMaterialID
    }
}

extension KeyHierarchy {
    private static let tokenHours: Int64 = 24
    /// Expiry and the name of an algorithm.
    private static let tokenHeadBytesMax = 64

    /// A wrapping key for an import and the token that seals its private half, the key's ID and the expiry.
    package func importParameters(
        _ key: KMSKey, algorithm: String, wrappingSpec: String
    ) async throws -> (token: [UInt8], publicKey: [UInt8], validTo: Date) {
        try Self.checkImportable(key)
        guard algorithm.hasPrefix("RSAES_OAEP_SHA_") || algorithm.hasPrefix("RSA_AES_KEY_WRAP_SHA_") else {
            throw KeyError(
                .unsupported,
                "WrappingAlgorithm \(algorithm) is not supported; use RSAES_OAEP_SHA_256 or RSA_AES_KEY_WRAP_SHA_256.")
        }
        guard let spec = KeySpecs.kinds[wrappingSpec]?.asymmetric, spec.isRSA else {
            throw KeyError(
                .unsupported, "WrappingKeySpec \(wrappingSpec) is not supported; use RSA_2048, RSA_3072 or RSA_4096.")
        }
        if key.spec.hasPrefix("RSA"), !algorithm.hasPrefix("RSA_AES_KEY_WRAP") {
            throw KeyError(
                .unsupported, "RSA key material is imported with RSA_AES_KEY_WRAP_SHA_256 or RSA_AES_KEY_WRAP_SHA_1.")
        }
        try KeyStateRules.check(.parametersForImport, key)
        let private_ = try await offPool { try AsymmetricPrivateKey.generate(spec) }
        let end = now().milliseconds + Self.tokenHours * 3_600_000
        var payload = ByteWriter()
        payload.append(UInt64(end))
        payload.appendPrefixed(Array(algorithm.utf8))
        let encoded = try private_.pkcs8().withUnsafeBytes { payload.bytes + Array($0) }
        let (version, tokenKey) = try unsealed().keys.current(.token)
        let token = try SealedEnvelope.seal(
            SecretBytes(consuming: encoded), under: tokenKey, keyVersion: version, type: .importKey,
            name: "import/\(key.arn)")
        return (token, try private_.subjectPublicKeyInfo(), Date(timeIntervalSince1970: Double(end) / 1000))
    }

    static func checkImportable(_ key: KMSKey) throws(KeyError) {
        guard key.origin == "EXTERNAL" else {
            throw KeyError(.unsupported, "\(key.arn) origin is \(key.origin) which is not valid for this operation.")
        }
    }

    /// Imports material into an EXTERNAL key. Returns its ID.
    package func importMaterial(_ import_: MaterialImport, _ key: KMSKey) async throws -> String {
        try Self.checkImportable(key)
        try KeyStateRules.check(.importMaterial, key)
        let material = try await unwrap(import_, key)
        try Self.checkMaterial(material, key)
        let materialID = Hex.encode(CiphertextBlob.materialID(of: material, keyUUID: key.uuid))
        if let expected = import_.expectedMaterialID, expected != materialID {
            throw KeyError(.incorrectKeyMaterial, "The key material is not the one with the ID \(expected).")
        }
        let isSymmetric = key.spec == "SYMMETRIC_DEFAULT"
        guard !import_.isNew || isSymmetric else {
            throw KeyError(.unsupported, "ImportType NEW_KEY_MATERIAL is for symmetric encryption keys.")
        }
        return try await change(key.scope, key.keyID, action: "import") { key, change in
            try KeyStateRules.check(.importMaterial, key)
            var entry: KMSKeyMaterial
            if let index = key.materials.firstIndex(where: { $0.materialID == materialID }) {
                if import_.isNew {
                    throw KeyError(
                        .invalidState, "\(key.arn) has this key material already; import it as EXISTING_KEY_MATERIAL.")
                }
                entry = key.materials.remove(at: index)
            } else {
                guard key.materials.isEmpty || import_.isNew else {
                    throw KeyError(
                        .incorrectKeyMaterial, "The key material is not the one imported into \(key.arn) before.")
                }
                guard !key.materials.contains(where: { $0.state.hasPrefix("PENDING") }) else {
                    throw KeyError(.conflict, "\(key.arn) has key material pending rotation already.")
                }
                let version = (key.materials.map(\.version).max() ?? 0) + 1
                entry = KMSKeyMaterial(
                    version: version, materialID: materialID,
                    state: key.materials.isEmpty ? "CURRENT" : "PENDING_ROTATION")
            }
            entry.importState = "IMPORTED"
            entry.expirationModel = import_.expirationModel
            entry.validTo = import_.validTo?.milliseconds
            entry.description = import_.description ?? entry.description
            key.materials.append(entry)
            key.materials.sort { $0.version < $1.version }
            try change.store(material, key, version: entry.version)
            let complete = !key.materials.contains {
                $0.importState == "PENDING_IMPORT" && !$0.state.hasPrefix("PENDING_")
            }
            if key.state == .pendingImport, complete { key.state = .enabled }
            try Self.copyPendingState(&key, materialID, change)
            return materialID
        }
    }

    /// New material of a multi-Region key waits until every Region has it.
    private static func copyPendingState(_ key: inout KMSKey, _ materialID: String, _ change: KeyChange) throws {
        guard key.isMultiRegion, let index = key.materials.firstIndex(where: { $0.materialID == materialID }),
            key.materials[index].state.hasPrefix("PENDING")
        else { return }
        var relatives = try change.relatives(key)
        let everywhere = relatives.allSatisfy { relative in relative.materials.contains { $0.materialID == materialID }
        }
        let state = everywhere ? "PENDING_ROTATION" : "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
        key.materials[index].state = state
        for other in relatives.indices {
            guard let at = relatives[other].materials.firstIndex(where: { $0.materialID == materialID }) else {
                continue
            }
            relatives[other].materials[at].state = state
            try change.save(relatives[other], "import")
        }
    }

    /// Removes imported material: the named one, or the current one. Returns its ID.
    package func deleteMaterial(_ key: KMSKey, materialID: String?) async throws -> String? {
        try Self.checkImportable(key)
        return try await change(key.scope, key.keyID, action: "delete-material") { key, change in
            try KeyStateRules.check(.deleteMaterial, key)
            let wanted = materialID ?? key.current?.materialID
            guard let index = key.materials.firstIndex(where: { $0.materialID == wanted }) else {
                if materialID != nil {
                    throw KeyError(.validation, "\(key.arn) has no key material with the ID \(materialID ?? "").")
                }
                return nil
            }
            let removed = key.materials[index].materialID
            guard key.materials[index].importState == "IMPORTED" else { return removed }
            try ImportedMaterial.remove(&key, at: index, change)
            return removed
        }
    }

    /// Opens the token and then the material. Every failure to unwrap is the same.
    private func unwrap(_ import_: MaterialImport, _ key: KMSKey) async throws -> SecretBytes {
        let invalid = KeyError(.invalidImportToken, "The import token is not one that was made for \(key.arn).")
        let payload: SecretBytes
        do {
            let version = try SealedEnvelope.keyVersion(of: import_.token)
            payload = try SealedEnvelope.open(
                import_.token, under: try unsealed().keys.key(.token, version: version), type: .importKey,
                name: "import/\(key.arn)")
        } catch is KeyFormatError {
            throw invalid
        } catch let error as KeyError where error.code == .notFound {
            throw invalid
        }
        // Only the head is public: what follows is the private half, which stays where it is.
        var reader = ByteReader(payload.disclosing(0..<min(payload.count, Self.tokenHeadBytesMax)), "import token")
        let end = try reader.uint64()
        let algorithm = String(decoding: try reader.prefixed(), as: UTF8.self)
        let head = 12 + algorithm.utf8.count
        let private_ = try AsymmetricPrivateKey(pkcs8: payload.slice(head..<payload.count))
        guard Int64(end) > now().milliseconds else {
            throw KeyError(.expiredImportToken, "The import token has expired; call GetParametersForImport again.")
        }
        let encrypted = import_.encrypted
        let hash: HashAlgorithm = algorithm.hasSuffix("SHA_1") ? .sha1 : .sha256
        return try await offPool {
            do {
                guard algorithm.hasPrefix("RSA_AES_KEY_WRAP") else {
                    return try private_.decryptOAEP(encrypted, hash: hash)
                }
                let count = private_.spec == .rsa2048 ? 256 : private_.spec == .rsa3072 ? 384 : 512
                guard encrypted.count > count else { throw CryptographyError.authenticationFailed }
                let wrapping = try private_.decryptOAEP(Array(encrypted[..<count]), hash: hash)
                return try AESKeyWrapPadded.unwrap(Array(encrypted[count...]), under: wrapping)
            } catch {
                throw KeyError(.invalidCiphertext, "The encrypted key material could not be unwrapped.")
            }
        }
    }

    private static func checkMaterial(_ material: SecretBytes, _ key: KMSKey) throws(KeyError) {
        let kind = try KeySpecs.kind(key.spec)
        if let lengths = kind.importBytes {
            guard lengths.contains(material.count) else {
                throw KeyError(
                    .incorrectKeyMaterial,
                    "Key material of a \(key.spec) key has \(lengths.lowerBound) to \(lengths.upperBound) bytes, not \(material.count)."
                )
            }
            return
        }
        do {
            guard try AsymmetricPrivateKey(pkcs8: material).spec == kind.asymmetric else {
                throw KeyError(.incorrectKeyMaterial, "The key material is not a \(key.spec) private key.")
            }
        } catch let error as KeyError {
            throw error
        } catch {
            throw KeyError(.incorrectKeyMaterial, "The key material is not a PKCS#8 private key of \(key.spec).")
        }
    }
}
