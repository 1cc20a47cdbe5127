import Cryptography
import Foundation
import Testing

/// Wycheproof (`testvectors_v1`): edge cases that have broken implementations, most of them invalid.
@Suite struct WycheproofTests {
    @Test(
        .enabled(
            if: VectorSet.full != nil,
            "COFFER_VECTORS is not set, so only the committed subset of the vectors runs; scripts/test fetches the rest"
        ))
    func `the full vector packages are there`() throws {
        let full = try #require(VectorSet.full)
        #expect(try full.wycheproof("Cipher/wycheproof/aes_gcm_test.json").count > 10)
        #expect(try full.responses("hashes/SHA2/SHA256ShortMsg.rsp").count > 50)
    }

    /// Runs every test of `file` with what `prepare` makes of its group, such as a key, which may be refused as well as used;
    /// `attempt` returns whether the implementation accepted the test.
    private func run<Key>(
        _ vectors: VectorSet, _ file: String, where belongs: (WycheproofGroup) -> Bool = { _ in true },
        prepare: (WycheproofGroup) throws -> Key, _ attempt: (Key, WycheproofGroup, WycheproofCase) throws -> Bool
    ) throws {
        guard vectors.has(file) else { return }
        var count = 0
        for group in try vectors.wycheproof(file) where belongs(group) {
            let key = try? prepare(group)
            for test in group.tests {
                count += 1
                let accepted = (try? key.map { try attempt($0, group, test) }) ?? false
                if test.verdict == .valid, !accepted { Issue.record("refused although valid: \(test.place)") }
                if test.verdict == .invalid, accepted { Issue.record("accepted although invalid: \(test.place)") }
            }
        }
        #expect(count > 0, "\(file) has tests for this wrapper")
    }

    private func publicKey(_ group: WycheproofGroup) throws -> AsymmetricPublicKey {
        try AsymmetricPublicKey(subjectPublicKeyInfo: group.hex("publicKeyDer"))
    }

    private func privateKey(_ group: WycheproofGroup) throws -> AsymmetricPrivateKey {
        try AsymmetricPrivateKey(pkcs8: SecretBytes(copying: group.hex("privateKeyPkcs8")))
    }

