import Cryptography

/// Takes apart the `aws-chunked` framing of S3 uploads and checks its signatures.
///
/// Framing: `hex-size[;chunk-signature=<64 hex>]\r\n<bytes>\r\n` repeated, a chunk of size zero, trailer lines
/// `name:value\r\n`, a blank line (S3 API reference, "Signature calculations … Transferring payload in multiple chunks" and
/// "… including trailing headers"). Memory is bounded by the longest line, not by a chunk: content is handed on while its
/// chunk is being hashed, so a consumer must not act on it before ``finish()`` has returned.
struct ChunkedDecoder {
    /// What is needed to check the chunks' signatures.
    struct Signing: Sendable {
        var key: SigningKey
        var timestamp: String
        /// The signature of the piece before: first the request's own.
        var previous: String
    }

    private enum State {
        /// Reading a chunk's size line; then ``content`` or, for a chunk of size zero, ``trailer``.
        case sizeLine
        /// Reading a chunk's bytes; then ``lineEnd``.
        case content(remaining: Int64)
        /// Reading the line end after a chunk's bytes; then ``sizeLine``.
        case lineEnd
        /// Reading trailer lines up to the blank one; then ``done``.
        case trailer
        /// The end. Further bytes are an error.
        case done
    }

    static let lineBytesMax = 4096
    static let trailerBytesMax = 16 * 1024

    private var state = State.sizeLine
    private var line: [UInt8] = []
    private var signing: Signing?
    private var chunkHash = SHA256()
    private var chunkSignature = ""
    private var decoded: Int64 = 0
    private var trailerBytes = 0
    private let expected: Int64?
    private let declaredTrailers: [String]
    /// The trailers so far, names in lower case.
    private(set) var trailers: [(name: String, value: String)] = []
    private var trailerSignature: String?
    private let expectsTrailer: Bool

    /// - Parameters:
    ///   - signing: keys for signed chunks, `nil` for unsigned ones.
    ///   - expectedBytes: `x-amz-decoded-content-length`.
    ///   - declaredTrailers: the names in `x-amz-trailer`, lower case.
    init(signing: Signing?, expectedBytes: Int64?, declaredTrailers: [String], expectsTrailer: Bool) {
        self.signing = signing
        self.expected = expectedBytes
        self.declaredTrailers = declaredTrailers
        self.expectsTrailer = expectsTrailer
    }

    /// Takes the next piece as received and appends the content in it to `output`.
    mutating func decode(_ input: [UInt8], into output: inout [UInt8]) throws(AWSError) {
        var index = 0
        while index < input.count {
            switch state {
            case .content(let remaining):
                let count = Int(min(remaining, Int64(input.count - index)))
                let piece = input[index..<(index + count)]
                output.append(contentsOf: piece)
                if signing != nil { piece.withUnsafeBytes { chunkHash.update($0) } }
                index += count
                decoded += Int64(count)
                if Int64(count) == remaining {
                    state = .lineEnd
                    try checkChunkSignature()
                } else {
                    state = .content(remaining: remaining - Int64(count))
                }
            case .sizeLine, .lineEnd, .trailer:
                let byte = input[index]
                index += 1
                guard byte == UInt8(ascii: "\n") else {
                    guard line.count < Self.lineBytesMax else { throw Self.malformed("a line is too long") }
                    line.append(byte)
                    continue
                }
                guard line.last == UInt8(ascii: "\r") else { throw Self.malformed("a line does not end with CR LF") }
                line.removeLast()
                let complete = line
                line.removeAll(keepingCapacity: true)
                try take(complete)
            case .done:
                throw Self.malformed("bytes follow the end")
            }
        }
    }

    /// Says that the input has ended.
    /// - Throws: `IncompleteBody` when it ended early, or held another number of bytes than announced.
    func finish() throws(AWSError) {
        guard case .done = state else {
            throw AWSError(
                "IncompleteBody", "The chunked upload ended before its last chunk, after \(decoded) bytes of content.")
        }
        if let expected, expected != decoded {
            throw AWSError(
                "IncompleteBody",
                "x-amz-decoded-content-length announced \(expected) bytes, but the chunks hold \(decoded).")
        }
    }

