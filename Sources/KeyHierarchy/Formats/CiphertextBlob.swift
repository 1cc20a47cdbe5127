public import Cryptography

/// CFKB: what `Encrypt` and `GenerateDataKey` return for a symmetric KMS key.
///
/// ```
///  0  4 "CFKB"    4 1 format=1   5 1 suite=1   6 1 flags (bit 0 multi-Region)   7 1 zero
///  8 16 key UUID                  24 16 material reference
/// 40 24 N                         64 32 commitment KC
/// 96  n ciphertext                96+n 16 tag
/// EK‖KC‖IV = X(BK, "kms/encrypt", 76; key UUID, material reference, N, SHA-256(EC))    AAD = bytes[0,96) ‖ EC
/// ```
/// A wrong context, key or version fails the commitment before anything is decrypted.
public struct CiphertextBlob: Sendable {
    /// Bytes that sealing adds.
    public static let overheadBytes = 112
    /// Bytes of the public head.
    static let headBytes = 96

    /// The 16 bytes of the key's ID.
    public let keyUUID: [UInt8]
    /// Whether the key ID has the form `mrk-…`.
    public let isMultiRegion: Bool
    /// The first 16 bytes of the material's ID.
    public let materialReference: [UInt8]
    private let nonce: [UInt8]
    private let commitment: [UInt8]
    private let bytes: [UInt8]

    /// The key ID in text.
    public var keyID: String { isMultiRegion ? "mrk-" + Hex.encode(keyUUID) : Hex.uuidText(keyUUID) }

    /// Reads the head of a blob without opening it.
    public init(parsing bytes: [UInt8]) throws(KeyFormatError) {
        var reader = ByteReader(bytes, "CFKB")
        try reader.expect("CFKB")
        try reader.expect(1, "format")
        try reader.expect(1, "suite")
        let flags = try reader.byte()
        guard flags <= 1 else { throw KeyFormatError("CFKB", "its flags are not known") }
        try reader.expect(0, "reserved byte")
        isMultiRegion = flags == 1
        keyUUID = try reader.take(16)
        materialReference = try reader.take(16)
        nonce = try reader.take(24)
        commitment = try reader.take(32)
        guard reader.remaining >= AES256GCM.tagBytes else { throw KeyFormatError("CFKB", "it is truncated") }
        self.bytes = bytes
    }

    /// `KeyMaterialId` of a backing key: stable across Regions and re-import, useless for testing guesses.
    public static func materialID(of backingKey: SecretBytes, keyUUID: [UInt8]) -> [UInt8] {
        Derivation.expand(backingKey, "kms/material-id", 32, keyUUID).disclosing()
    }

    /// Seals `plaintext` under a backing key. `context` is the canonical encryption context.
    public static func seal(
        _ plaintext: UnsafeRawBufferPointer, under backingKey: SecretBytes, keyUUID: [UInt8], isMultiRegion: Bool,
        materialReference: [UInt8], context: [UInt8], nonce: [UInt8] = SecureRandom.bytes(24)
    ) throws -> [UInt8] {
        let keys = derive(backingKey, keyUUID, materialReference, nonce, context)
        var writer = ByteWriter()
        writer.append("CFKB")
        writer.append([1, 1, isMultiRegion ? 1 : 0, 0])
        writer.append(keyUUID)
        writer.append(materialReference)
        writer.append(nonce)
        writer.append(keys.withUnsafeBytes { Array($0[32..<64]) })
        let body = try AES256GCM.seal(
            key: keys.slice(0..<32), nonce: keys.withUnsafeBytes { Array($0[64..<76]) },
            additionalData: writer.bytes + context, plaintext)
        return writer.bytes + body
    }

    /// Opens the blob. Throws `KeyFormatError` for a wrong key, material or context.
    public func open(under backingKey: SecretBytes, context: [UInt8]) throws -> SecretBytes {
        let keys = Self.derive(backingKey, keyUUID, materialReference, nonce, context)
        guard keys.withUnsafeBytes({ derived in constantTimeEqual(Array(derived[32..<64]), commitment) }) else {
            throw KeyFormatError("CFKB", "it was made under another key or with another encryption context")
        }
        do {
            return try bytes[Self.headBytes...].withUnsafeBytes {
                try AES256GCM.open(
                    key: keys.slice(0..<32), nonce: keys.withUnsafeBytes { Array($0[64..<76]) },
                    additionalData: bytes[..<Self.headBytes] + context, $0)
            }
        } catch CryptographyError.authenticationFailed {
            throw KeyFormatError("CFKB", "its bytes were altered")
        }
    }

    private static func derive(
        _ backingKey: SecretBytes, _ keyUUID: [UInt8], _ materialReference: [UInt8], _ nonce: [UInt8],
        _ context: [UInt8]
    ) -> SecretBytes {
        Derivation.expand(
            backingKey, "kms/encrypt", 76, keyUUID, materialReference, nonce, SHA256.digest(context).bytes)
    }
}
