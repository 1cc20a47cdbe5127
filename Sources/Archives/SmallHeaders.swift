/// The `ar` format: an 8-byte magic, then members with a 60-byte text header each, at even offsets.
enum ArFormat {
    static let magic = Array("!<arch>\n".utf8)
    static let headerBytes = 60
    static let padding: UInt8 = 0x0A

    /// A member's header.
    struct Header {
        /// The name field without trailing spaces.
        let name: [UInt8]
        /// Length of name and data behind the header.
        let size: Int64
        /// Length of a BSD name (`#1/LENGTH`) in front of the data.
        let inlineNameBytes: Int
        let modified: Int64
        let mode: UInt16

        /// Parses 60 bytes; nil where they are no member header.
        init?(_ fields: UnsafeRawBufferPointer) {
            guard fields.count == headerBytes, fields[58] == 0x60, fields[59] == 0x0A,
                let size = Self.number(fields[48..<58], radix: 10)
            else { return nil }
            self.size = size
            name = Array(Self.trimmed(fields[0..<16]))
            modified = Self.number(fields[16..<28], radix: 10) ?? 0
            mode = UInt16(truncatingIfNeeded: Self.number(fields[40..<48], radix: 8) ?? 0)
            if name.starts(with: [0x23, 0x31, 0x2F]), let text = String(validating: name.dropFirst(3), as: UTF8.self),
                let count = Int(text), count >= 0
            {
                inlineNameBytes = Int(min(Int64(count), size))
            } else {
                inlineNameBytes = 0
            }
        }

        private static func trimmed(_ field: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
            var end = field.endIndex
            while end > field.startIndex, field[end - 1] == 0x20 { end -= 1 }
            return field[field.startIndex..<end]
        }

        private static func number(_ field: Slice<UnsafeRawBufferPointer>, radix: Int) -> Int64? {
            guard let text = String(validating: trimmed(field), as: UTF8.self), let value = Int64(text, radix: radix),
                value >= 0
            else { return nil }
            return value
        }
    }
}

/// CPython's bytecode cache: magic, flags, then time and size or a hash of the source (PEP 552).
package enum PycHeader {
    /// Length in bytes.
    package static let size = 16

    /// Whether a buffer starts like a pyc of Python 3.7 or later.
    static func matches(_ window: UnsafeRawBufferPointer) -> Bool {
        // Version numbers of 3.7 to 3.x lie between 3390 and 4000 and are followed by CR LF; flags are 0 to 3.
        window.count > size && window[2] == 0x0D && window[3] == 0x0A && (3_390..<4_000).contains(window.u16(0))
            && window.u32(4) <= 3
    }

    /// Whether a buffer starts like a pyc of Python 3.7 or later.
    package static func matches(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { matches($0) }
    }
}
