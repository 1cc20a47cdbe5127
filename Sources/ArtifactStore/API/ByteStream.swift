/// Bytes read on demand, in pieces of at most 256 KiB. Every piece was authenticated before it is handed out.
///
/// A stream can be read once. Nothing is read ahead of demand beyond a small window, so dropping the stream stops the work.
public struct ByteStream: AsyncSequence, Sendable {
    /// A piece of the bytes.
    public typealias Element = [UInt8]
    /// Reading may fail at any piece.
    public typealias Failure = any Error

    /// Where the pieces come from; called by one task at a time.
    public typealias Pull = @Sendable () async throws -> [UInt8]?

    /// The exact number of bytes that the stream will yield.
    public let byteCount: Int64
    private let makePull: @Sendable () -> Pull

    /// A stream of `byteCount` bytes; `makePull` answers where they come from, piece by piece, nil at the end.
    public init(byteCount: Int64, _ makePull: @escaping @Sendable () -> Pull) {
        self.byteCount = byteCount
        self.makePull = makePull
    }

    /// A stream of bytes that are already in memory.
    public init(_ bytes: [UInt8]) {
        self.init(byteCount: Int64(bytes.count)) {
            let rest = PieceQueue(bytes)
            return { rest.next() }
        }
    }

    /// Reads pieces.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let pull: Pull

        /// The next piece, or nil at the end.
        public mutating func next() async throws -> [UInt8]? {
            try Task.checkCancellation()
            return try await pull()
        }
    }

    /// Starts reading.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pull: makePull()) }

    /// All bytes at once.
    ///
    /// - Throws: `StoreError` with `.invalid` when there are more than `limit`.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        guard byteCount <= Int64(limit) else {
            throw StoreError.invalid("the content has \(byteCount) bytes; at most \(limit) can be read at once")
        }
        var result: [UInt8] = []
        result.reserveCapacity(Int(byteCount))
        for try await piece in self { result += piece }
        return result
    }
}
