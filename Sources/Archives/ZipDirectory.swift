/// A zip's central directory: every member with its place, checked before any content is trusted.
///
/// Refused as hostile or damaged: counts, sizes and offsets that do not add up, members that overlap each other or the
/// directory, names that are unsafe as paths, duplicates, files used as directories, several disks, and whatever exceeds
/// the caller's limits. Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
public struct ZipDirectory: Sendable {
    /// The members, in the order of the central directory.
    public let members: [ZipMember]
    /// Sum of the expanded sizes.
    public let totalUncompressedBytes: Int64
    /// Where the central directory starts.
    public let directoryOffset: Int64

    /// Reads the directory through an asynchronous source.
    public init(reading source: any RandomAccess, limits: ArchiveLimits = ArchiveLimits()) async throws {
        var opening = try ZipOpening(byteCount: source.byteCount, limits: limits)
        while let wanted = opening.wanted {
            let bytes = try await source.read(at: wanted.lowerBound, count: wanted.count)
            try opening.supply(bytes)
        }
        self = try opening.finish()
    }

    /// Reads the directory of a local file or a buffer.
    public init(readingNow source: any SynchronousRandomAccess, limits: ArchiveLimits = ArchiveLimits()) throws {
        var opening = try ZipOpening(byteCount: source.byteCount, limits: limits)
        while let wanted = opening.wanted {
            try opening.supply(source.readNow(at: wanted.lowerBound, count: wanted.count))
        }
        self = try opening.finish()
    }

    init(parsing bytes: [UInt8], of location: ZipOpening.Location, limits: ArchiveLimits) throws(ArchiveError) {
        var parsed: [RawCentralEntry] = []
        parsed.reserveCapacity(min(location.entryCount, bytes.count / ZipFormat.centralBytes))
        var cursor = 0
        while parsed.count < location.entryCount {
            let (entry, length) = try RawCentralEntry.parse(
                bytes, at: cursor, fileOffset: location.directory.lowerBound, prefix: location.prefix, limits: limits)
            parsed.append(entry)
            cursor += length
        }
        guard cursor == bytes.count else {
            throw .malformed(
                .zip, at: location.directory.lowerBound + Int64(cursor),
                reason: "\(bytes.count - cursor) bytes follow the last of \(parsed.count) directory entries")
        }
        try Self.checkNames(parsed)
        let boundaries = try Self.boundaries(parsed, end: location.directory.lowerBound)
        totalUncompressedBytes = try Self.checkSizes(parsed, limits: limits)
        members = zip(parsed, boundaries).map { $0.member(boundary: $1) }
        directoryOffset = location.directory.lowerBound
    }

    private static func checkNames(_ entries: [RawCentralEntry]) throws(ArchiveError) {
        try EntryName.checkTree(entries.map(\.name)) { entries[$0].kind == .directory }
    }

    /// For each member, where the next thing begins; throws where two lie on the same bytes.
    private static func boundaries(_ entries: [RawCentralEntry], end: Int64) throws(ArchiveError) -> [Int64] {
        let order = entries.indices.sorted { entries[$0].localHeaderOffset < entries[$1].localHeaderOffset }
        var result = [Int64](repeating: end, count: entries.count)
        for (position, index) in order.enumerated() {
            let entry = entries[index]
            let next = position + 1 < order.count ? entries[order[position + 1]] : nil
            let limit = next?.localHeaderOffset ?? end
            // The local header is at least its fixed part and its name; its extra field is checked when it is read.
            let least = entry.localHeaderOffset + Int64(ZipFormat.localBytes + entry.rawName.count)
            guard least <= limit, entry.compressedSize <= limit - least else {
                throw .overlap(
                    first: entry.name.description, second: next?.name.description ?? "central directory", at: limit)
            }
            result[index] = limit
        }
        return result
    }

    private static func checkSizes(_ entries: [RawCentralEntry], limits: ArchiveLimits) throws(ArchiveError) -> Int64 {
        var total: Int64 = 0
        for entry in entries {
            let name = entry.name.description
            let size = entry.uncompressedSize
            guard size <= limits.memberBytes else {
                throw .limit(.memberBytes, member: name, value: size, allowed: limits.memberBytes)
            }
            let ratio = size / max(entry.compressedSize, 1)
            if size > 1 << 20, ratio > limits.ratio {
                throw .limit(.ratio, member: name, value: ratio, allowed: limits.ratio)
            }
            let (sum, overflow) = total.addingReportingOverflow(size)
            guard !overflow, sum <= limits.totalBytes else {
                throw .limit(.totalBytes, member: nil, value: overflow ? .max : sum, allowed: limits.totalBytes)
            }
            total = sum
        }
        return total
    }
}

/// One central directory entry before its surroundings are known.
struct RawCentralEntry {
    var name: EntryName
    var rawName: [UInt8]
    var kind: MemberKind
    var permissions: UInt16
    var hasUnixMode: Bool
    var flags: UInt16
    var method: UInt16
    var crc32: UInt32
    var compressedSize: Int64
    var uncompressedSize: Int64
    var localHeaderOffset: Int64
    var modified: Int64

    func member(boundary: Int64) -> ZipMember {
        ZipMember(
            name: name, rawName: rawName, kind: kind, permissions: permissions, hasUnixMode: hasUnixMode,
            method: ZipMethod(code: method), crc32: crc32, compressedSize: compressedSize,
            uncompressedSize: uncompressedSize, localHeaderOffset: localHeaderOffset, boundary: boundary,
            modified: modified, flags: flags)
    }

