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
        guard bytes.count >= Self.overheadBytes else { throw KeyFormatError("CFKB", "it is truncated") }
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
        guard keyUUID.count == 16, materialReference.count == 16, nonce.count == 24 else {
            throw KeyFormatError("CFKB", "its key, material or nonce does not have the length of the format")
        }
        return try [UInt8](unsafeUninitializedCapacity: plaintext.count + overheadBytes) { buffer, initialized in
            let blob = UnsafeMutableRawBufferPointer(buffer)
            var head = ByteCursor(blob)
            head.append("CFKB")
            head.append(1)
            head.append(1)
            head.append(isMultiRegion ? 1 : 0)
            head.append(0)
            head.append(keyUUID)
            head.append(materialReference)
            head.append(nonce)
            let derived = derive(backingKey, head.written, context)
            try derived.withUnsafeBytes { derived in
                head.append(UnsafeRawBufferPointer(rebasing: derived[32..<64]))
                try withAssociated(head.written, context) {
                    try AES256GCM.seal(
                        key: UnsafeRawBufferPointer(rebasing: derived[..<32]),
                        nonce: UnsafeRawBufferPointer(rebasing: derived[64..<76]), additionalData: $0, plaintext,
                        into: UnsafeMutableRawBufferPointer(
                            rebasing: blob[headBytes..<(plaintext.count + overheadBytes)]))
                }
            }
            initialized = plaintext.count + overheadBytes
        }
    }

    /// Opens the blob. Throws `KeyFormatError` for a wrong key, material or context.
    public func open(under backingKey: SecretBytes, context: [UInt8]) throws -> SecretBytes {
        try bytes.withUnsafeBytes { blob in
            let derived = Self.derive(backingKey, UnsafeRawBufferPointer(rebasing: blob[..<64]), context)
            return try derived.withUnsafeBytes { derived in
                guard
                    constantTimeEqual(
                        UnsafeRawBufferPointer(rebasing: derived[32..<64]),
                        UnsafeRawBufferPointer(rebasing: blob[64..<Self.headBytes]))
                else {
                    throw KeyFormatError("CFKB", "it was made under another key or with another encryption context")
                }
                do {
                    return try Self.withAssociated(UnsafeRawBufferPointer(rebasing: blob[..<Self.headBytes]), context) {
                        try AES256GCM.open(
                            key: UnsafeRawBufferPointer(rebasing: derived[..<32]),
                            nonce: UnsafeRawBufferPointer(rebasing: derived[64..<76]), additionalData: $0,
                            UnsafeRawBufferPointer(rebasing: blob[Self.headBytes...]))
                    }
                } catch CryptographyError.authenticationFailed {
                    throw KeyFormatError("CFKB", "its bytes were altered")
                }
            }
        }
    }

    /// EK‖KC‖IV for a blob whose first 64 bytes, up to and with N, are given.
    private static func derive(_ backingKey: SecretBytes, _ head: UnsafeRawBufferPointer, _ context: [UInt8])
        -> SecretBytes
    {
        let digest = SHA256.digest(context)
        // The longest is "coffer/1/kms/encrypt\0" and four fields with their lengths: 125 bytes.
        return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 16) { memory in
            var info = ByteCursor(memory)
            info.append("coffer/1/kms/encrypt")
            info.append(0)
            info.appendPrefixed(UnsafeRawBufferPointer(rebasing: head[8..<24]))
            info.appendPrefixed(UnsafeRawBufferPointer(rebasing: head[24..<40]))
            info.appendPrefixed(UnsafeRawBufferPointer(rebasing: head[40..<64]))
            digest.withUnsafeBytes { info.appendPrefixed($0) }
            return Derivation.expand(backingKey, info: info.written, 76)
        }
    }

    /// The head and the context as one piece.
    private static func withAssociated<R>(
        _ head: UnsafeRawBufferPointer, _ context: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> R
    ) rethrows -> R {
        try withUnsafeTemporaryAllocation(byteCount: head.count + context.count, alignment: 16) { memory in
            var associated = ByteCursor(memory)
            associated.append(head)
            associated.append(context)
            return try body(associated.written)
        }
    }
}
