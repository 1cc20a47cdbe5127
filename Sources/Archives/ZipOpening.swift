/// Finds and reads a central directory without doing I/O itself: says which bytes it wants, takes them, and ends.
///
/// States: `tail` → (`end64` →) `directory` → `done`.
struct ZipOpening {
    /// Where the directory lies.
    struct Location {
        var directory: Range<Int64>
        var entryCount: Int
        /// Bytes before the archive proper, as in self-extracting archives; recorded offsets do not count them.
        var prefix: Int64
    }

    private enum State {
        case tail
        case end64(EndRecord)
        case directory(Location)
        case done(ZipDirectory)
    }

    /// The end-of-central-directory record.
    private struct EndRecord {
        var offset: Int64
        var entryCount: UInt64
        var directorySize: UInt64
        var directoryOffset: UInt64
        /// Where the directory must end: at this record, or at the ZIP64 record before it.
        var directoryEnd: Int64
    }

    private let byteCount: Int64
    private let limits: ArchiveLimits
    private var state = State.tail
    /// The next bytes to supply, nil when the directory is complete.
    private(set) var wanted: Range<Int64>?

    init(byteCount: Int64, limits: ArchiveLimits) throws(ArchiveError) {
        self.byteCount = byteCount
        self.limits = limits
        guard byteCount >= Int64(ZipFormat.endBytes) else {
            throw .truncated(.zip, at: 0, needed: Int64(ZipFormat.endBytes), available: byteCount)
        }
        let tail = Int64(ZipFormat.endBytes + Int(UInt16.max) + ZipFormat.locator64Bytes + ZipFormat.end64Bytes)
        wanted = max(0, byteCount - tail)..<byteCount
    }

    /// The parsed directory, once nothing more is wanted.
    func finish() throws(ArchiveError) -> ZipDirectory {
        guard case .done(let directory) = state else {
            throw .truncated(.zip, at: byteCount, needed: 1, available: 0)
        }
        return directory
    }

    /// Takes the bytes of `wanted`.
    mutating func supply(_ bytes: [UInt8]) throws(ArchiveError) {
        guard let range = wanted, bytes.count == range.count else {
            throw .truncated(
                .zip, at: wanted?.lowerBound ?? 0, needed: Int64(wanted?.count ?? 0), available: Int64(bytes.count))
        }
        switch state {
        case .tail:
            try findEnd(in: bytes, from: range.lowerBound)
        case .end64(let end):
            try readEnd64(bytes, at: range.lowerBound, end: end)
        case .directory(let location):
            state = .done(try ZipDirectory(parsing: bytes, of: location, limits: limits))
            wanted = nil
        case .done: break
        }
    }

    private mutating func findEnd(in tail: [UInt8], from tailOffset: Int64) throws(ArchiveError) {
        // Only a record whose comment ends exactly at the end of the file counts; this leaves no second reading.
        let position = tail.withUnsafeBytes { raw -> Int? in
            var candidate = raw.count - ZipFormat.endBytes
            while candidate >= 0 {
                if raw[candidate] == 0x50, raw.u32(candidate) == ZipFormat.endSignature,
                    candidate + ZipFormat.endBytes + Int(raw.u16(candidate + 20)) == raw.count
                {
                    return candidate
                }
                candidate -= 1
            }
            return nil
        }
        guard let position else {
            throw .malformed(.zip, at: tailOffset, reason: "no end-of-central-directory record at the end")
        }
        let offset = tailOffset + Int64(position)
        let (disks, record, locator) = tail.withUnsafeBytes { raw in
            let hasLocator =
                position >= ZipFormat.locator64Bytes
                && raw.u32(position - ZipFormat.locator64Bytes) == ZipFormat.locator64Signature
            return (
                (raw.u16(position + 4), raw.u16(position + 6), raw.u16(position + 8)),
                EndRecord(
                    offset: offset, entryCount: UInt64(raw.u16(position + 10)),
                    directorySize: UInt64(raw.u32(position + 12)), directoryOffset: UInt64(raw.u32(position + 16)),
                    directoryEnd: offset),
                hasLocator ? raw.u64(position - 12) : nil
            )
        }
        if let locator {
            // The recorded offset does not count a prefix; the record itself lies right before its locator.
            let place = offset - Int64(ZipFormat.locator64Bytes + ZipFormat.end64Bytes)
            guard place >= 0, locator <= UInt64(place) else {
                throw .malformed(.zip, at: offset, reason: "the ZIP64 locator points to byte \(locator)")
            }
            state = .end64(record)
            wanted = place..<(place + Int64(ZipFormat.end64Bytes))
            return
        }
        guard disks.0 == 0, disks.1 == 0, UInt64(disks.2) == record.entryCount else {
            throw .malformed(.zip, at: offset, reason: "archives on several disks are not supported")
        }
        try locate(record)
    }

