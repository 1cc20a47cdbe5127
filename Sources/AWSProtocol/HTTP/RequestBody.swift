public import Cryptography
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
        case secret(SecretBytes)
        case stream(@Sendable () -> any AsyncIteratorProtocol<[UInt8], any Error>)
    }

    /// A body that is already in memory.
    public init(bytes: [UInt8]) {
        contentLength = Int64(bytes.count)
        trailers = nil
        source = .memory(bytes)
    }

    /// A document that may hold plaintext, in memory that is wiped when nobody needs it any more.
    public init(secret bytes: SecretBytes) {
        contentLength = Int64(bytes.count)
        trailers = nil
        source = .secret(bytes)
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
        case .secret(let bytes): Iterator(base: SinglePiece(piece: bytes.count == 0 ? nil : bytes.disclosing()))
        case .stream(let make): Iterator(base: make())
        }
    }

    /// Reads the whole body into memory; of a secret document it makes a copy.
    /// - Parameter limit: the most bytes to accept.
    /// - Throws: ``AWSError`` `RequestEntityTooLarge` beyond the limit; whatever reading throws.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        if let contentLength, contentLength > Int64(limit) { throw AWSError.tooLarge(limit: limit) }
        switch source {
        case .memory(let bytes): return bytes
        case .secret(let bytes): return bytes.disclosing()
        case .stream: break
        }
        var all: [UInt8] = []
        for try await piece in self {
            guard all.count + piece.count <= limit else { throw AWSError.tooLarge(limit: limit) }
            all.append(contentsOf: piece)
        }
        return all
    }

    /// Reads the whole body into secret memory. The pieces of a stream are wiped behind it.
    /// - Parameter limit: the most bytes to accept.
    /// - Throws: ``AWSError`` `RequestEntityTooLarge` beyond the limit; whatever reading throws.
    public func secret(upTo limit: Int) async throws -> SecretBytes {
        if let contentLength, contentLength > Int64(limit) { throw AWSError.tooLarge(limit: limit) }
        switch source {
        case .memory(let bytes): return bytes.withUnsafeBytes { SecretBytes(copying: $0) }
        case .secret(let bytes): return bytes
        case .stream: break
        }
        // What a client announces is no reason to take as much memory before it comes.
        var all = SecretBuffer(reserving: Swift.min(Int(contentLength ?? 0), 64 << 10))
        var pieces = makeAsyncIterator()
        while var piece = try await pieces.next() {
            let isTooMuch = all.count + piece.count > limit
            if !isTooMuch { piece.withUnsafeBytes { all.append($0) } }
            wipe(&piece)
            if isTooMuch { throw AWSError.tooLarge(limit: limit) }
        }
        return all.finish()
    }

    /// The same body in memory, and the SHA-256 of its bytes. What comes as a stream comes to lie in secret memory.
    func gathered(upTo limit: Int) async throws -> (body: RequestBody, digest: SHA256Digest) {
        if case .memory(let bytes) = source, bytes.count <= limit { return (self, SHA256.digest(bytes)) }
        let bytes = try await secret(upTo: limit)
        return (RequestBody(secret: bytes), bytes.withUnsafeBytes { SHA256.digest($0) })
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
