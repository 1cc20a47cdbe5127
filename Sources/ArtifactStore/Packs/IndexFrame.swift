/// What one record of a pack is, as the pack's sealed index frames say it.
struct PackEntry: Sendable, Hashable {
    var id: RecordID
    var location: Location
    /// The keyed ids that a tree or node refers to, so that collection needs no customer key.
    var reach: [RecordID]
}

/// A batch of a pack's entries, sealed under the storage key and appended at every commit; each names the one before it.
struct IndexFrame: Sendable {
    var previousOffset: UInt32
    var previousBytes: UInt32
    var entries: [PackEntry]

    private static let headerBytes = 16
    private static let entryBytes = 40
    /// Among an entry's flags: the check of the payload takes the place of the record's length.
    private static let checkFlag: UInt32 = 1 << 16

    func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerBytes + entries.count * Self.entryBytes)
        bytes.appendLittle(previousOffset)
        bytes.appendLittle(previousBytes)
        bytes.appendLittle(UInt32(entries.count))
        bytes.appendLittle(entries.first?.location.ordinal ?? 0)
        for entry in entries {
            bytes += entry.id.bytes
            bytes.appendLittle(entry.location.offset)
            let holdsCheck = entry.location.holdsCheck
            bytes.appendLittle(holdsCheck ? entry.location.check : entry.location.recordBytes)
            bytes.appendLittle(entry.location.plainBytes)
            bytes.appendLittle(entry.location.encodedBytes)
            bytes.appendLittle(
                UInt32(entry.location.kind.rawValue) | UInt32(entry.location.codec.rawValue) << 8
                    | (holdsCheck ? Self.checkFlag : 0))
            bytes.appendLittle(UInt32(entry.reach.count))
            for id in entry.reach { bytes += id.bytes }
        }
        return bytes
    }

    init(previousOffset: UInt32, previousBytes: UInt32, entries: [PackEntry]) {
        self.previousOffset = previousOffset
        self.previousBytes = previousBytes
        self.entries = entries
    }

    init(decoding bytes: [UInt8], pack: UInt32) throws {
        guard bytes.count >= Self.headerBytes else { throw FormatError("an index frame ends early") }
        previousOffset = bytes.little32(at: 0)
        previousBytes = bytes.little32(at: 4)
        let count = Int(bytes.little32(at: 8))
        var ordinal = bytes.little32(at: 12)
        entries = []
        entries.reserveCapacity(min(count, bytes.count / Self.entryBytes))
        var position = Self.headerBytes
        for _ in 0..<count {
            guard bytes.count - position >= Self.entryBytes else { throw FormatError("an index frame ends early") }
            let flags = bytes.little32(at: position + 32)
            guard let kind = RecordKind(rawValue: UInt8(truncatingIfNeeded: flags)),
                let codec = RecordCodec(rawValue: UInt8(truncatingIfNeeded: flags >> 8))
            else { throw FormatError("an index frame names an unknown kind of record") }
            let id = bytes.withUnsafeBytes { RecordID(UnsafeRawBufferPointer(rebasing: $0[position..<position + 16])) }
            let (recordBytes, check) = Location.lengthAndCheck(
                bytes.little32(at: position + 20), isCheck: flags & Self.checkFlag != 0,
                encodedBytes: bytes.little32(at: position + 28))
            let location = Location(
                pack: pack, offset: bytes.little32(at: position + 16), recordBytes: recordBytes,
                plainBytes: bytes.little32(at: position + 24), encodedBytes: bytes.little32(at: position + 28),
                ordinal: ordinal, kind: kind, codec: codec, check: check)
            let reachCount = Int(bytes.little32(at: position + 36))
            position += Self.entryBytes
            guard (bytes.count - position) / 16 >= reachCount else { throw FormatError("an index frame ends early") }
            var reach: [RecordID] = []
            reach.reserveCapacity(reachCount)
            bytes.withUnsafeBytes { raw in
                for index in 0..<reachCount {
                    let start = position + index * 16
                    reach.append(RecordID(UnsafeRawBufferPointer(rebasing: raw[start..<start + 16])))
                }
            }
            position += reachCount * 16
            ordinal += 1
            entries.append(PackEntry(id: id, location: location, reach: reach))
        }
        guard position == bytes.count else { throw FormatError("bytes follow the end of an index frame") }
    }
}
