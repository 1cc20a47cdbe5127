/// One 512-byte header block of a tar (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").
struct TarBlock {
    static let size = 512

    /// The type of the entry.
    let type: UInt8
    /// Name, with the ustar prefix in front.
    let name: [UInt8]
    let linkTarget: [UInt8]
    let mode: UInt16
    let modified: Int64
    /// The size field.
    let recordedSize: Int64

    /// Bytes of content behind the header: links, devices and directories have none whatever their size field says.
    var contentBytes: Int64 {
        switch type {
        case UInt8(ascii: "1")...UInt8(ascii: "6"): 0
        default: recordedSize
        }
    }

    /// `contentBytes` rounded up to whole blocks.
    var paddedBytes: Int64 { Self.padded(contentBytes) }

    static func padded(_ size: Int64) -> Int64 { (size + Int64(Self.size) - 1) / Int64(Self.size) * Int64(Self.size) }

    /// Whether the content describes the next entry: pax headers, GNU long names and links.
    var isExtension: Bool {
        switch type {
        case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"): true
        default: false
        }
    }

    /// Parses a block of 512 bytes; nil where the checksum does not fit or a number is malformed.
    init?(_ block: UnsafeRawBufferPointer) {
        guard block.count == Self.size, let recorded = Self.number(block, 148, 8), recorded == Self.checksum(block),
            let size = Self.number(block, 124, 12), size >= 0, size < 1 << 60
        else { return nil }
        type = block[156]
        recordedSize = size
        mode = UInt16(truncatingIfNeeded: Self.number(block, 100, 8) ?? 0)
        modified = Self.number(block, 136, 12) ?? 0
        linkTarget = Self.text(block, 157, 100)
        let short = Self.text(block, 0, 100)
        // The prefix exists in ustar only; GNU's variant of the magic puts other things there.
        let isUstar = block[257..<263].elementsEqual([0x75, 0x73, 0x74, 0x61, 0x72, 0x00])
        let prefix = isUstar ? Self.text(block, 345, 155) : []
        name = prefix.isEmpty ? short : prefix + [UInt8(ascii: "/")] + short
    }

    static func isZero(_ block: UnsafeRawBufferPointer) -> Bool {
        block.allSatisfy { $0 == 0 }
    }

    /// Octal digits padded by spaces or NUL, or GNU's base-256 with the top bit set. Nil where it is neither.
    static func number(_ block: UnsafeRawBufferPointer, _ offset: Int, _ count: Int) -> Int64? {
        let field = block[offset..<(offset + count)]
        guard let first = field.first else { return nil }
        if first & 0x80 != 0 {
            // A negative value has all bits set; only the low 62 bits of a positive one fit our use.
            var value: Int64 = first == 0xFF ? -1 : Int64(first & 0x3F)
            for byte in field.dropFirst() {
                guard value < 1 << 54, value > -(1 << 54) else { return nil }
                value = value << 8 | Int64(byte)
            }
            return value
        }
        var value: Int64 = 0
        var digits = 0
        for byte in field {
            switch byte {
            case 0x30...0x37:
                value = value << 3 | Int64(byte - 0x30)
                digits += 1
            case 0x20 where digits == 0: continue
            case 0x20, 0: return value
            default: return nil
            }
        }
        return value
    }

    /// The sum of all bytes, with the checksum field itself counted as spaces.
    private static func checksum(_ block: UnsafeRawBufferPointer) -> Int64 {
        var sum = 8 * 0x20
        for index in 0..<size where index < 148 || index >= 156 { sum += Int(block[index]) }
        return Int64(sum)
    }

    private static func text(_ block: UnsafeRawBufferPointer, _ offset: Int, _ count: Int) -> [UInt8] {
        Array(block[offset..<(offset + count)].prefix { $0 != 0 })
    }
}
