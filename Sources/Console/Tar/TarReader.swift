/// Reads a tar stream member by member, holding one piece of it at a time. Takes ustar, pax and GNU's long names; other
/// kinds of members (devices, hard links) are refused, as a tree of artifacts has no place for them.
final class TarReader<Base: AsyncIteratorProtocol> where Base.Element == [UInt8] {
    private static var longestExtension: Int64 { 1 << 20 }

    private var base: Base
    private var held: ArraySlice<UInt8> = []
    /// Bytes of the current member's content that have not been read.
    private var left: Int64 = 0
    private var padding = 0

    init(_ base: Base) { self.base = base }

    /// The next member; nil at the end of the archive. What was not read of the last one is passed over.
    func next() async throws -> TarMember? {
        while try await content() != nil {}
        var extended: [String: [UInt8]] = [:]
        while true {
            guard let block = try await take(TarFormat.blockBytes, orEnd: true) else { return nil }
            if block.allSatisfy({ $0 == 0 }) {
                // What follows the end, such as the second block of zeros, is of no interest but must be read.
                while try await more() {}
                held = []
                return nil
            }
            try TarReader.check(block)
            let size = try TarReader.number(block[124..<136])
            switch block[156] {
            case 0x78, 0x67, 0x4C, 0x4B:
                let bytes = try await smallContent(size)
                switch block[156] {
                case 0x78: extended.merge(try TarReader.records(bytes)) { $1 }
                case 0x4C: extended["path"] = Array(bytes.prefix { $0 != 0 })
                case 0x4B: extended["linkpath"] = Array(bytes.prefix { $0 != 0 })
                default: break  // Global headers say nothing that artifacts keep.
                }
            default:
                return try member(block, size, extended)
            }
        }
    }

    /// The next piece of the current member's content; nil at its end.
    func content() async throws -> [UInt8]? {
        guard left > 0 else {
            if padding > 0 {
                _ = try await take(padding, orEnd: false)
                padding = 0
            }
            return nil
        }
        if held.isEmpty {
            guard try await more() else { throw TarError("the archive ends within a file") }
        }
        let count = Int(min(left, Int64(held.count)))
        let piece = Array(held.prefix(count))
        held = held.dropFirst(count)
        left -= Int64(count)
        return piece
    }

    private func member(_ block: [UInt8], _ size: Int64, _ extended: [String: [UInt8]]) throws -> TarMember? {
        var path = Array(block[0..<100].prefix { $0 != 0 })
        let prefix = Array(block[345..<500].prefix { $0 != 0 })
        if !prefix.isEmpty && Array(block[257..<262]) == Array("ustar".utf8) && block[262] == 0 {
            path = prefix + [0x2F] + path
        }
        path = extended["path"] ?? path
        var size = size
        if let text = extended["size"] {
            guard let number = Int64(String(decoding: text, as: UTF8.self)), number >= 0 else {
                throw TarError("a size in the archive is not a number")
            }
            size = number
        }
        let kind: TarMember.Kind
        switch block[156] {
        case 0x30, 0x00, 0x37: kind = path.last == 0x2F ? .directory : .file
        case 0x35: kind = .directory
        case 0x32: kind = .symlink
        case let type:
            let letter = String(UnicodeScalar(type))
            throw TarError("\(String(decoding: path, as: UTF8.self)) is of type '\(letter)', which a tree cannot hold")
        }
        let isFile = kind == .file
        left = isFile ? size : 0
        padding = isFile ? TarFormat.padding(after: size).count : 0
        var name = path[...]
        while name.starts(with: [0x2E, 0x2F]) { name = name.dropFirst(2) }
        while name.last == 0x2F { name = name.dropLast() }
        return TarMember(
            path: name.elementsEqual([0x2E]) ? [] : Array(name), kind: kind,
            mode: UInt32(truncatingIfNeeded: try TarReader.number(block[100..<108])) & 0o7777, size: isFile ? size : 0,
            target: extended["linkpath"] ?? Array(block[157..<257].prefix { $0 != 0 }))
    }

    // MARK: Bytes

    private func more() async throws -> Bool {
        guard let piece = try await base.next(isolation: #isolation) else { return false }
        held = held.isEmpty ? piece[...] : held + piece
        return true
    }

    private func take(_ count: Int, orEnd: Bool) async throws -> [UInt8]? {
        while held.count < count {
            guard try await more() else {
                if orEnd && held.isEmpty { return nil }
                throw TarError("the archive ends within a block")
            }
        }
        let bytes = Array(held.prefix(count))
        held = held.dropFirst(count)
        return bytes
    }

    private func smallContent(_ size: Int64) async throws -> [UInt8] {
        guard size <= TarReader.longestExtension else { throw TarError("an extended header of \(size) bytes") }
        let bytes = try await take(Int(size), orEnd: false) ?? []
        _ = try await take(TarFormat.padding(after: size).count, orEnd: false)
        return bytes
    }

    // MARK: Fields

    private static func check(_ block: [UInt8]) throws {
        let claimed = try number(block[148..<156])
        var sum: Int64 = 8 * 0x20
        for (index, byte) in block.enumerated() where !(148..<156).contains(index) { sum += Int64(byte) }
        guard sum == claimed else { throw TarError("this is not a tar archive, or it is damaged") }
    }

    /// Octal digits, or GNU's base 256 for what they cannot say.
    private static func number(_ field: ArraySlice<UInt8>) throws -> Int64 {
        if let first = field.first, first & 0x80 != 0 {
            var value = Int64(first & 0x7F)
            for byte in field.dropFirst() {
                guard value < 1 << 54 else { throw TarError("a number in the archive is too large") }
                value = value << 8 | Int64(byte)
            }
            return value
        }
        var value: Int64 = 0
        for byte in field where byte != 0 && byte != 0x20 {
            guard byte >= 0x30 && byte <= 0x37, value < 1 << 58 else {
                throw TarError("a number in the archive is not octal")
            }
            value = value << 3 | Int64(byte - 0x30)
        }
        return value
    }

    private static func records(_ bytes: [UInt8]) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        var rest = bytes[...]
        while let space = rest.firstIndex(of: 0x20) {
            let digits = String(decoding: rest[rest.startIndex..<space], as: UTF8.self)
            guard let length = Int(digits), length > digits.utf8.count + 1, length <= rest.count,
                let equals = rest[space...].firstIndex(of: 0x3D), equals < rest.startIndex + length
            else { throw TarError("an extended header is malformed") }
            let end = rest.startIndex + length
            found[String(decoding: rest[(space + 1)..<equals], as: UTF8.self)] = Array(rest[(equals + 1)..<(end - 1)])
            rest = rest[end...]
        }
        return found
    }
}

/// The content of a reader's current member, as a sequence.
struct TarContent<Base: AsyncIteratorProtocol>: AsyncSequence where Base.Element == [UInt8] {
    typealias Element = [UInt8]
    typealias Failure = any Error

    let reader: TarReader<Base>

    struct AsyncIterator: AsyncIteratorProtocol {
        let reader: TarReader<Base>

        mutating func next() async throws(any Error) -> [UInt8]? { try await reader.content() }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader) }
}
