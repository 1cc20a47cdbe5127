/// Why bytes could not be compressed or restored.
public enum CompressionError: Error, Equatable, CustomStringConvertible {
    /// The compressed form does not fit the output buffer; store the bytes as they are.
    case outputTooSmall(capacity: Int)
    /// The compressed bytes are malformed, truncated, or do not end where they should.
    case malformed(String)
    /// The fragment expands to another length than was promised.
    case wrongLength(expected: Int)
    /// The library could not be set up (memory is short, or the encoder asked for is not installed).
    case unavailable(String)

    /// A sentence for people.
    public var description: String {
        switch self {
        case .outputTooSmall(let capacity): "the compressed form does not fit \(capacity) bytes"
        case .malformed(let reason): "malformed deflate data: \(reason)"
        case .wrongLength(let expected): "the deflate data does not expand to exactly \(expected) bytes"
        case .unavailable(let reason): "compression is unavailable: \(reason)"
        }
    }
}
