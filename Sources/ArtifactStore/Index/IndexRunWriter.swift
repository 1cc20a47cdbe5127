import Compression
import Glibc

/// Writes a run from entries that arrive in order.
struct IndexRunWriter {
    private let path: String
    private let descriptor: Int32
    private var page = [UInt8](repeating: 0, count: IndexRun.pageBytes)
    private var inPage = 0
    private var fences: [UInt64] = []
    private var filter: [UInt8]
    private let filterBlocks: Int
    private var entries = 0
    private var last: RecordID?

    /// - Parameter expected: the number of entries to come, to size the filter by; an upper bound will do.
    private init(path: String, expected: Int) throws {
        self.path = path
        filterBlocks = IndexFilter.blocks(for: expected)
        filter = [UInt8](repeating: 0, count: filterBlocks * 64)
        descriptor = open(path + ".new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(.input, "the chunk index cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    mutating func add(_ id: RecordID, _ location: Location) throws {
        if inPage == 0 { fences.append(id.high) }
        page.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { IndexRun.encode(id, location, into: base + inPage * IndexRun.entryBytes) }
        }
        filter.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { IndexFilter.insert(id, base + 64 * IndexFilter.block(id, filterBlocks)) }
        }
        entries += 1
        inPage += 1
        if inPage == IndexRun.entriesPerPage { try finishPage() }
    }

    private mutating func finishPage() throws {
        page.putLittle(UInt32(inPage), at: IndexRun.pageBytes - 8)
        let crc = page.withUnsafeBytes {
            CRC32.update(CRC32.initial, UnsafeRawBufferPointer(rebasing: $0[0..<IndexRun.pageBytes - 4]))
        }
        page.putLittle(crc, at: IndexRun.pageBytes - 4)
        try write(page, at: IndexRun.pageBytes * fences.count)
        inPage = 0
        page = [UInt8](repeating: 0, count: IndexRun.pageBytes)
    }

    /// Writes a run: `body` adds its entries, in order. When that fails, on a full disk say, nothing of it stays.
    static func write(path: String, expected: Int, _ body: (inout IndexRunWriter) throws -> Void) throws {
        var writer = try IndexRunWriter(path: path, expected: expected)
        defer { close(writer.descriptor) }
        do {
            try body(&writer)
            try writer.finish()
        } catch {
            unlink(path + ".new")
            throw error
        }
    }

    /// Completes the file under its name.
    private mutating func finish() throws {
        if inPage > 0 { try finishPage() }
        var tail: [UInt8] = []
        tail.reserveCapacity(fences.count * 8)
        for fence in fences { tail.appendLittle(fence) }
        try write(tail, at: IndexRun.pageBytes * (1 + fences.count))
        try write(filter, at: IndexRun.pageBytes * (1 + fences.count) + tail.count)
        var header = [UInt8](repeating: 0, count: IndexRun.pageBytes)
        header.replaceSubrange(0..<8, with: IndexRun.magic)
        header.putLittle(UInt64(entries), at: 8)
        header.putLittle(UInt64(fences.count), at: 16)
        header.putLittle(UInt64(filterBlocks), at: 24)
        header.putLittle(CRC32.checksum(Array(header[0..<60])), at: 60)
        try write(header, at: 0)
        guard fdatasync(descriptor) == 0, rename(path + ".new", path) == 0 else {
            throw StoreError(.input, "the chunk index cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    private func write(_ bytes: [UInt8], at offset: Int) throws {
        try bytes.withUnsafeBytes { raw in
            var done = 0
            while done < raw.count {
                let count = pwrite(
                    descriptor, raw.baseAddress?.advanced(by: done), raw.count - done, Int(offset + done))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    throw StoreError(
                        errno == ENOSPC ? .full : .input,
                        "the chunk index cannot be written: \(String(cString: strerror(errno)))")
                }
                done += count
            }
        }
    }
}
