import Cryptography

/// Seals a pack's index frames: a sealed envelope (format 1, suite 1, type 9) under a key that the storage key gives for
/// this pack, bound to the frame's place in it.
struct IndexFrameCipher {
    private let packKey: SecretBytes
    private let name: [UInt8]

    init(packID: [UInt8], storageKey: SecretBytes) {
        packKey = Derivation.secret(storageKey, "pack", [packID])
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
