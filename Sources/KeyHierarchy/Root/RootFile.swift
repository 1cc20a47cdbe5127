import Cryptography

/// `root.cfrs`: the slots that open the root key.
///
/// ```
/// "CFRS"  u8 format=1  u8 suite=1  16 instance ID  u32 generation
/// u32 slot count, slots: LP(type) ‖ LP(label) ‖ LP(params) ‖ LP(CFSE of the root key)
/// LP(carried): empty, or during rotation u32 previous generation ‖ CFSE of the previous root under this one
/// 32 HMAC-SHA-256 of all before, under X(RK, "root/mac", 32; instance, generation)
/// ```
/// The code stops removal or insertion of slots and weakened parameters.
struct RootFile: Sendable {
    let instance: [UInt8]
    let generation: UInt32
    var slots: [RootSlot]
    /// The previous root key while a rotation's re-wrapping may be unfinished.
    var carried: (generation: UInt32, sealed: [UInt8])?

    static func carriedName(instance: [UInt8], generation: UInt32) -> String {
        "root/\(Hex.encode(instance))/\(generation)/carried"
    }

    private var body: [UInt8] {
        var writer = ByteWriter()
        writer.append("CFRS")
        writer.append([1, 1])
        writer.append(instance)
        writer.append(generation)
        writer.append(UInt32(slots.count))
        for slot in slots { slot.encode(into: &writer) }
        var extra = ByteWriter()
        if let carried {
            extra.append(carried.generation)
            extra.append(carried.sealed)
        }
        writer.appendPrefixed(extra.bytes)
        return writer.bytes
    }

    private func code(over body: [UInt8], root: SecretBytes) -> [UInt8] {
        var fields = ByteWriter()
        fields.append(generation)
        let key = Derivation.expand(root, "root/mac", 32, instance, fields.bytes)
        return HMACSHA256.code(key: key, body).bytes
    }

    /// The file's bytes, authenticated under the root key.
    func encode(root: SecretBytes) -> [UInt8] {
        let body = body
        return body + code(over: body, root: root)
    }

    init(instance: [UInt8], generation: UInt32, slots: [RootSlot]) {
        self.instance = instance
        self.generation = generation
        self.slots = slots
    }

    /// Reads the file's structure; call `verify` as soon as the root key is known.
    init(decoding bytes: [UInt8]) throws(KeyFormatError) {
        var reader = ByteReader(bytes, "CFRS")
        try reader.expect("CFRS")
        try reader.expect(1, "format")
        try reader.expect(1, "suite")
        instance = try reader.take(16)
        generation = try reader.uint32()
        let count = try reader.uint32()
        guard (1...64).contains(count) else { throw KeyFormatError("CFRS", "it has \(count) slots") }
        slots = []
        for _ in 0..<count { slots.append(try RootSlot(from: &reader)) }
        let extra = try reader.prefixed()
        if !extra.isEmpty {
            var inner = ByteReader(extra, "CFRS")
            carried = (try inner.uint32(), try inner.take(inner.remaining))
        }
        _ = try reader.take(32)
        try reader.end()
    }

    /// Checks the authentication code of the bytes that this value was read from.
    func verify(_ bytes: [UInt8], root: SecretBytes) throws(RootError) {
        guard constantTimeEqual(code(over: Array(bytes.dropLast(32)), root: root), Array(bytes.suffix(32))) else {
            throw .altered
        }
    }
}
