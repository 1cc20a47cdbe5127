import Synchronization

/// Cuts bytes that are in memory into pieces for a `ByteStream`.
final class PieceQueue: Sendable {
    private let rest: Mutex<ArraySlice<UInt8>>

    init(_ bytes: [UInt8]) { rest = Mutex(bytes[...]) }

    func next() -> [UInt8]? {
        rest.withLock { rest in
            guard !rest.isEmpty else { return nil }
            let piece = rest.prefix(256 << 10)
            rest = rest.dropFirst(piece.count)
            return Array(piece)
        }
    }
}
