/// JSON as the AWS JSON protocols write it: times as epoch seconds with milliseconds, blobs in base 64, no nulls.
///
/// Not Foundation's coders: these cost several times what the rest of a small call does.
public enum AWSJSON {
    /// Encodes a value; members are in the order of their names.
    /// - Throws: `EncodingError` for what JSON has no form for, and for secrets, which ``answer(_:)`` takes.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let text = try JSONValueEncoder.text(value)
        guard text.secrets.isEmpty else {
            throw EncodingError.invalidValue(value, .init(codingPath: [], debugDescription: "it holds secrets"))
        }
        return text.plain
    }

    /// Encodes an answer, into secret memory when there is a ``SecretBlob`` in it.
    public static func answer(_ value: some Encodable) throws -> ResponseBody {
        let text = try JSONValueEncoder.text(value)
        return text.secrets.isEmpty ? .bytes(text.plain) : .secret(text.secret())
    }

    /// Decodes a document.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONValueDecoder.decode(type, from: try JSONParser.parse(bytes))
    }
}
