/// JSON as the AWS JSON protocols write it: times as epoch seconds with milliseconds, blobs in base 64, no nulls.
///
/// Not Foundation's coders: these cost several times what the rest of a small call does.
public enum AWSJSON {
    /// Encodes an answer; members are in the order of their names.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        try JSONValueEncoder.bytes(value)
    }

    /// Decodes a document.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONValueDecoder.decode(type, from: try JSONParser.parse(bytes))
    }
}
