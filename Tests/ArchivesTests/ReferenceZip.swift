import Compression

@testable import Archives

/// A zip written field by field from all of its entries at once, with none of the means of `ZipLayout`.
enum ReferenceZip {
    static func bytes(_ entries: [ZipEntry], payload: (Int) -> [UInt8]) -> [UInt8] {
        var archive: [UInt8] = []
        var offsets: [Int64] = []
        for (index, entry) in entries.enumerated() {
            offsets.append(Int64(archive.count))
            archive += local(entry) + payload(index)
        }
        let start = Int64(archive.count)
        for (entry, offset) in zip(entries, offsets) { archive += central(entry, offset) }
        return archive + end(entries.count, start: start, size: Int64(archive.count) - start)
    }

    /// Length without payloads being made.
    static func byteCount(_ entries: [ZipEntry]) -> Int64 {
        var start: Int64 = 0
        var size: Int64 = 0
        for entry in entries {
            size += Int64(central(entry, start).count)
            start += Int64(local(entry).count) + entry.compressedSize
        }
        return start + size + Int64(end(entries.count, start: start, size: size).count)
    }

    private static let limit: Int64 = 0xFFFF_FFFF

    static func local(_ entry: ZipEntry) -> [UInt8] {
        let large = entry.compressedSize >= limit || entry.uncompressedSize >= limit
        let sizes = large ? [limit, limit] : [entry.compressedSize, entry.uncompressedSize]
        let extra =
            large ? field(1, 2) + field(16, 2) + field(entry.uncompressedSize, 8) + field(entry.compressedSize, 8) : []
        return field(0x0403_4B50, 4) + common(entry, large, sizes) + field(Int64(extra.count), 2) + name(entry) + extra
    }

    static func central(_ entry: ZipEntry, _ offset: Int64) -> [UInt8] {
        let values = [entry.uncompressedSize, entry.compressedSize, offset].filter { $0 >= limit }
        let extra =
            values.isEmpty ? [] : field(1, 2) + field(Int64(values.count * 8), 2) + values.flatMap { field($0, 8) }
        let types: [MemberKind: Int64] = [.file: 0o100000, .directory: 0o040000, .symlink: 0o120000]
        let mode = types[entry.kind, default: 0] | Int64(entry.permissions & 0o7777)
        var bytes = field(0x0201_4B50, 4) + field(0x031E, 2)
        bytes += common(
            entry, !extra.isEmpty, [min(entry.compressedSize, limit), min(entry.uncompressedSize, limit)])
        bytes += field(Int64(extra.count), 2) + field(0, 6)
        bytes += field(mode << 16 | (entry.kind == .directory ? 0x10 : 0), 4) + field(min(offset, limit), 4)
        return bytes + name(entry) + extra
    }

    private static func common(_ entry: ZipEntry, _ large: Bool, _ sizes: [Int64]) -> [UInt8] {
        let isSmall = entry.method == .stored && entry.kind != .directory
        let isUTF8 = entry.name.contains { $0 >= 0x80 } && String(validating: entry.name, as: UTF8.self) != nil
        return field(large ? 45 : isSmall ? 10 : 20, 2) + field(isUTF8 ? 0x0800 : 0, 2)
            + field(Int64(entry.method.code), 2) + field(0, 2) + field(0x0021, 2) + field(Int64(entry.crc32), 4)
            + sizes.flatMap { field($0, 4) } + field(Int64(name(entry).count), 2)
    }

    private static func name(_ entry: ZipEntry) -> [UInt8] { entry.name + (entry.kind == .directory ? [0x2F] : []) }

    static func end(_ count: Int, start: Int64, size: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        if count >= 0xFFFF || start >= limit || size >= limit {
            bytes += field(0x0606_4B50, 4) + field(44, 8) + field(0x031E, 2) + field(45, 2) + field(0, 8)
            bytes += field(Int64(count), 8) + field(Int64(count), 8) + field(size, 8) + field(start, 8)
            bytes += field(0x0706_4B50, 4) + field(0, 4) + field(start + size, 8) + field(1, 4)
        }
        let number = Int64(min(count, 0xFFFF))
        bytes += field(0x0605_4B50, 4) + field(0, 4) + field(number, 2) + field(number, 2)
        return bytes + field(min(size, limit), 4) + field(min(start, limit), 4) + field(0, 2)
    }

    private static func field(_ value: Int64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * Int64($0))) }
    }
}
