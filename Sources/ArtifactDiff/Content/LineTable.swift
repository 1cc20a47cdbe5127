/// Two texts as sequences of small numbers, equal numbers for equal lines.
struct LineTable {
    /// The lines of one text: ranges with their line feeds, and their numbers.
    struct Side {
        var ranges: [Range<Int>] = []
        var ids: [Int32] = []
    }

    private(set) var old = Side()
    private(set) var new = Side()
    /// How many distinct lines there are.
    private(set) var distinct = 0

    init(old oldBytes: [UInt8], new newBytes: [UInt8]) {
        var interner = Interner(capacity: (oldBytes.count + newBytes.count) / 24 + 16)
        oldBytes.withUnsafeBufferPointer { oldBuffer in
            newBytes.withUnsafeBufferPointer { newBuffer in
                old = Self.split(oldBuffer, other: oldBuffer, isOld: true, &interner)
                new = Self.split(newBuffer, other: oldBuffer, isOld: false, &interner)
            }
        }
        distinct = interner.count
    }

    /// Lines of `bytes`, the last one possibly without a line feed.
    private static func split(
        _ bytes: UnsafeBufferPointer<UInt8>, other oldBytes: UnsafeBufferPointer<UInt8>, isOld: Bool,
        _ interner: inout Interner
    ) -> Side {
        var side = Side()
        var start = 0
        while start < bytes.count {
            var end = start
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            while end < bytes.count {
                let byte = bytes[end]
                hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
                end += 1
                if byte == 0x0A { break }
            }
            let line = Interner.Line(hash: hash, isOld: isOld, start: start, count: end - start)
            side.ids.append(interner.id(of: line, old: oldBytes, new: isOld ? oldBytes : bytes))
            side.ranges.append(start..<end)
            start = end
        }
        return side
    }

    /// An open-addressed table from lines to numbers; equality is of bytes, never of hashes alone.
    private struct Interner {
        struct Line {
            var hash: UInt64
            var isOld: Bool
            var start: Int
            var count: Int
        }

        private var slots: [Int32]
        private var lines: [Line] = []
        var count: Int { lines.count }

        init(capacity: Int) {
            var size = 64
            while size < capacity * 2 { size *= 2 }
            slots = [Int32](repeating: -1, count: size)
        }

        mutating func id(
            of line: Line, old: UnsafeBufferPointer<UInt8>, new: UnsafeBufferPointer<UInt8>
        ) -> Int32 {
            if (lines.count + 1) * 2 > slots.count { grow() }
            let mask = slots.count - 1
            // The high half of an FNV hash is the better mixed one.
            var slot = Int(truncatingIfNeeded: line.hash ^ (line.hash >> 32)) & mask
            while slots[slot] >= 0 {
                let known = lines[Int(slots[slot])]
                if known.hash == line.hash, known.count == line.count {
                    let bytes = known.isOld ? old : new
                    let mine = line.isOld ? old : new
                    if bytes[known.start..<(known.start + known.count)]
                        .elementsEqual(mine[line.start..<(line.start + line.count)])
                    {
                        return slots[slot]
                    }
                }
                slot = (slot + 1) & mask
            }
            slots[slot] = Int32(lines.count)
            lines.append(line)
            return slots[slot]
        }

        private mutating func grow() {
            slots = [Int32](repeating: -1, count: slots.count * 2)
            let mask = slots.count - 1
            for (index, line) in lines.enumerated() {
                var slot = Int(truncatingIfNeeded: line.hash ^ (line.hash >> 32)) & mask
                while slots[slot] >= 0 { slot = (slot + 1) & mask }
                slots[slot] = Int32(index)
            }
        }
    }
}
