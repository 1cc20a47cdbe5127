package import ArtifactStore
import Cryptography

/// A put that was begun.
package struct PutAnswer: Codable, Sendable {
    /// Names the put in the requests that follow.
    package var id: String
    /// What files are compared by, in hexadecimal.
    package var seed: String
    /// Whether it goes on with a put that was broken off.
    package var isResumed: Bool
    /// Versions whose content need not be sent.
    package var basis: [String]
}

/// What must be sent of what was named.
package struct PutNeeds: Codable, Sendable {
    package var files: [Int]
    /// Pairs of a file and the bytes of it that are there already.
    package var begun: [[Int64]]
    package var similar: [Int]

    package init(_ needs: UploadNeeds) {
        files = needs.files
        begun = needs.begun.map { [Int64($0.key), $0.value] }
        similar = needs.similar
    }

    package var needs: UploadNeeds {
        var needs = UploadNeeds()
        needs.files = files
        for pair in begun where pair.count == 2 { needs.begun[Int(pair[0])] = pair[1] }
        needs.similar = similar
        return needs
    }
}

/// The binary messages of a put.
///
/// *Entries*: for each, a kind (0 file, 1 directory, 2 symlink), mode, path, and for a file size and SHA-256, for a symlink
/// its target. *Pieces*: for each, length and 16 bytes. *Content*: the operations of ``PutOperation``. Numbers are LEB128;
/// paths and targets have their length in front.
package enum PutMessages {
    /// Entries in one message, at most.
    package static let entriesMaximum = 4096
    /// Bytes of a message of entries, at most.
    package static let entriesBytesMaximum = 8 << 20
    private static let pathMaximum = 64 << 10

    package static func encode(_ entries: [UploadEntry]) -> [UInt8] {
        var writer = ByteWriter()
        for entry in entries {
            switch entry.content {
            case .file: writer.byte(0)
            case .directory: writer.byte(1)
            case .symlink: writer.byte(2)
            }
            writer.number(UInt64(entry.mode))
            writer.string(entry.path)
            switch entry.content {
            case .file(let digest, let count):
                writer.number(UInt64(count))
                digest.withUnsafeBytes { writer.raw($0) }
            case .directory: break
            case .symlink(let target): writer.string(target)
            }
        }
        return writer.bytes
    }

    package static func entries(_ bytes: [UInt8]) throws(PutFormatError) -> [UploadEntry] {
        var cursor = ByteCursor(bytes)
        var entries: [UploadEntry] = []
        while !cursor.isAtEnd {
            guard entries.count < entriesMaximum else {
                throw PutFormatError("a message names more than \(entriesMaximum) entries")
            }
            let kind = try cursor.byte()
            let mode = UInt32(try cursor.count(limit: 0o7777))
            let path = try cursor.string(limit: pathMaximum)
            let content: UploadEntry.Content
            switch kind {
            case 0:
                let count = Int64(try cursor.count(limit: 1 << 56))
                guard let digest = SHA256Digest(bytes: try cursor.raw(32)) else {
                    throw PutFormatError("a digest has 32 bytes")
                }
                content = .file(digest, count)
            case 1: content = .directory
            case 2: content = .symlink(try cursor.string(limit: pathMaximum))
            default: throw PutFormatError("an entry has the unknown kind \(kind)")
            }
            entries.append(UploadEntry(path: path, mode: mode, content: content))
        }
        return entries
    }

    package static func encode(_ pieces: [UploadPiece]) -> [UInt8] {
        var writer = ByteWriter()
        for piece in pieces {
            writer.number(piece.byteCount)
            withUnsafeBytes(of: piece.mark.high.bigEndian) { writer.raw($0) }
            withUnsafeBytes(of: piece.mark.low.bigEndian) { writer.raw($0) }
        }
        return writer.bytes
    }

    package static func pieces(_ bytes: [UInt8]) throws(PutFormatError) -> [UploadPiece] {
        var cursor = ByteCursor(bytes)
        var pieces: [UploadPiece] = []
        while !cursor.isAtEnd {
            let count = try cursor.count(limit: 1 << 30)
            let high = try half(&cursor)
            pieces.append(UploadPiece(byteCount: count, mark: .init(high: high, low: try half(&cursor))))
        }
        return pieces
    }

    private static func half(_ cursor: inout ByteCursor) throws(PutFormatError) -> UInt64 {
        try cursor.raw(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// One step in sending content. The files of a stream follow each other; a large one is opened, given in steps and closed.
package enum PutOperation: Hashable, Sendable {
    /// 1 ‖ file ‖ length ‖ bytes: a whole file of at most `smallBytesMaximum` bytes.
    case small(Int, [UInt8])
    /// 2 ‖ file ‖ offset: begins a file or goes on with it.
    case open(Int, Int64)
    /// 3 ‖ length ‖ bytes: the next bytes of the file, at most `smallBytesMaximum`.
    case data([UInt8])
    /// 4 ‖ offset ‖ length: the next bytes of the file, out of its earlier state.
    case copy(Int64, Int64)
    /// 5: the file ends.
    case close

    package static let smallBytesMaximum = 1 << 20

    package func encode() -> [UInt8] {
        var writer = ByteWriter()
        switch self {
        case .small(let index, let bytes):
            writer.byte(1)
            writer.number(index)
            writer.string(bytes)
        case .open(let index, let offset):
            writer.byte(2)
            writer.number(index)
            writer.number(UInt64(offset))
        case .data(let bytes):
            writer.byte(3)
            writer.string(bytes)
        case .copy(let offset, let count):
            writer.byte(4)
            writer.number(UInt64(offset))
            writer.number(UInt64(count))
        case .close: writer.byte(5)
        }
        return writer.bytes
    }
}

/// Reads the operations of a stream that arrives in pieces. Memory: one operation and one piece.
struct PutOperationReader<Base: AsyncIteratorProtocol> where Base.Element == [UInt8] {
    private var base: Base
    private var held: ArraySlice<UInt8> = []

    init(_ base: Base) { self.base = base }

    /// The next operation; nil at the end of the stream.
    mutating func next() async throws -> PutOperation? {
        guard try await fill(1) else { return nil }
        switch held.removeFirst() {
        case 1:
            let index = try await count()
            return .small(index, try await bytes())
        case 2:
            let index = try await count()
            return .open(index, Int64(try await count()))
        case 3: return .data(try await bytes())
        case 4:
            let offset = Int64(try await count())
            return .copy(offset, Int64(try await count()))
        case 5: return .close
        case let kind: throw PutFormatError("there is no operation \(kind)")
        }
    }

    private mutating func count() async throws -> Int {
        var value = 0
        for shift in stride(from: 0, through: 49, by: 7) {
            guard try await fill(1) else { throw PutFormatError("the stream ends within an operation") }
            let next = held.removeFirst()
            value |= Int(next & 0x7F) << shift
            if next & 0x80 == 0 { return value }
        }
        throw PutFormatError("a number is too large")
    }

    private mutating func bytes() async throws -> [UInt8] {
        let count = try await count()
        guard count <= PutOperation.smallBytesMaximum else {
            throw PutFormatError("an operation carries \(count) bytes, more than \(PutOperation.smallBytesMaximum)")
        }
        guard try await fill(count) else { throw PutFormatError("the stream ends within an operation") }
        defer { held = held.dropFirst(count) }
        return Array(held.prefix(count))
    }

    /// Makes sure that so many bytes are held; false when the stream ends before.
    private mutating func fill(_ count: Int) async throws -> Bool {
        while held.count < count {
            guard let piece = try await base.next(isolation: #isolation) else { return false }
            if held.isEmpty { held = piece[...] } else { held.append(contentsOf: piece) }
        }
        return true
    }
}
