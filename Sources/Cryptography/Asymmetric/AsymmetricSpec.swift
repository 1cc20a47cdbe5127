import COpenSSL

/// The kinds of asymmetric key that libcrypto 3.0 makes and uses.
public enum AsymmetricSpec: Sendable, Hashable, CaseIterable {
    case rsa2048, rsa3072, rsa4096
    case p256, p384, p521, secp256k1
    case ed25519

    /// Whether keys of this kind are RSA keys.
    public var isRSA: Bool { rsaBits != nil }

    /// Whether keys of this kind lie on a curve that ECDSA and ECDH use.
    public var isECDSA: Bool { groupName != nil }

    /// Modulus length of an RSA kind, in bits.
    var rsaBits: Int32? {
        switch self {
        case .rsa2048: 2048
        case .rsa3072: 3072
        case .rsa4096: 4096
        default: nil
        }
    }

    /// libcrypto's name of the curve of an elliptic-curve kind.
    var groupName: String? {
        switch self {
        case .p256: "prime256v1"
        case .p384: "secp384r1"
        case .p521: "secp521r1"
        case .secp256k1: "secp256k1"
        default: nil
        }
    }

    /// The name under which libcrypto finds the algorithm.
    var algorithmName: String {
        if isRSA { return "RSA" }
        return self == .ed25519 ? "ED25519" : "EC"
    }
}

/// How a signature is made.
public enum SignatureScheme: Sendable, Hashable {
    /// RSASSA-PSS (RFC 8017 §8.1) with a salt as long as the digest.
    case rsaPSS(HashAlgorithm)
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    case rsaPKCS1(HashAlgorithm)
    /// ECDSA, DER-encoded (RFC 3279 §2.2.3).
    case ecdsa(HashAlgorithm)
    /// Pure Ed25519 (RFC 8032 §5.1): signs the message itself.
    case ed25519

    /// The hash applied to the message, or nil where the scheme signs the message itself.
    public var hash: HashAlgorithm? {
        switch self {
        case .rsaPSS(let hash), .rsaPKCS1(let hash), .ecdsa(let hash): hash
        case .ed25519: nil
        }
    }

    /// Whether keys of a kind can make this signature.
    public func suits(_ spec: AsymmetricSpec) -> Bool {
        switch self {
        case .rsaPSS, .rsaPKCS1: spec.isRSA
        case .ecdsa: spec.isECDSA
        case .ed25519: spec == .ed25519
        }
    }
}

/// What is signed: the message, which is hashed here, or its digest, which the caller computed.
public enum SignedInput: Sendable {
    case message([UInt8])
    /// A message that is nobody else's business.
    case secret(SecretBytes)
    case digest([UInt8])
}
