/// The sections of an ELF file, compared by name (System V ABI, chapter 4; little-endian, 32 and 64 bits).
enum ELFSections {
    /// Sections that identify a build and have no effect when the program runs.
    private static let identifiers: Set<String> = [".note.gnu.build-id", ".gnu_debuglink"]

    /// Names of sections that differ; nil where either file cannot be read as ELF or lacks section headers.
    /// The second value says that only build identifiers differ.
    static func compare(old: [UInt8], new: [UInt8]) -> (differing: [String], onlyIdentifiers: Bool)? {
        guard let left = sections(of: old), let right = sections(of: new), !left.isEmpty else { return nil }
        let names = Set(left.keys).union(right.keys).sorted()
        let differing = names.filter { name in
            switch (left[name], right[name]) {
            case (let a?, let b?): !old[a].elementsEqual(new[b])
            default: true
            }
        }
        // What lies outside all sections, such as the file header, must be equal too.
        let sameLayout = left == right
        return (
            differing,
            sameLayout && !differing.isEmpty && differing.allSatisfy(identifiers.contains)
                && equalOutside(old, new, differing.compactMap { left[$0] })
        )
    }

    private static func equalOutside(_ old: [UInt8], _ new: [UInt8], _ ranges: [Range<Int>]) -> Bool {
        guard old.count == new.count else { return false }
        var position = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.lowerBound >= position {
            guard old[position..<range.lowerBound].elementsEqual(new[position..<range.lowerBound]) else { return false }
            position = range.upperBound
        }
        return old[position...].elementsEqual(new[position...])
    }

    /// Sections by name; those that occupy no bytes in the file are left out. Nil for anything malformed.
    private static func sections(of bytes: [UInt8]) -> [String: Range<Int>]? {
        guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]), bytes.count >= 64, bytes[5] == 1 else { return nil }
        let is64 = bytes[4] == 2
        func number(_ offset: Int, _ count: Int) -> Int? {
            guard offset >= 0, offset <= bytes.count - count else { return nil }
            let value = bytes[offset..<(offset + count)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return Int(exactly: value)
        }
        guard let table = number(is64 ? 0x28 : 0x20, is64 ? 8 : 4), let size = number(is64 ? 0x3A : 0x2E, 2),
            let count = number(is64 ? 0x3C : 0x30, 2), let namesIndex = number(is64 ? 0x3E : 0x32, 2),
            size >= (is64 ? 64 : 40), namesIndex < count, table < bytes.count
        else { return nil }
        func range(_ index: Int) -> Range<Int>? {
            let header = table + index * size
            // Type 8 occupies no space in the file.
            guard let type = number(header + 4, 4), type != 8,
                let start = number(header + (is64 ? 0x18 : 0x10), is64 ? 8 : 4),
                let length = number(header + (is64 ? 0x20 : 0x14), is64 ? 8 : 4), start <= bytes.count,
                length <= bytes.count - start
            else { return nil }
            return start..<(start + length)
        }
        guard let names = range(namesIndex) else { return nil }
        var result: [String: Range<Int>] = [:]
        for index in 1..<max(count, 1) {
            guard let offset = number(table + index * size, 4), offset < names.count, let place = range(index) else {
                continue
            }
            let name = bytes[(names.lowerBound + offset)..<names.upperBound].prefix { $0 != 0 }
            result[String(decoding: name, as: UTF8.self)] = place
        }
        return result
    }
}
