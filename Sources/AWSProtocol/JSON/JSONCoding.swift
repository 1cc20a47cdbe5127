import Foundation

/// JSON as the AWS JSON protocols write it: times as epoch seconds with milliseconds, blobs in base 64, no nulls.
public enum AWSJSON {
    /// Encodes an answer.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            // From whole milliseconds, so that no binary fraction's tail is written.
            try container.encode((date.timeIntervalSince1970 * 1000).rounded() / 1000)
        }
        return Array(try encoder.encode(value))
    }

    /// Decodes a request's document.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            if let seconds = try? container.decode(Double.self) { return Date(timeIntervalSince1970: seconds) }
            let text = try container.decode(String.self)
            guard let date = try? Date(text, strategy: .iso8601) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "A time is epoch seconds or ISO 8601.")
            }
            return date
        }
        return try decoder.decode(type, from: Data(bytes))
    }
}
