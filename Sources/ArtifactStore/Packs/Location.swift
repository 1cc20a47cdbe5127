/// Where a record is and what a reader must know before reading it.
struct Location: Hashable, Sendable {
    /// The pack's number; `journal` for records that are still in the database.
    var pack: UInt32
    /// Byte offset of the record in the pack.
    var offset: UInt32
    /// Length of the record, padding and tag included.
    var recordBytes: UInt32
    /// Length of the plaintext.
    var plainBytes: UInt32
    /// Length of the encoded payload, without padding.
    var encodedBytes: UInt32
    /// Position among the pack's records.
    var ordinal: UInt32
    var kind: RecordKind
    var codec: RecordCodec

    /// The pack number that stands for the database's journal of small commits.
    static let journal = UInt32.max

    /// Length in the index and in the packs' index frames.
    static let packedFlagsShift: UInt32 = 24
}

/// How a record's payload is encoded.
enum RecordCodec: UInt8, Sendable {
    /// As it is.
    case stored = 0
    /// Raw deflate ended by a full flush.
    case deflate = 1
}

/// What a pack holds.
enum PackClass: UInt8, Sendable, CaseIterable {
    /// Chunks.
    case data = 1
    /// Trees and nodes.
    case meta = 2
}
