import ArtifactStore
import Console
import Foundation
import NIOCore

/// A file whose content is to be sent.
struct PutFile: Sendable {
    var index: Int
    var item: PutItem
    /// What of it was received before, in bytes.
    var offset: Int64 = 0
    /// Pieces of its earlier state, to be named instead of sent.
    var pieces: [UploadPiece]?
}

/// The content of some files as the stream of operations that the server takes, read while it is sent.
struct PutContent: AsyncSequence, Sendable {
    let files: [PutFile]
    let seed: [UInt8]
    let progress: ProgressLine

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    struct AsyncIterator: AsyncIteratorProtocol {
        private let content: PutContent
        private var index = 0
        private var file: PutFileSteps?

        fileprivate init(_ content: PutContent) { self.content = content }

        // Blocks a thread while a file is read; the command has nothing else to do meanwhile.
        mutating func next() async throws -> ByteBuffer? {
            var bytes: [UInt8] = []
            // Small files together, so that each does not cost a packet.
            while bytes.count < 64 << 10 {
                if let file {
                    if let step = try file.next() {
                        bytes += step
                    } else {
                        self.file = nil
                    }
                    continue
                }
                guard index < content.files.count else { break }
                let next = content.files[index]
                index += 1
                if next.item.byteCount <= Int64(PutOperation.smallBytesMaximum), next.offset == 0, next.pieces == nil {
                    bytes += try PutContent.small(next)
                } else {
                    file = try PutFileSteps(next, seed: content.seed)
                }
            }
            if bytes.isEmpty { return nil }
            content.progress.add(Int64(bytes.count))
            return ByteBuffer(bytes: bytes)
        }
    }

    private static func small(_ file: PutFile) throws -> [UInt8] {
        let local = try LocalFile(file.item.place)
        let bytes = try local.read(Int(file.item.byteCount) + 1) ?? []
        guard Int64(bytes.count) == file.item.byteCount else { throw PutContent.changed(local.name) }
        return PutOperation.small(file.index, bytes).encode()
    }

    fileprivate static func changed(_ name: String) -> CommandFailure {
        CommandFailure(.conflict, "\(name) changed while it was sent; nothing was stored")
    }
}

/// A large file, step by step: bytes, and copies out of its earlier state. Used by one task at a time.
private final class PutFileSteps {
    private let file: PutFile
    private let local: LocalFile
    private var cutter: PieceCutter?
    /// Where the earlier state has which piece.
    private var known: [UploadPiece: Int64] = [:]
    /// How much of the file has been read and turned into steps.
    private var position: Int64 = 0
    /// A copy that the next piece may prolong.
    private var copy: (offset: Int64, count: Int64)?
    private var phase = Phase.opening

    private enum Phase { case opening, reading, over }

    init(_ file: PutFile, seed: [UInt8]) throws {
        self.file = file
        local = try LocalFile(file.item.place)
        if let pieces = file.pieces {
            cutter = PieceCutter(seed: seed)
            var offset: Int64 = 0
            for piece in pieces {
                if known[piece] == nil { known[piece] = offset }
                offset += Int64(piece.byteCount)
            }
        } else {
            try local.seek(file.offset)
            position = file.offset
        }
    }

    /// The next operations; nil when the file is complete.
    func next() throws -> [UInt8]? {
        switch phase {
        case .opening:
            phase = .reading
            return PutOperation.open(file.index, file.offset).encode()
        case .reading:
            if let bytes = try local.read(256 << 10) { return try steps(bytes) }
            phase = .over
            return try end()
        case .over: return nil
        }
    }

    private func steps(_ bytes: [UInt8]) throws -> [UInt8] {
        guard cutter != nil else {
            position += Int64(bytes.count)
            guard position <= file.item.byteCount else { throw PutContent.changed(local.name) }
            return PutOperation.data(bytes).encode()
        }
        var out: [UInt8] = []
        bytes.withUnsafeBytes { cutter?.feed($0) { piece, raw in out += step(piece, raw) } }
        return out
    }

    /// A piece as a step; what was received before is left out.
    private func step(_ piece: UploadPiece, _ raw: UnsafeRawBufferPointer) -> [UInt8] {
        let start = position
        position += Int64(piece.byteCount)
        let skip = max(0, min(Int64(piece.byteCount), file.offset - start))
        guard skip < piece.byteCount else { return [] }
        let count = Int64(piece.byteCount) - skip
        if let place = known[piece] {
            if let before = copy, before.offset + before.count == place + skip {
                copy = (before.offset, before.count + count)
                return []
            }
            defer { copy = (place + skip, count) }
            return flushed()
        }
        return flushed() + PutOperation.data(Array(raw.dropFirst(Int(skip)))).encode()
    }

    private func flushed() -> [UInt8] {
        guard let copy else { return [] }
        self.copy = nil
        return PutOperation.copy(copy.offset, copy.count).encode()
    }

    private func end() throws -> [UInt8] {
        var out: [UInt8] = []
        cutter?.finish { piece, raw in out += step(piece, raw) }
        guard position == file.item.byteCount else { throw PutContent.changed(local.name) }
        return out + flushed() + PutOperation.close.encode()
    }
}
