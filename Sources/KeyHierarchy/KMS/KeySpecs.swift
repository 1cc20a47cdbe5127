package import Cryptography

/// What the kinds of KMS key can do.
package enum KeySpecs {
    /// One kind.
    package struct Kind: Sendable {
        /// Usages that it may be created with; the first is the default where there is a default.
        package var usages: [String]
        /// The asymmetric algorithm, if it is asymmetric.
        package var asymmetric: AsymmetricSpec?
        /// The hash of an HMAC key.
        package var hash: HashAlgorithm?
        /// Lengths of HMAC material that may be imported.
        package var importBytes: ClosedRange<Int>?
    }

    package static let kinds: [String: Kind] = [
        "SYMMETRIC_DEFAULT": Kind(usages: ["ENCRYPT_DECRYPT"], importBytes: 32...32),
        "RSA_2048": Kind(usages: ["ENCRYPT_DECRYPT", "SIGN_VERIFY"], asymmetric: .rsa2048),
        "RSA_3072": Kind(usages: ["ENCRYPT_DECRYPT", "SIGN_VERIFY"], asymmetric: .rsa3072),
        "RSA_4096": Kind(usages: ["ENCRYPT_DECRYPT", "SIGN_VERIFY"], asymmetric: .rsa4096),
        "ECC_NIST_P256": Kind(usages: ["SIGN_VERIFY", "KEY_AGREEMENT"], asymmetric: .p256),
        "ECC_NIST_P384": Kind(usages: ["SIGN_VERIFY", "KEY_AGREEMENT"], asymmetric: .p384),
        "ECC_NIST_P521": Kind(usages: ["SIGN_VERIFY", "KEY_AGREEMENT"], asymmetric: .p521),
        "ECC_SECG_P256K1": Kind(usages: ["SIGN_VERIFY"], asymmetric: .secp256k1),
        "ECC_NIST_EDWARDS25519": Kind(usages: ["SIGN_VERIFY"], asymmetric: .ed25519),
        "HMAC_224": Kind(usages: ["GENERATE_VERIFY_MAC"], hash: .sha224, importBytes: 28...64),
        "HMAC_256": Kind(usages: ["GENERATE_VERIFY_MAC"], hash: .sha256, importBytes: 32...64),
        "HMAC_384": Kind(usages: ["GENERATE_VERIFY_MAC"], hash: .sha384, importBytes: 48...128),
        "HMAC_512": Kind(usages: ["GENERATE_VERIFY_MAC"], hash: .sha512, importBytes: 64...128),
    ]

    package static func kind(_ spec: String) throws(KeyError) -> Kind {
        guard let kind = kinds[spec] else {
            throw KeyError(
                .unsupported,
                "KeySpec \(spec) is not supported here; supported are \(kinds.keys.sorted().joined(separator: ", ")).")
        }
        return kind
    }

    package static func encryptionAlgorithms(_ spec: String, _ usage: String) -> [String]? {
        guard usage == "ENCRYPT_DECRYPT" else { return nil }
        return spec == "SYMMETRIC_DEFAULT" ? ["SYMMETRIC_DEFAULT"] : ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
    }

    package static func signingAlgorithms(_ spec: String, _ usage: String) -> [String]? {
        guard usage == "SIGN_VERIFY" else { return nil }
        switch spec {
        case "ECC_NIST_P256", "ECC_SECG_P256K1": return ["ECDSA_SHA_256"]
        case "ECC_NIST_P384": return ["ECDSA_SHA_384"]
        case "ECC_NIST_P521": return ["ECDSA_SHA_512"]
        case "ECC_NIST_EDWARDS25519": return ["ED25519_SHA_512"]
        default:
            return [
                "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
                "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
            ]
        }
    }

    package static func macAlgorithms(_ spec: String) -> [String]? {
        kinds[spec]?.hash.map { ["HMAC_SHA_\($0.digestBytes * 8)"] }
    }

    package static func agreementAlgorithms(_ usage: String) -> [String]? {
        usage == "KEY_AGREEMENT" ? ["ECDH"] : nil
    }

    package static func scheme(_ algorithm: String) -> SignatureScheme? {
        let hashes: [Substring: HashAlgorithm] = ["256": .sha256, "384": .sha384, "512": .sha512]
        guard let hash = hashes[algorithm.suffix(3)] else { return nil }
        if algorithm == "ED25519_SHA_512" { return .ed25519 }
        if algorithm.hasPrefix("RSASSA_PSS_SHA_") { return .rsaPSS(hash) }
        if algorithm.hasPrefix("RSASSA_PKCS1_V1_5_SHA_") { return .rsaPKCS1(hash) }
        return algorithm.hasPrefix("ECDSA_SHA_") ? .ecdsa(hash) : nil
    }

    /// The operations that a grant on such a key may allow.
    package static func grantOperations(_ spec: String, _ usage: String) -> Set<String> {
        let always: Set = ["CreateGrant", "RetireGrant", "DescribeKey"]
        switch usage {
        case "ENCRYPT_DECRYPT" where spec == "SYMMETRIC_DEFAULT":
            return always.union([
                "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey",
                "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
            ])
        case "ENCRYPT_DECRYPT":
            return always.union(["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"])
        case "SIGN_VERIFY": return always.union(["Sign", "Verify", "GetPublicKey"])
        case "KEY_AGREEMENT": return always.union(["DeriveSharedSecret", "GetPublicKey"])
        default: return always.union(["GenerateMac", "VerifyMac"])
        }
    }
}
