public import Cryptography
public import HTTPTypes

/// An HTTP response, free of any transport.
public struct ServiceResponse: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields. `Content-Length` is the adapter's business, from the body's length.
    public var headers: HTTPFields
    /// The body.
    public var body: ResponseBody

    /// Makes a response.
    public init(status: Int, headers: HTTPFields = [:], body: ResponseBody = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Sets a header by its spelled-out name; a name that is not a legal token is ignored.
    public mutating func setHeader(_ name: String, _ value: String) {
        guard let name = HTTPField.Name(name) else { return }
        headers[name] = value
    }

    /// What an answer with a secret in it says of caching, as the answers of AWS KMS do. By this the transport knows such an
    /// answer where its parts are all that it sees.
    public static let secretCacheControl = "no-cache, no-store, must-revalidate, private"

    /// The fields of an answer with a secret in it.
    static let secretFields: [HTTPField] = {
        var fields = [
            HTTPField(name: .cacheControl, value: secretCacheControl), HTTPField(name: .expires, value: "0"),
        ]
        if let pragma = HTTPField.Name("Pragma") { fields.append(HTTPField(name: pragma, value: "no-cache")) }
        return fields
    }()

    /// A response with a UTF-8 text body.
    public static func text(status: Int, contentType: String, _ text: String) -> ServiceResponse {
        ServiceResponse(status: status, headers: [.contentType: contentType], body: .bytes(Array(text.utf8)))
    }
}

/// What a response carries.
public enum ResponseBody: Sendable {
    /// Nothing, with a length of zero.
    case empty
    /// Bytes in memory.
    case bytes([UInt8])
    /// A document with plaintext in it. Whoever copies it for the wire wipes the copy when it has been sent.
    case secret(SecretBytes)
    /// Bytes produced while they are sent. A stream that throws must break the connection, so that the client notices.
    case stream(length: Int64?, any AsyncSequence<[UInt8], any Error> & Sendable)

    /// The number of bytes, when known.
    public var length: Int64? {
        switch self {
        case .empty: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .secret(let bytes): Int64(bytes.count)
        case .stream(let length, _): length
        }
    }

    /// Reads everything into memory; for tests and small documents. Of a secret it makes a copy that nobody wipes.
    /// - Throws: ``AWSError`` `RequestEntityTooLarge` beyond `limit`; whatever the stream throws.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        switch self {
        case .empty: return []
        case .bytes(let bytes): return bytes
        case .secret(let bytes): return bytes.disclosing()
        case .stream(_, let stream):
            var all: [UInt8] = []
            for try await piece in stream {
                guard all.count + piece.count <= limit else { throw AWSError.tooLarge(limit: limit) }
                all.append(contentsOf: piece)
            }
            return all
        }
    }
}
