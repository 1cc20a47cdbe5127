extension PipelineError {
    /// What a request that could not be decoded is answered with: ValidationException for a missing member,
    /// SerializationException for one of the wrong type.
    ///
    /// - Parameter prefix: the path of the decoded value inside the request, such as `pipeline`; may be empty.
    public init(_ error: DecodingError, prefix: String = "") {
        func path(_ keys: [any CodingKey]) -> String {
            var parts = prefix.isEmpty ? [] : [prefix]
            for key in keys {
                if let index = key.intValue {
                    parts += [String(index + 1), "member"]
                } else {
                    parts.append(key.stringValue)
                }
            }
            return parts.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context):
            self = Self.missing(path(context.codingPath + [key]))
        case .valueNotFound(_, let context):
            self = Self.missing(path(context.codingPath))
        case .typeMismatch(let type, let context):
            self.init(.serialization, "The member at '\(path(context.codingPath))' must be of type \(type).")
        default:
            self.init(.serialization, "The request body is not valid JSON.")
        }
    }

    private static func missing(_ path: String) -> PipelineError {
        PipelineError(
            .validation,
            "1 validation error detected: Value null at '\(path)' failed to satisfy constraint: "
                + "Member must not be null")
    }
}
