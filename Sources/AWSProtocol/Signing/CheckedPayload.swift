import Cryptography

/// Decodes an `aws-chunked` body while it is read.
struct ChunkedPayload: AsyncSequence, Sendable {
    typealias Element = [UInt8]

    let base: RequestBody
    let makeDecoder: @Sendable () -> ChunkedDecoder
    let trailers: BodyTrailers

    func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), decoder: makeDecoder(), trailers: trailers)
    }

    struct Iterator: AsyncIteratorProtocol {
        var base: RequestBody.Iterator
        var decoder: ChunkedDecoder
        let trailers: BodyTrailers
        var ended = false

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> [UInt8]? {
            while !ended {
                guard let piece = try await base.next(isolation: actor) else {
                    ended = true
                    try decoder.finish()
                    trailers.set(decoder.trailers)
                    return nil
                }
                var output: [UInt8] = []
                output.reserveCapacity(piece.count)
                try decoder.decode(piece, into: &output)
                if !output.isEmpty { return output }
            }
            return nil
        }
    }
}

/// Passes a body on while hashing it, and fails at its end when the hash is not the one that was signed.
struct HashedPayload: AsyncSequence, Sendable {
    typealias Element = [UInt8]

    let base: RequestBody
    /// The lower-case hexadecimal SHA-256 that the client signed.
    let claimed: String
    let dialect: Dialect

    func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), claimed: claimed, dialect: dialect)
    }

    struct Iterator: AsyncIteratorProtocol {
        var base: RequestBody.Iterator
        let claimed: String
        let dialect: Dialect
        var hash = SHA256()
        var ended = false

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> [UInt8]? {
            guard !ended else { return nil }
            if let piece = try await base.next(isolation: actor) {
                piece.withUnsafeBytes { hash.update($0) }
                return piece
            }
            ended = true
            let computed = hash.finish().description
            guard computed == claimed else {
                throw AuthenticationFailure.payloadMismatch(claimed: claimed, computed: computed).error(in: dialect)
            }
            return nil
        }
    }
}

/// The values of `x-amz-content-sha256`.
enum PayloadHash {
    static let ofNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    static let unsigned = "UNSIGNED-PAYLOAD"
    static let streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    static let streamingSigned = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    static let streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"

    /// Whether the text is 64 hexadecimal digits.
    static func isDigest(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { PercentCoding.hexValue($0) != nil }
    }
}
