import Compression
import Glibc

/// A sorted, immutable part of the chunk index, mapped into memory: pages of 102 entries of 40 bytes with a checksum each,
/// then the first key of every page, then a filter that answers "not here" for most ids that are not.
///
/// File: `"CFIX0001"`, entries u64, pages u64, filter blocks u64, reserved to 64 bytes and CRC-32 at 60; pages of 4 KiB
/// from offset 4096; fences u64 each; filter blocks of 64 bytes. Little-endian. The index is derived data: a page that
/// fails its checksum is reported as damaged and the index rebuilt from the packs.
final class IndexRun: @unchecked Sendable {
    // Proof: the mapping is read-only and lives until deinit; the other fields never change.
    static let pageBytes = 4096
    static let entryBytes = 40
    static let entriesPerPage = 102
    static let magic: [UInt8] = Array("CFIX0001".utf8)
    /// Among an entry's flags: the check of the payload takes the place of the record's length.
    private static let checkFlag: UInt32 = 1 << 31

    let path: String
    let entryCount: Int
    private let base: UnsafeRawPointer
    private let mappedBytes: Int
    private let pages: Int
    private let filterBlocks: Int

    init(path: String) throws {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FormatError("index run \(path) cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size >= Self.pageBytes else {
            throw FormatError("index run \(path) is too short")
        }
        mappedBytes = Int(status.st_size)
        guard let mapped = mmap(nil, mappedBytes, PROT_READ, MAP_SHARED, descriptor, 0), mapped != MAP_FAILED else {
            throw FormatError("index run \(path) cannot be mapped")
        }
        base = UnsafeRawPointer(mapped)
        let header = UnsafeRawBufferPointer(start: base, count: 64)
        let crc = CRC32.update(CRC32.initial, UnsafeRawBufferPointer(rebasing: header[0..<60]))
        let counts = (header.little64(at: 8), header.little64(at: 16), header.little64(at: 24))
        guard Array(header[0..<8]) == Self.magic, crc == header.little32(at: 60), counts.0 < 1 << 40,
            counts.1 < 1 << 36,
            counts.2 < 1 << 36,
            Self.pageBytes * (1 + Int(counts.1)) + 8 * Int(counts.1) + 64 * Int(counts.2) == mappedBytes
        else {
            munmap(mapped, mappedBytes)
            throw FormatError("index run \(path) is damaged")
        }
        entryCount = Int(counts.0)
        pages = Int(counts.1)
        filterBlocks = Int(counts.2)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: base), mappedBytes) }

    private func fence(_ page: Int) -> UInt64 {
        UInt64(
            littleEndian: base.loadUnaligned(
                fromByteOffset: Self.pageBytes * (1 + pages) + 8 * page, as: UInt64.self))
    }

    private func mayContain(_ id: RecordID) -> Bool {
        guard filterBlocks > 0 else { return true }
        let block = base + Self.pageBytes * (1 + pages) + 8 * pages + 64 * IndexFilter.block(id, filterBlocks)
        return IndexFilter.contains(id, UnsafeRawPointer(block))
    }

    /// Hands every entry for `id` to `body` until it returns true.
    func lookup(_ id: RecordID, _ body: (Location) -> Bool) throws {
        guard pages > 0, mayContain(id) else { return }
        // The last page whose first key is not above the id's; equal keys may start on the page before.
        var low = 0
        var high = pages
        while high - low > 1 {
            let middle = (low + high) / 2
            if fence(middle) <= id.high { low = middle } else { high = middle }
        }
        while low > 0, fence(low) == id.high { low -= 1 }
        while low < pages, fence(low) <= id.high {
            if try search(page: low, id, body) { return }
            low += 1
        }
    }

    private func page(_ number: Int) throws -> (UnsafeRawBufferPointer, Int) {
        let page = UnsafeRawBufferPointer(start: base + Self.pageBytes * (1 + number), count: Self.pageBytes)
        let crc = CRC32.update(CRC32.initial, UnsafeRawBufferPointer(rebasing: page[0..<Self.pageBytes - 4]))
        let count = Int(page.little32(at: Self.pageBytes - 8))
        guard crc == page.little32(at: Self.pageBytes - 4), count <= Self.entriesPerPage else {
            throw FormatError("page \(number) of index run \(path) is damaged")
        }
        return (page, count)
    }

    private func search(page number: Int, _ id: RecordID, _ body: (Location) -> Bool) throws -> Bool {
        let (page, count) = try page(number)
        for index in 0..<count {
            let entry = UnsafeRawBufferPointer(rebasing: page[index * Self.entryBytes..<(index + 1) * Self.entryBytes])
            let high = UInt64(bigEndian: entry.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
            if high < id.high { continue }
            if high > id.high { return false }
            guard RecordID(entry) == id, let location = Self.decode(entry) else { continue }
            if body(location) { return true }
        }
        return false
    }

    /// The entries of one page; none past the last.
    func entries(ofPage number: Int) throws -> [(RecordID, Location)] {
        guard number < pages else { return [] }
        let (page, count) = try page(number)
        return try (0..<count).map { index in
            let entry = UnsafeRawBufferPointer(rebasing: page[index * Self.entryBytes..<(index + 1) * Self.entryBytes])
            guard let location = Self.decode(entry) else { throw FormatError("index run \(path) is damaged") }
            return (RecordID(entry), location)
        }
    }

    static func encode(_ id: RecordID, _ location: Location, into target: UnsafeMutableRawPointer) {
        id.write(to: target)
        target.storeBytes(of: location.pack.littleEndian, toByteOffset: 16, as: UInt32.self)
        target.storeBytes(of: location.offset.littleEndian, toByteOffset: 20, as: UInt32.self)
        let holdsCheck = location.holdsCheck
        let length = holdsCheck ? location.check : location.recordBytes
        target.storeBytes(of: length.littleEndian, toByteOffset: 24, as: UInt32.self)
        target.storeBytes(of: location.plainBytes.littleEndian, toByteOffset: 28, as: UInt32.self)
        target.storeBytes(of: location.encodedBytes.littleEndian, toByteOffset: 32, as: UInt32.self)
        let flags =
            (holdsCheck ? checkFlag : 0) | UInt32(location.kind.rawValue) << 28
            | UInt32(location.codec.rawValue) << 24 | location.ordinal & 0xFF_FFFF
        target.storeBytes(of: flags.littleEndian, toByteOffset: 36, as: UInt32.self)
    }

    private static func decode(_ entry: UnsafeRawBufferPointer) -> Location? {
        let flags = entry.little32(at: 36)
        guard let kind = RecordKind(rawValue: UInt8(flags >> 28 & 0x7)),
            let codec = RecordCodec(rawValue: UInt8(flags >> 24 & 0xF))
        else { return nil }
        let (recordBytes, check) = Location.lengthAndCheck(
            entry.little32(at: 24), isCheck: flags & checkFlag != 0, encodedBytes: entry.little32(at: 32))
        return Location(
            pack: entry.little32(at: 16), offset: entry.little32(at: 20), recordBytes: recordBytes,
            plainBytes: entry.little32(at: 28), encodedBytes: entry.little32(at: 32), ordinal: flags & 0xFF_FFFF,
            kind: kind, codec: codec, check: check)
    }
}

/// A blocked Bloom filter: seven bits in one cache line, ten bits of filter an entry.
enum IndexFilter {
    static func blocks(for entries: Int) -> Int { max(1, (entries * 10 + 511) / 512) }

    static func block(_ id: RecordID, _ blocks: Int) -> Int {
        Int(truncatingIfNeeded: (id.high ^ id.low >> 1).multipliedFullWidth(by: UInt64(blocks)).high)
    }

    static func contains(_ id: RecordID, _ block: UnsafeRawPointer) -> Bool {
        var bits = id.low
        for _ in 0..<7 {
            let bit = Int(bits & 511)
            if block.load(fromByteOffset: bit >> 3, as: UInt8.self) & (1 << UInt8(bit & 7)) == 0 { return false }
            bits >>= 9
        }
        return true
    }

    static func insert(_ id: RecordID, _ block: UnsafeMutableRawPointer) {
        var bits = id.low
        for _ in 0..<7 {
            let bit = Int(bits & 511)
            let byte = block.load(fromByteOffset: bit >> 3, as: UInt8.self) | (1 << UInt8(bit & 7))
            block.storeBytes(of: byte, toByteOffset: bit >> 3, as: UInt8.self)
            bits >>= 9
        }
    }
}