    /// Parses the entry at `start`; returns it and its length. `prefix` is added to recorded offsets.
    static func parse(
        _ bytes: [UInt8], at start: Int, fileOffset: Int64, prefix: Int64, limits: ArchiveLimits
    ) throws(ArchiveError) -> (RawCentralEntry, Int) {
        let at = fileOffset + Int64(start)
        guard bytes.count - start >= ZipFormat.centralBytes else {
            throw .truncated(
                .zip, at: at, needed: Int64(ZipFormat.centralBytes), available: Int64(bytes.count - start))
        }
        let fixed = Fixed(bytes, start)
        guard fixed.signature == ZipFormat.centralSignature else {
            throw .malformed(.zip, at: at, reason: "a central directory entry was expected")
        }
        let length = ZipFormat.centralBytes + fixed.nameLength + fixed.extraLength + fixed.commentLength
        guard length <= bytes.count - start else {
            throw .truncated(.zip, at: at, needed: Int64(length), available: Int64(bytes.count - start))
        }
        let nameStart = start + ZipFormat.centralBytes
        let rawName = Array(bytes[nameStart..<(nameStart + fixed.nameLength)])
        let name = try EntryName(checking: rawName, longest: limits.nameBytes, from: limits.origin)
        let extraStart = nameStart + fixed.nameLength
        let extra = try ZipExtra(
            bytes[extraStart..<(extraStart + fixed.extraLength)], at: fileOffset + Int64(extraStart),
            wants: .init(
                uncompressed: fixed.uncompressed == ZipFormat.max32, compressed: fixed.compressed == ZipFormat.max32,
                offset: fixed.offset == ZipFormat.max32))
        guard fixed.disk == 0 || fixed.disk == ZipFormat.max16 else {
            throw .malformed(.zip, at: at, reason: "the entry lies on another disk (\(fixed.disk))")
        }
        let (kind, permissions, hasMode) = try fixed.kind(name: name)
        let offset = extra.offset ?? Int64(fixed.offset)
        guard offset <= fileOffset - prefix else {
            throw .malformed(.zip, at: at, reason: "the entry '\(name)' claims to start at byte \(offset)")
        }
        let entry = RawCentralEntry(
            name: name, rawName: rawName, kind: kind, permissions: permissions, hasUnixMode: hasMode,
            flags: fixed.flags, method: fixed.method, crc32: fixed.crc32,
            compressedSize: extra.compressed ?? Int64(fixed.compressed),
            uncompressedSize: extra.uncompressed ?? Int64(fixed.uncompressed),
            localHeaderOffset: offset + prefix,
            modified: extra.modified ?? ZipFormat.seconds(dosDate: fixed.date, time: fixed.time))
        try entry.checkStored(at: at)
        return (entry, length)
    }

    private func checkStored(at: Int64) throws(ArchiveError) {
        if method == 0, flags & 1 == 0, compressedSize != uncompressedSize {
            throw .malformed(.zip, at: at, reason: "the stored entry '\(name)' has two different sizes")
        }
        if kind == .directory, uncompressedSize != 0 {
            throw .malformed(.zip, at: at, reason: "the directory '\(name)' has content")
        }
    }

    /// The 46 bytes before the name.
    private struct Fixed {
        var signature, crc32, compressed, uncompressed, external, offset: UInt32
        var madeBy, flags, method, time, date, disk: UInt16
        var nameLength, extraLength, commentLength: Int

        init(_ bytes: [UInt8], _ start: Int) {
            self = bytes.withUnsafeBytes { whole in
                Fixed(UnsafeRawBufferPointer(rebasing: whole[start..<(start + ZipFormat.centralBytes)]))
            }
        }

        private init(_ raw: UnsafeRawBufferPointer) {
            signature = raw.u32(0)
            madeBy = raw.u16(4)
            flags = raw.u16(8)
            method = raw.u16(10)
            time = raw.u16(12)
            date = raw.u16(14)
            crc32 = raw.u32(16)
            compressed = raw.u32(20)
            uncompressed = raw.u32(24)
            nameLength = Int(raw.u16(28))
            extraLength = Int(raw.u16(30))
            commentLength = Int(raw.u16(32))
            disk = raw.u16(34)
            external = raw.u32(38)
            offset = raw.u32(42)
        }

        func kind(name: EntryName) throws(ArchiveError) -> (MemberKind, UInt16, Bool) {
            let host = madeBy >> 8
            let mode = UInt16(external >> 16)
            // Unix and Darwin record `st_mode` in the upper half; other hosts' upper halves mean other things.
            let hasMode = (host == 3 || host == 19) && mode != 0
            let permissions = mode & 0o7777
            guard hasMode else {
                let isDirectory = name.hadTrailingSlash || (host != 3 && host != 19 && external & 0x10 != 0)
                return (isDirectory ? .directory : .file, isDirectory ? 0o755 : 0o644, false)
            }
            switch mode & 0o170000 {
            case 0o120000 where !name.hadTrailingSlash: return (.symlink, permissions, true)
            case 0o040000: return (.directory, permissions, true)
            case 0, 0o100000: return (name.hadTrailingSlash ? .directory : .file, permissions, true)
            default:
                throw .unsupported(
                    .zip, member: name.description, reason: "file type 0\(String(mode & 0o170000, radix: 8))")
            }
        }
    }
}
