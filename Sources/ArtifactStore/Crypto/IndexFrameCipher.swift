import Cryptography

/// Seals a pack's index frames: a sealed envelope (format 1, suite 1, type 9) under a key that the storage key gives for
/// this pack, bound to the frame's place in it.
struct IndexFrameCipher {
    private let packKey: SecretBytes
    private let name: [UInt8]

    init(packID: [UInt8], storageKey: SecretBytes) {
        self.init(packID: packID, packKey: PackKey.derive(pack: packID, key: storageKey))
    }

    init(packID: [UInt8], packKey: SecretBytes) {
        self.packKey = packKey
        name = Array("pack/".utf8) + packID
    }

    private func name(at offset: Int) -> [UInt8] {
        var full = name + Array("/".utf8)
        full.appendBig(UInt64(offset))
        return full
    }

    func seal(_ plaintext: [UInt8], version: UInt32, offset: Int) throws -> [UInt8] {
        try SealedEnvelope.seal(plaintext, type: .packFooter, version: version, key: packKey, name: name(at: offset))
    }

    func open(_ sealed: [UInt8], offset: Int) throws -> [UInt8] {
        try SealedEnvelope.open(sealed, type: .packFooter, key: packKey, name: name(at: offset))
    }
}

/// The key of a pack's index frames: X(storage key, "pack", 32; pack id). It never changes, since packs do not; when the
/// storage key rotates it is sealed under the new one, which takes a row and not the rewriting of the pack.
enum PackKey {
    static func derive(pack: [UInt8], key: SecretBytes) -> SecretBytes { Derivation.secret(key, "pack", [pack]) }

    private static func name(_ pack: [UInt8]) -> [UInt8] { Array("pack-key/".utf8) + pack }

    static func seal(_ packKey: SecretBytes, pack: [UInt8], key: (version: UInt32, key: SecretBytes)) throws -> [UInt8]
    {
        try packKey.withUnsafeBytes {
            try SealedEnvelope.seal($0, type: .packKey, version: key.version, key: key.key, name: name(pack))
        }
    }

    static func open(_ sealed: [UInt8], pack: [UInt8], key: SecretBytes) throws -> SecretBytes {
        try SealedEnvelope.openSecret(sealed, type: .packKey, key: key, name: name(pack))
    }
}
