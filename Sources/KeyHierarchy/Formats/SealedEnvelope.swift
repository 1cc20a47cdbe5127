public import Cryptography

/// CFSE: a secret sealed under a wrapping key, committing to the key and to its own name and type.
///
/// ```
///  0  4 "CFSE"        4 1 format=1     5 1 suite=1     6 1 object type    7 1 flags=0
///  8  4 wrapping-key version           12 32 salt
/// 44 32 commitment KC                  76 4 ciphertext length n
/// 80  n ciphertext                     80+n 16 tag
/// EK‖KC‖IV = X(WK, "seal", 76; type, name, salt)      AAD = bytes[0,80) ‖ LP(name)
/// ```
/// Each sealing derives a key of its own from a fresh 32-byte salt, so that wrapping keys never meet a short nonce.
public enum SealedEnvelope {
    /// What is inside; part of the derivation.
    public enum ObjectType: UInt8, Sendable {
        case root = 1
        case domainKey = 2
        case backingKey = 3
        case privateBackingKey = 4
        case serviceSecret = 5
        case importKey = 6
        case signingKey = 7
        case storageKey = 8
        case packFooter = 9
        case reachabilityList = 10
        case storeWrappedDataKey = 11
        case instanceKey = 12
        case highWaterMark = 15
    }

    /// Bytes that sealing adds.
    public static let overheadBytes = 96
    private static let headerBytes = 80

    /// Seals `plaintext` under `key`. `name` is the object's canonical identity and must be given again to open it.
    public static func seal(
        _ plaintext: UnsafeRawBufferPointer, under key: SecretBytes, keyVersion: UInt32, type: ObjectType, name: String
    ) throws -> [UInt8] {
        try seal(plaintext, under: key, keyVersion: keyVersion, type: type, name: name, salt: SecureRandom.bytes(32))
    }

    /// Seals a secret under `key`.
    public static func seal(
        _ plaintext: SecretBytes, under key: SecretBytes, keyVersion: UInt32, type: ObjectType, name: String
    ) throws -> [UInt8] {
        try plaintext.withUnsafeBytes { try seal($0, under: key, keyVersion: keyVersion, type: type, name: name) }
    }

    static func seal(
        _ plaintext: UnsafeRawBufferPointer, under key: SecretBytes, keyVersion: UInt32, type: ObjectType, name: String,
        salt: [UInt8]
    ) throws -> [UInt8] {
        let keys = Derivation.expand(key, "seal", 76, [type.rawValue], Array(name.utf8), salt)
        var writer = ByteWriter()
        writer.append("CFSE")
        writer.append([1, 1, type.rawValue, 0])
        writer.append(keyVersion)
        writer.append(salt)
        writer.append(keys.withUnsafeBytes { Array($0[32..<64]) })
        writer.append(UInt32(plaintext.count))
        var associated = writer
        associated.appendPrefixed(Array(name.utf8))
        let nonce = keys.withUnsafeBytes { Array($0[64..<76]) }
        writer.append(
            try AES256GCM.seal(key: keys.slice(0..<32), nonce: nonce, additionalData: associated.bytes, plaintext))
        return writer.bytes
    }

    /// The version of the wrapping key that an envelope asks for.
    public static func keyVersion(of envelope: [UInt8]) throws(KeyFormatError) -> UInt32 {
        var reader = ByteReader(envelope, "CFSE")
        try reader.expect("CFSE")
        _ = try reader.take(4)
        return try reader.uint32()
    }

    /// Opens an envelope. Throws `KeyFormatError` when it is malformed, of another type, or sealed under another key or name.
    public static func open(
        _ envelope: [UInt8], under key: SecretBytes, type: ObjectType, name: String
    ) throws -> SecretBytes {
        var reader = ByteReader(envelope, "CFSE")
        try reader.expect("CFSE")
        try reader.expect(1, "format")
        try reader.expect(1, "suite")
        try reader.expect(type.rawValue, "object type")
        try reader.expect(0, "flags field")
        _ = try reader.uint32()
        let salt = try reader.take(32)
        let commitment = try reader.take(32)
        let count = try reader.uint32()
        guard reader.remaining == Int(count) + 16 else { throw KeyFormatError("CFSE", "its length does not add up") }
        let keys = Derivation.expand(key, "seal", 76, [type.rawValue], Array(name.utf8), salt)
        guard keys.withUnsafeBytes({ derived in constantTimeEqual(Array(derived[32..<64]), commitment) }) else {
            throw KeyFormatError("CFSE", "it is sealed under another key or for another name")
        }
        var associated = ByteWriter(bytes: Array(envelope[..<headerBytes]))
        associated.appendPrefixed(Array(name.utf8))
        let nonce = keys.withUnsafeBytes { Array($0[64..<76]) }
        do {
            return try envelope[headerBytes...].withUnsafeBytes {
                try AES256GCM.open(key: keys.slice(0..<32), nonce: nonce, additionalData: associated.bytes, $0)
            }
        } catch CryptographyError.authenticationFailed {
            throw KeyFormatError("CFSE", "its bytes were altered")
        }
    }
}
