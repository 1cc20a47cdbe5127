import Synchronization

/// A request's body: pieces of bytes, pulled on demand, readable once.
///
/// Reading may throw: the transport's errors, and ``AWSError`` when the bytes turn out not to be the ones that were signed.
/// A consumer must therefore not act on the content before the sequence has ended.
public struct RequestBody: AsyncSequence, Sendable {
    /// A piece of the body.
    public typealias Element = [UInt8]
    /// Any error may come from the transport.
    public typealias Failure = any Error

    /// How many bytes the sequence will yield, when that is known beforehand.
    public let contentLength: Int64?
    /// What a chunked upload said after its last chunk; `nil` for other bodies. Complete once the sequence has ended.
    public let trailers: BodyTrailers?
    private let source: Source

    private enum Source: Sendable {
        case memory([UInt8])
        case stream(@Sendable () -> any AsyncIteratorProtocol<[UInt8], any Error>)
    }

    /// A body that is already in memory.
    public init(bytes: [UInt8]) {
        contentLength = Int64(bytes.count)
        trailers = nil
        source = .memory(bytes)
    }

    /// A body that arrives piece by piece.
    /// - Parameters:
    ///   - stream: the pieces; iterated at most once.
    ///   - contentLength: the number of bytes to expect, if the client said so.
    public init<Stream: AsyncSequence & Sendable>(
        stream: Stream, contentLength: Int64?, trailers: BodyTrailers? = nil
    ) where Stream.Element == [UInt8] {
        self.contentLength = contentLength
        self.trailers = trailers
        source = .stream { Erased(base: stream.makeAsyncIterator()) }
    }

    /// Starts reading.
    public func makeAsyncIterator() -> Iterator {
        switch source {
        case .memory(let bytes): Iterator(base: SinglePiece(piece: bytes.isEmpty ? nil : bytes))
        case .stream(let make): Iterator(base: make())
        }
    }

    /// Reads the whole body into memory.
    /// - Parameter limit: the most bytes to accept.
    /// - Throws: ``AWSError`` `RequestEntityTooLarge` beyond the limit; whatever reading throws.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        if let contentLength, contentLength > Int64(limit) { throw AWSError.tooLarge(limit: limit) }
        if case .memory(let bytes) = source { return bytes }
        var all: [UInt8] = []
        for try await piece in self {
            guard all.count + piece.count <= limit else { throw AWSError.tooLarge(limit: limit) }
            all.append(contentsOf: piece)
        }
        return all
    }

    /// Pulls the pieces of a body.
    public struct Iterator: AsyncIteratorProtocol {
        var base: any AsyncIteratorProtocol<[UInt8], any Error>

        /// The next piece, `nil` at the end.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            try await base.next(isolation: actor)
        }

        /// The next piece, `nil` at the end.
        public mutating func next() async throws -> [UInt8]? {
            try await next(isolation: #isolation)
        }
    }

    private struct SinglePiece: AsyncIteratorProtocol {
        var piece: [UInt8]?

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> [UInt8]? {
            defer { piece = nil }
            return piece
        }
    }

    private struct Erased<Base: AsyncIteratorProtocol>: AsyncIteratorProtocol where Base.Element == [UInt8] {
        var base: Base

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> [UInt8]? {
            try await base.next(isolation: actor)
        }
    }
}

/// The trailing header fields of a chunked upload. Empty until its body has been read to the end.
public final class BodyTrailers: Sendable {
    private let fields = Mutex<[String: String]>([:])

    /// Makes an empty set of trailers.
    public init() {}

    /// The value of the trailer called `name` (any case), `nil` when it did not come.
    public subscript(name: String) -> String? { fields.withLock { $0[name.lowercased()] } }

    /// All trailers, by lower-case name.
    public var all: [String: String] { fields.withLock { $0 } }

    func set(_ trailers: [(name: String, value: String)]) {
        fields.withLock { fields in
            for trailer in trailers { fields[trailer.name] = trailer.value }
        }
    }
}
