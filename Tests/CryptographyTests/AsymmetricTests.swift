import Testing

@testable import Cryptography

@Suite struct AsymmetricTests {
    @Test(arguments: AsymmetricSpec.allCases)
    func `a key survives its encodings and signs for its public half`(_ spec: AsymmetricSpec) throws {
        let key = try AsymmetricPrivateKey.generate(spec)
        let reread = try AsymmetricPrivateKey(pkcs8: key.pkcs8())
        #expect(reread.spec == spec)
        #expect(try reread.subjectPublicKeyInfo() == key.subjectPublicKeyInfo())
        let schemes: [SignatureScheme] =
            spec.isRSA
            ? [.rsaPSS(.sha256), .rsaPSS(.sha512), .rsaPKCS1(.sha384)]
            : spec == .ed25519 ? [.ed25519] : [.ecdsa(.sha256), .ecdsa(.sha512)]
        let message = Array("artifact".utf8)
        for scheme in schemes {
            let signature = try reread.sign(.message(message), scheme)
            let publicKey = try key.publicKey()
            #expect(try publicKey.isValid(signature: signature, for: .message(message), scheme))
            #expect(try !publicKey.isValid(signature: signature, for: .message(message + [0]), scheme))
            var flipped = signature
            flipped[flipped.count / 2] ^= 1
            #expect(try !publicKey.isValid(signature: flipped, for: .message(message), scheme))
            if let hash = scheme.hash {
                #expect(try publicKey.isValid(signature: signature, for: .digest(hash.digest(message)), scheme))
                #expect(throws: CryptographyError.self) { try key.sign(.digest([1, 2, 3]), scheme) }
            }
        }
    }

    @Test func `Ed25519 signs the vectors of RFC 8032 section 7-1`() throws {
        // PKCS#8 prefix for an Ed25519 seed (RFC 8410 §7), then the seed of TEST 2.
        let seed = try #require(Hex.decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
        let prefix = try #require(Hex.decode("302e020100300506032b657004220420"))
        let key = try AsymmetricPrivateKey(pkcs8: SecretBytes(copying: prefix + seed))
        let signature = try key.sign(.message([0x72]), .ed25519)
        #expect(
            Hex.encode(signature) == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    }

    @Test(arguments: [HashAlgorithm.sha1, .sha256])
    func `OAEP opens what it sealed and nothing else`(_ hash: HashAlgorithm) throws {
        let key = try AsymmetricPrivateKey.generate(.rsa2048)
        let publicKey = try key.publicKey()
        let plaintext = SecretBytes(copying: [UInt8](repeating: 7, count: publicKey.oaepBytesMax(hash: hash)))
        var ciphertext = try publicKey.encryptOAEP(plaintext, hash: hash)
        let opened = try key.decryptOAEP(ciphertext, hash: hash)
        #expect(constantTimeEqual(opened, plaintext))
        ciphertext[9] ^= 1
        #expect(throws: CryptographyError.authenticationFailed) { try key.decryptOAEP(ciphertext, hash: hash) }
        #expect(throws: CryptographyError.authenticationFailed) { try key.decryptOAEP([1, 2, 3], hash: hash) }
    }

    @Test(arguments: [AsymmetricSpec.p256, .p384, .p521])
    func `both sides of a key agreement get the same secret`(_ spec: AsymmetricSpec) throws {
        let one = try AsymmetricPrivateKey.generate(spec)
        let two = try AsymmetricPrivateKey.generate(spec)
        let left = try one.sharedSecret(with: two.publicKey())
        let right = try two.sharedSecret(with: one.publicKey())
        #expect(constantTimeEqual(left, right))
        let foreign = try AsymmetricPrivateKey.generate(.secp256k1).publicKey()
        #expect(throws: CryptographyError.self) { try one.sharedSecret(with: foreign) }
    }

    @Test func `padded key wrap refuses what was altered`() throws {
        let key = SecretBytes(copying: [UInt8](0..<32))
        for count in [1, 7, 8, 20, 32, 1200] {
            let material = SecretBytes.random(count: count)
            var wrapped = try AESKeyWrapPadded.wrap(material, under: key)
            #expect(wrapped.count == (count + 7) / 8 * 8 + 8)
            #expect(try constantTimeEqual(AESKeyWrapPadded.unwrap(wrapped, under: key), material))
            wrapped[wrapped.count - 1] ^= 0x80
            #expect(throws: CryptographyError.authenticationFailed) { try AESKeyWrapPadded.unwrap(wrapped, under: key) }
        }
    }

    @Test func `garbage, trailing bytes and foreign curves are refused`() throws {
        let key = try AsymmetricPrivateKey.generate(.p256)
        let encoded = try key.subjectPublicKeyInfo()
        #expect(throws: CryptographyError.self) { try AsymmetricPublicKey(subjectPublicKeyInfo: encoded + [0]) }
        #expect(throws: CryptographyError.self) {
            try AsymmetricPublicKey(subjectPublicKeyInfo: Array(encoded.dropLast()))
        }
        #expect(throws: CryptographyError.self) { try AsymmetricPublicKey(subjectPublicKeyInfo: []) }
        var offCurve = encoded
        offCurve[offCurve.count - 1] ^= 1
        #expect(throws: CryptographyError.self) { try AsymmetricPublicKey(subjectPublicKeyInfo: offCurve) }
        #expect(throws: CryptographyError.self) { try key.sign(.message([1]), .rsaPSS(.sha256)) }
    }
}
