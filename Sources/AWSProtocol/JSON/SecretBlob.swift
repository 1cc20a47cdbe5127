public import Cryptography

/// A blob that a service's model calls sensitive: in base 64 on the wire, in secret memory here.
///
/// Only the coders of ``JSONOperationTable`` know how to read and write it; any other would make copies that nobody wipes,
/// and is refused.
public struct SecretBlob: Sendable, Hashable {
    /// The content.
    public let bytes: SecretBytes

    /// A blob of these bytes.
    public init(_ bytes: SecretBytes) { self.bytes = bytes }

    /// Compares in time that depends on the lengths only.
    public static func == (a: SecretBlob, b: SecretBlob) -> Bool { constantTimeEqual(a.bytes, b.bytes) }

    /// Tells the length only.
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes.count) }
}

extension SecretBlob: Codable {
    /// Refuses: the coder is not one that keeps secrets.
    public init(from decoder: any Decoder) throws {
        throw DecodingError.dataCorrupted(
            .init(codingPath: decoder.codingPath, debugDescription: "this decoder does not keep secrets"))
    }

    /// Refuses: the coder is not one that keeps secrets.
    public func encode(to encoder: any Encoder) throws {
        throw EncodingError.invalidValue(
            self, .init(codingPath: encoder.codingPath, debugDescription: "this encoder does not keep secrets"))
    }
}
