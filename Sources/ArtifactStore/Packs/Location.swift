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
    /// What tells two encodings of one content apart without reading them: the CRC-32 of a deflated payload, masked with a
    /// word that only the content's key gives, so that it says nothing about the content. 0: not known, or stored as it is.
    var check: UInt32 = 0

    /// The same with the plain checksum as its check: to compare records of one content in different domains.
    func unmasked(_ ref: Ref, _ domain: RecordDomain) -> Location {
        guard check != 0 else { return self }
        var copy = self
        copy.check ^= RecordCipher.checkMask(key: ref.key, id: ref.id, domain: domain)
        return copy
    }

    /// Whether index entries can hold `check` in the place of the record's length, which follows from the payload's.
    var holdsCheck: Bool {
        check != 0 && Int(recordBytes) == RecordCipher.recordBytes(encodedBytes: Int(encodedBytes))
    }

    /// Length of the record and check, from the field of an index entry that holds either.
    static func lengthAndCheck(_ field: UInt32, isCheck: Bool, encodedBytes: UInt32) -> (UInt32, UInt32) {
        if !isCheck { return (field, 0) }
        return (UInt32(clamping: RecordCipher.recordBytes(encodedBytes: Int(encodedBytes))), field)
    }

    /// The pack number that stands for the database's journal of small commits.
    static let journal = UInt32.max
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