    @Test(arguments: VectorSet.available)
    func `AES-256-GCM`(_ vectors: VectorSet) throws {
        let file = "Cipher/wycheproof/aes_gcm_test.json"
        try run(vectors, file, where: { $0.text("keySize") == "256" }, prepare: { _ in () }) { _, _, test in
            let (key, nonce) = try (SecretBytes(copying: test.hex("key")), test.hex("iv"))
            let (data, message) = try (test.hex("aad"), test.hex("msg"))
            let sealed = try test.hex("ct") + test.hex("tag")
            guard nonce.count == AES256GCM.nonceBytes else {
                // Every other nonce length is refused, whether or not the mode could take it.
                #expect(throws: CryptographyError.self) {
                    try message.withUnsafeBytes {
                        try AES256GCM.seal(key: key, nonce: nonce, additionalData: data, $0)
                    }
                }
                return test.verdict == .valid
            }
            let opened = try sealed.withUnsafeBytes {
                try AES256GCM.open(key: key, nonce: nonce, additionalData: data, $0)
            }
            let again = try message.withUnsafeBytes {
                try AES256GCM.seal(key: key, nonce: nonce, additionalData: data, $0)
            }
            return opened.withUnsafeBytes { Array($0) } == message && again == sealed
        }
    }

    @Test(arguments: VectorSet.available)
    func `AES-256 key wrap with padding`(_ vectors: VectorSet) throws {
        let file = "Cipher/wycheproof/aes_kwp_test.json"
        try run(vectors, file, where: { $0.text("keySize") == "256" }, prepare: { _ in () }) { _, _, test in
            let key = try SecretBytes(copying: test.hex("key"))
            let opened = try AESKeyWrapPadded.unwrap(test.hex("ct"), under: key)
            let again = try AESKeyWrapPadded.wrap(opened, under: key)
            return try opened.withUnsafeBytes { Array($0) } == test.hex("msg") && again == test.hex("ct")
        }
    }

    @Test(arguments: [HashAlgorithm.sha1, .sha224, .sha256, .sha384, .sha512])
    func `HMAC, also cut short and altered`(_ hash: HashAlgorithm) throws {
        func code(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
            switch hash {
            case .sha1: HMACSHA1.code(key: key, message)
            case .sha224: HMACSHA224.code(key: key, message)
            case .sha256: HMACSHA256.code(key: key, message).bytes
            case .sha384: HMACSHA384.code(key: key, message)
            case .sha512: HMACSHA512.code(key: key, message)
            case .md5: []
            }
        }
        let committed = try #require(VectorSet.committed)
        var counts = (valid: 0, invalid: 0)
        for group in try committed.wycheproof("hmac_\(hash.rawValue)_test.json") {
            let tagBytes = try group.number("tagSize") / 8
            for test in group.tests {
                let made = try code(test.hex("key"), test.hex("msg"))
                #expect(made.count == hash.digestBytes)
                let isRight = try constantTimeEqual(Array(made.prefix(tagBytes)), test.hex("tag"))
                #expect(isRight == (test.verdict == .valid), "\(test.place)")
                if isRight { counts.valid += 1 } else { counts.invalid += 1 }
                // A code that was cut short is no code.
                if isRight, tagBytes < hash.digestBytes { #expect(try !constantTimeEqual(made, test.hex("tag"))) }
            }
        }
        #expect(counts.valid > 50 && counts.invalid > 50)
    }

    @Test(arguments: VectorSet.available)
    func `HKDF-SHA-256`(_ vectors: VectorSet) throws {
        try run(vectors, "Protocol/wycheproof/hkdf_sha256_test.json", prepare: { _ in () }) { _, _, test in
            let size = try test.number("size")
            // More than 255 blocks is a precondition of `expand`, not an error: no caller takes the size from outside.
            guard size <= 255 * 32 else { return false }
            let key = try HKDFSHA256.extract(salt: test.hex("salt"), key: SecretBytes(copying: test.hex("ikm")))
            let output = try HKDFSHA256.expand(key: key, info: test.hex("info"), count: size)
            return try output.withUnsafeBytes { Array($0) } == test.hex("okm")
        }
    }

    static let oaepFiles = [
        "rsa_oaep_2048_sha1_mgf1sha1", "rsa_oaep_2048_sha256_mgf1sha256", "rsa_oaep_3072_sha256_mgf1sha256",
        "rsa_oaep_4096_sha256_mgf1sha256", "rsa_oaep_misc",
    ]

    @Test(arguments: VectorSet.available, oaepFiles)
    func `RSA-OAEP decryption`(_ vectors: VectorSet, file: String) throws {
        func supported(_ group: WycheproofGroup) -> Bool {
            guard let hash = group.hash("sha"), group.text("mgfSha") == group.text("sha") else { return false }
            return [.sha1, .sha256].contains(hash)
                && ["2048", "3072", "4096"].contains(group.text("keySize"))
        }
        try run(vectors, "Cipher/wycheproof/\(file)_test.json", where: supported, prepare: privateKey) {
            key, group, test in
            // Coffer's label is always empty: a ciphertext with another must not open.
            let labelled = test.text("label").map { !$0.isEmpty } ?? false
            let hash = try #require(group.hash("sha"))
            do {
                let opened = try key.decryptOAEP(test.hex("ct"), hash: hash)
                #expect(!labelled, "\(test.place)")
                return try opened.withUnsafeBytes { Array($0) } == test.hex("msg")
            } catch {
                #expect(error as? CryptographyError == .authenticationFailed, "\(test.place)")
                return labelled && test.verdict == .valid
            }
        }
    }

    static let pkcs1Files = ["2048", "3072", "4096"].flatMap { bits in
        ["sha256", "sha384", "sha512"].map { "rsa_signature_\(bits)_\($0)" }
    }

    @Test(arguments: VectorSet.available, pkcs1Files)
    func `RSA PKCS#1 v1-5 verification`(_ vectors: VectorSet, file: String) throws {
        try run(vectors, "Signature/wycheproof/\(file)_test.json", prepare: publicKey) { key, group, test in
            let scheme = try SignatureScheme.rsaPKCS1(#require(group.hash("sha")))
            return try key.isValid(signature: test.hex("sig"), for: .message(test.hex("msg")), scheme)
        }
    }

    @Test(arguments: VectorSet.available, ["2048", "3072", "4096"])
    func `RSA PKCS#1 v1-5 signing is reproduced`(_ vectors: VectorSet, bits: String) throws {
        let file = "Signature/wycheproof/rsa_pkcs1_\(bits)_sig_gen_test.json"
        try run(vectors, file, where: { $0.hash("sha") != nil }, prepare: privateKey) { key, group, test in
            let scheme = try SignatureScheme.rsaPKCS1(#require(group.hash("sha")))
            return try key.sign(.message(test.hex("msg")), scheme) == test.hex("sig")
        }
    }

    static let pssFiles = [
        "2048_sha1_mgf1_20", "2048_sha256_mgf1_0", "2048_sha256_mgf1_32", "2048_sha256_mgf1sha1_20",
        "2048_sha384_mgf1_48", "3072_sha256_mgf1_32", "4096_sha256_mgf1_32", "4096_sha384_mgf1_48",
        "4096_sha512_mgf1_32", "4096_sha512_mgf1_64", "misc",
    ]

    @Test(arguments: VectorSet.available, pssFiles)
    func `RSA-PSS verification takes one salt length only`(_ vectors: VectorSet, file: String) throws {
        func supported(_ group: WycheproofGroup) -> Bool {
            group.hash("sha") != nil && ["2048", "3072", "4096"].contains(group.text("keySize"))
        }
        let path = "Signature/wycheproof/rsa_pss_\(file)_test.json"
        try run(vectors, path, where: supported, prepare: publicKey) { key, group, test in
            let hash = try #require(group.hash("sha"))
            let valid = try key.isValid(signature: test.hex("sig"), for: .message(test.hex("msg")), .rsaPSS(hash))
            let ours = try group.number("sLen") == hash.digestBytes && group.text("mgfSha") == group.text("sha")
            if !ours {
                if test.verdict == .valid { #expect(!valid, "another salt or mask is refused: \(test.place)") }
                return test.verdict == .valid
            }
            return valid
        }
    }

    static let ecdsaFiles = [
        "secp256r1_sha256", "secp256r1_sha512", "secp384r1_sha256", "secp384r1_sha384", "secp384r1_sha512",
        "secp521r1_sha512", "secp256k1_sha256", "secp256k1_sha512",
    ]

    @Test(arguments: VectorSet.available, ecdsaFiles)
    func `ECDSA verification`(_ vectors: VectorSet, file: String) throws {
        try run(vectors, "Signature/wycheproof/ecdsa_\(file)_test.json", prepare: publicKey) { key, group, test in
            let scheme = try SignatureScheme.ecdsa(#require(group.hash("sha")))
            return try key.isValid(signature: test.hex("sig"), for: .message(test.hex("msg")), scheme)
        }
    }

    @Test(arguments: VectorSet.available)
    func `Ed25519 verification`(_ vectors: VectorSet) throws {
        try run(vectors, "Signature/wycheproof/ed25519_test.json", prepare: publicKey) { key, _, test in
            return try key.isValid(signature: test.hex("sig"), for: .message(test.hex("msg")), .ed25519)
        }
    }

    static let agreements: [(String, Curve)] = [
        ("secp256r1", .p256), ("secp384r1", .p384), ("secp521r1", .p521), ("secp256k1", .secp256k1),
    ]

    @Test(arguments: VectorSet.available, agreements)
    func `key agreement refuses points off the curve`(_ vectors: VectorSet, of name: (String, Curve)) throws {
        let (file, curve) = name
        try run(vectors, "Protocol/wycheproof/ecdh_\(file)_test.json", prepare: { _ in () }) { _, _, test in
            let own = try AsymmetricPrivateKey(
                pkcs8: SecretBytes(copying: DER.ecPrivateKey(curve, test.hex("private"))))
            let peer = try AsymmetricPublicKey(subjectPublicKeyInfo: test.hex("public"))
            let shared = try own.sharedSecret(with: peer)
            let same = try shared.withUnsafeBytes { Array($0) } == test.hex("shared")
            // Tolerating an odd encoding is one thing, computing another secret from it would be a fault.
            #expect(same, "\(test.place)")
            return same
        }
    }
}
