import Cryptography
import Foundation

/// One way to open the root key.
struct RootSlot: Sendable {
    /// How the key-encryption key is obtained.
    enum Kind: Sendable, Equatable {
        /// 32 random bytes in a file of this path.
        case file(path: String)
        /// scrypt of a passphrase.
        case passphrase(ScryptParameters)
        /// Base64 of 32 bytes in an environment variable, for development.
        case environment(variable: String)

        var name: String {
            switch self {
            case .file: "file"
            case .passphrase: "passphrase"
            case .environment: "env"
            }
        }
    }

    let label: String
    let kind: Kind
    let sealedRoot: [UInt8]

    static func sealName(instance: [UInt8], generation: UInt32, kind: String, label: String) -> String {
        "root/\(Hex.encode(instance))/\(generation)/\(kind)/\(label)"
    }

    /// Seals the root key into a new slot.
    init(
        label: String, kind: Kind, keyEncryptionKey: SecretBytes, root: SecretBytes, instance: [UInt8],
        generation: UInt32
    ) throws {
        self.label = label
        self.kind = kind
        sealedRoot = try SealedEnvelope.seal(
            root, under: keyEncryptionKey, keyVersion: 0, type: .root,
            name: Self.sealName(instance: instance, generation: generation, kind: kind.name, label: label))
    }

    /// Opens the slot. Throws `KeyFormatError` when the key is not this slot's.
    func open(_ keyEncryptionKey: SecretBytes, instance: [UInt8], generation: UInt32) throws -> SecretBytes {
        try SealedEnvelope.open(
            sealedRoot, under: keyEncryptionKey, type: .root,
            name: Self.sealName(instance: instance, generation: generation, kind: kind.name, label: label))
    }

    // Format: LP(type) ‖ LP(label) ‖ LP(params) ‖ LP(CFSE)

    func encode(into writer: inout ByteWriter) {
        writer.appendPrefixed(Array(kind.name.utf8))
        writer.appendPrefixed(Array(label.utf8))
        switch kind {
        case .file(let path): writer.appendPrefixed(Array(path.utf8))
        case .environment(let variable): writer.appendPrefixed(Array(variable.utf8))
        case .passphrase(let parameters): writer.appendPrefixed(parameters.encoded)
        }
        writer.appendPrefixed(sealedRoot)
    }

    init(from reader: inout ByteReader) throws(KeyFormatError) {
        let type = String(decoding: try reader.prefixed(), as: UTF8.self)
        label = String(decoding: try reader.prefixed(), as: UTF8.self)
        let parameters = try reader.prefixed()
        switch type {
        case "file": kind = .file(path: String(decoding: parameters, as: UTF8.self))
        case "env": kind = .environment(variable: String(decoding: parameters, as: UTF8.self))
        case "passphrase": kind = .passphrase(try ScryptParameters(parameters))
        default: throw KeyFormatError("CFRS", "the slot type \(type) is not known to this version")
        }
        sealedRoot = try reader.prefixed()
    }
}

/// The cost of turning a passphrase into a key.
struct ScryptParameters: Sendable, Equatable {
    let salt: [UInt8]
    let cost: UInt64
    let blockSize: UInt32
    let parallelism: UInt32

    /// The least N that a new slot may have.
    static let costMin: UInt64 = 1 << 15
    /// N for passphrases that people choose.
    static let costDefault: UInt64 = 1 << 17

    init(cost: UInt64) {
        salt = SecureRandom.bytes(16)
        self.cost = cost
        blockSize = 8
        parallelism = 1
    }

    var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.append(1 as UInt8)  // 1 = scrypt; 2 is reserved for Argon2id
        writer.append(salt)
        writer.append(cost)
        writer.append(blockSize)
        writer.append(parallelism)
        return writer.bytes
    }

    init(_ bytes: [UInt8]) throws(KeyFormatError) {
        var reader = ByteReader(bytes, "CFRS")
        try reader.expect(1, "key derivation function")
        salt = try reader.take(16)
        cost = try reader.uint64()
        blockSize = try reader.uint32()
        parallelism = try reader.uint32()
        try reader.end()
    }

    /// The key of a passphrase: NFC, UTF-8, scrypt.
    func derive(_ passphrase: String) throws -> SecretBytes {
        let bytes = SecretBytes(consuming: Array(passphrase.precomposedStringWithCanonicalMapping.utf8))
        return try Scrypt.derive(
            passphrase: bytes, salt: salt, cost: cost, blockSize: UInt64(blockSize), parallelism: UInt64(parallelism),
            count: 32)
    }
}
