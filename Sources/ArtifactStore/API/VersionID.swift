import Cryptography

/// The name of one stored version: a lowercase UUID, never used twice.
public struct VersionID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The UUID in lowercase.
    public let rawValue: String

    /// A version id from its text, or nil when it is not a UUID.
    public init?(_ text: String) {
        guard Hex.uuidBytes(text) != nil else { return nil }
        rawValue = text.lowercased()
    }

    /// A fresh id.
    public init() { rawValue = SecureRandom.uuid() }

    init(unchecked text: String) { rawValue = text }

    /// Decodes the text form; refuses what is not a UUID.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = VersionID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a version id is a UUID")
        }
        self = id
    }

    /// Encodes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    /// The UUID in lowercase.
    public var description: String { rawValue }

    /// The UUID's 16 bytes.
    var bytes: [UInt8] { Hex.uuidBytes(rawValue) ?? [] }
}
