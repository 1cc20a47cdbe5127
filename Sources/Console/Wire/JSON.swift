import Foundation

/// JSON as the native API writes and reads it: members in camel case, times as ISO 8601 with milliseconds in UTC.
package enum JSON {
    /// One line, members sorted so that equal values are equal bytes.
    package static func compact(_ value: some Encodable) throws -> [UInt8] {
        try bytes(value, [.sortedKeys, .withoutEscapingSlashes])
    }

    /// For people.
    package static func pretty(_ value: some Encodable) throws -> [UInt8] {
        try bytes(value, [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
    }

    /// The value that some JSON stands for.
    package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            guard let date = try? Date(text, strategy: timeFormat) else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "\(text) is not an ISO 8601 time"))
            }
            return date
        }
        return try decoder.decode(type, from: Data(bytes))
    }

    private static let timeFormat = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    private static func bytes(_ value: some Encodable, _ format: JSONEncoder.OutputFormatting) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = format
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            // The format cuts off what is finer than a millisecond: round to the middle of one first.
            let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
            try container.encode(Date(timeIntervalSince1970: (milliseconds + 0.5) / 1000).formatted(timeFormat))
        }
        return Array(try encoder.encode(value))
    }
}

/// A refusal.
package struct ErrorAnswer: Codable, Sendable {
    package var code: String
    package var message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}

/// A request that was carried out and has nothing else to say.
package struct Done: Codable, Sendable {
    package var message: String

    package init(_ message: String) { self.message = message }
}