    private mutating func readEnd64(_ bytes: [UInt8], at place: Int64, end: EndRecord) throws(ArchiveError) {
        let (fields, record) = bytes.withUnsafeBytes { raw in
            (
                (raw.u32(0), raw.u64(4), raw.u32(16), raw.u32(20), raw.u64(24)),
                EndRecord(
                    offset: end.offset, entryCount: raw.u64(32), directorySize: raw.u64(40),
                    directoryOffset: raw.u64(48), directoryEnd: place)
            )
        }
        let (signature, length, disk, startDisk, entriesHere) = fields
        guard signature == ZipFormat.end64Signature, length == UInt64(ZipFormat.end64Bytes - 12) else {
            throw .malformed(.zip, at: place, reason: "a ZIP64 end-of-central-directory record was expected")
        }
        guard disk == 0, startDisk == 0, entriesHere == record.entryCount else {
            throw .malformed(.zip, at: place, reason: "archives on several disks are not supported")
        }
        // What fits the old record must say the same there, or two readers would see two archives.
        guard Self.agrees(end.entryCount, record.entryCount, saturated: UInt64(ZipFormat.max16)),
            Self.agrees(end.directorySize, record.directorySize, saturated: UInt64(ZipFormat.max32)),
            Self.agrees(end.directoryOffset, record.directoryOffset, saturated: UInt64(ZipFormat.max32))
        else { throw .malformed(.zip, at: place, reason: "the two end records contradict each other") }
        try locate(record)
    }

    private static func agrees(_ field: UInt64, _ value: UInt64, saturated: UInt64) -> Bool {
        field == saturated || field == value
    }

    /// Checks that the directory ends where the records after it begin, and asks for it.
    private mutating func locate(_ end: EndRecord) throws(ArchiveError) {
        guard let size = Int64(exactly: end.directorySize), let start = Int64(exactly: end.directoryOffset),
            size <= end.directoryEnd, start <= end.directoryEnd - size
        else {
            throw .malformed(
                .zip, at: end.offset,
                reason: "a directory of \(end.directorySize) bytes at byte \(end.directoryOffset) does not fit")
        }
        guard size <= limits.directoryBytes else {
            throw .limit(.directoryBytes, member: nil, value: size, allowed: limits.directoryBytes)
        }
        guard end.entryCount <= UInt64(limits.entries) else {
            throw .limit(
                .entries, member: nil, value: Int64(clamping: end.entryCount), allowed: Int64(limits.entries))
        }
        guard end.entryCount * UInt64(ZipFormat.centralBytes) <= end.directorySize else {
            throw .malformed(
                .zip, at: end.offset, reason: "\(end.entryCount) entries do not fit into \(size) bytes of directory")
        }
        let directory = (end.directoryEnd - size)..<end.directoryEnd
        let location = Location(
            directory: directory, entryCount: Int(end.entryCount), prefix: directory.lowerBound - start)
        if directory.isEmpty {
            guard end.entryCount == 0 else {
                throw .malformed(.zip, at: end.offset, reason: "\(end.entryCount) entries in an empty directory")
            }
            state = .done(try ZipDirectory(parsing: [], of: location, limits: limits))
            wanted = nil
        } else {
            state = .directory(location)
            wanted = directory
        }
    }
}