    private mutating func take(_ line: [UInt8]) throws(AWSError) {
        switch state {
        case .sizeLine: try takeSize(line)
        case .lineEnd:
            guard line.isEmpty else { throw Self.malformed("a chunk is longer than its size line says") }
            state = .sizeLine
        case .trailer: try takeTrailer(line)
        case .content, .done: break
        }
    }

    private mutating func takeSize(_ line: [UInt8]) throws(AWSError) {
        let parts = line.split(separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
        var size: Int64 = 0
        guard let digits = parts.first, (1...15).contains(digits.count) else {
            throw Self.malformed("a chunk's size is not a hexadecimal number")
        }
        for digit in digits {
            guard let value = PercentCoding.hexValue(digit) else {
                throw Self.malformed("a chunk's size is not a hexadecimal number")
            }
            size = size << 4 | Int64(value)
        }
        if let expected, size > expected - decoded {
            throw AWSError(
                "IncompleteBody", "The chunks hold more than the \(expected) bytes of x-amz-decoded-content-length.")
        }
        if signing != nil {
            let prefix = "chunk-signature="
            guard parts.count == 2 else { throw Self.malformed("a chunk carries no signature") }
            let text = String(decoding: parts[1], as: UTF8.self)
            guard text.hasPrefix(prefix) else { throw Self.malformed("a chunk carries no signature") }
            chunkSignature = String(text.dropFirst(prefix.count))
            chunkHash = SHA256()
        }
        if size > 0 {
            state = .content(remaining: size)
        } else {
            state = .trailer
            try checkChunkSignature()
        }
    }

    private mutating func checkChunkSignature() throws(AWSError) {
        guard let signing else { return }
        let stringToSign = [
            "AWS4-HMAC-SHA256-PAYLOAD", signing.timestamp, signing.key.scope.text, signing.previous,
            PayloadHash.ofNothing, chunkHash.finish().description,
        ].joined(separator: "\n")
        let computed = signing.key.signature(of: stringToSign)
        guard signaturesMatch(computed, chunkSignature) else { throw Self.mismatch("chunk", stringToSign) }
        self.signing?.previous = computed
    }

    private mutating func takeTrailer(_ line: [UInt8]) throws(AWSError) {
        guard !line.isEmpty else { return try endTrailers() }
        trailerBytes += line.count
        guard trailerBytes <= Self.trailerBytesMax else { throw Self.malformedTrailer("the trailers are too long") }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw Self.malformedTrailer("a trailer line has no colon")
        }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        let value = CanonicalRequest.collapse(String(decoding: line[(colon + 1)...], as: UTF8.self))
        if name == "x-amz-trailer-signature" {
            trailerSignature = value
        } else if declaredTrailers.contains(name) {
            trailers.append((name, value))
        } else {
            throw Self.malformedTrailer("the trailer '\(name.prefix(80))' is not announced in x-amz-trailer")
        }
    }

    private mutating func endTrailers() throws(AWSError) {
        state = .done
        for name in declaredTrailers where !trailers.contains(where: { $0.name == name }) {
            throw Self.malformedTrailer("the trailer '\(name)' was announced and did not come")
        }
        guard let signing, expectsTrailer else { return }
        guard let trailerSignature else { throw Self.malformedTrailer("x-amz-trailer-signature is missing") }
        let lines = trailers.map { "\($0.name):\($0.value)\n" }.joined()
        let stringToSign = [
            "AWS4-HMAC-SHA256-TRAILER", signing.timestamp, signing.key.scope.text, signing.previous,
            SHA256.digest(Array(lines.utf8)).description,
        ].joined(separator: "\n")
        guard signaturesMatch(signing.key.signature(of: stringToSign), trailerSignature) else {
            throw Self.mismatch("trailer", stringToSign)
        }
    }

    private static func malformed(_ what: String) -> AWSError {
        AWSError("InvalidRequest", "The body is not valid aws-chunked content: \(what).")
    }

    private static func malformedTrailer(_ what: String) -> AWSError {
        AWSError("MalformedTrailerError", "The request's trailing headers are not valid: \(what).")
    }

    private static func mismatch(_ what: String, _ stringToSign: String) -> AWSError {
        AWSError(
            "SignatureDoesNotMatch",
            "The \(what) signature we calculated does not match the one in the body. "
                + "Check your key and signing method.", fields: [("StringToSign", stringToSign)])
    }
}
