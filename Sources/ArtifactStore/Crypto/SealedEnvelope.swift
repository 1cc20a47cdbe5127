import Cryptography

/// The sealed envelope: `"CFSE"`, format 1, suite 1, type, flags 0, u32 version of the wrapping key, 32 bytes of salt,
/// 32 bytes of commitment, u32 length, ciphertext, tag. Integers are big-endian. Key, commitment and nonce derive from the
/// wrapping key with type, name and salt, so an envelope opens only as what it was sealed as.
enum SealedEnvelope {
    enum Kind: UInt8, Sendable {
        case packFooter = 9
        case reachability = 10
        case summary = 12
        case packKey = 13
        case statement = 14
        case commit = 16
        case upload = 17
    }

    static let headerBytes = 80
    private static let magic: [UInt8] = Array("CFSE".utf8)

    static func seal(
        _ plaintext: [UInt8], type: Kind, version: UInt32, key: SecretBytes, name: [UInt8]
    ) throws -> [UInt8] {
        try plaintext.withUnsafeBytes { try seal($0, type: type, version: version, key: key, name: name) }
    }

    static func seal(
        _ plaintext: UnsafeRawBufferPointer, type: Kind, version: UInt32, key: SecretBytes, name: [UInt8]
    ) throws -> [UInt8] {
        var header = magic + [1, 1, type.rawValue, 0]
        header.appendBig(version)
        let salt = SecureRandom.bytes(32)
        header += salt
        let material = Derivation.secret(key, "seal", [[type.rawValue], name, salt], count: 76)
        material.slice(32..<64).withUnsafeBytes { header.append(contentsOf: $0) }
        header.appendBig(UInt32(plaintext.count))
        return header
            + (try AES256GCM.seal(
                key: material.slice(0..<32), nonce: nonce(material), additionalData: additional(header, name),
                plaintext))
    }

    static func version(of sealed: [UInt8]) throws -> UInt32 {
        guard sealed.count >= headerBytes else { throw FormatError("a sealed part ends early") }
        return sealed.withUnsafeBytes { $0.big32(at: 8) }
    }

    static func open(_ sealed: [UInt8], type: Kind, key: SecretBytes, name: [UInt8]) throws -> [UInt8] {
        try openSecret(sealed, type: type, key: key, name: name).disclosing()
    }

    static func openSecret(_ sealed: [UInt8], type: Kind, key: SecretBytes, name: [UInt8]) throws -> SecretBytes {
        guard sealed.count >= headerBytes + AES256GCM.tagBytes,
            Array(sealed[0..<8]) == magic + [1, 1, type.rawValue, 0]
        else { throw FormatError("a sealed part is not what it should be") }
        let count = sealed.withUnsafeBytes { Int($0.big32(at: 76)) }
        guard sealed.count == headerBytes + count + AES256GCM.tagBytes else {
            throw FormatError("a sealed part has the wrong length")
        }
        let material = Derivation.secret(key, "seal", [[type.rawValue], name, Array(sealed[12..<44])], count: 76)
        let commitment = material.disclosing(32..<64)
        guard constantTimeEqual(commitment, Array(sealed[44..<76])) else {
            throw FormatError("a sealed part was changed or belongs elsewhere")
        }
        do {
            return try sealed.withUnsafeBytes { bytes in
                try AES256GCM.open(
                    key: material.slice(0..<32), nonce: nonce(material),
                    additionalData: additional(Array(bytes[0..<headerBytes]), name),
                    UnsafeRawBufferPointer(rebasing: bytes[headerBytes...]))
            }
        } catch {
            throw FormatError("a sealed part was changed")
        }
    }

    private static func nonce(_ material: SecretBytes) -> [UInt8] {
        material.disclosing(64..<76)
    }

    private static func additional(_ header: [UInt8], _ name: [UInt8]) -> [UInt8] {
        var data = header
        data.appendBig(UInt32(name.count))
        return data + name
    }
}
