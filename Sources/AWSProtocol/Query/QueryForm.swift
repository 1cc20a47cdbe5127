import HTTPTypes

/// The parameters of a Query request, given the form of a document so that one validator serves every dialect.
///
/// Lists are `Name.member.N`, maps `Name.entry.N.key` and `…value`, structures `Name.Member`; an empty list arrives as
/// `Name=`.
struct QueryForm {
    let items: [String: String]

    /// Reads the parameters from the query and, for a posted form, from the body.
    static func read(_ request: ServiceRequest) async throws -> QueryForm {
        var items: [String: String] = [:]
        for (name, value) in request.queryItems { items[name] = value }
        let isForm = request.headers[.contentType]?.lowercased().hasPrefix("application/x-www-form-urlencoded") ?? true
        if request.method == "POST", isForm {
            let body = try await request.body.collect(upTo: ServiceRouter.formBytesMax)
            for (name, value) in PercentCoding.formItems(String(decoding: body, as: UTF8.self)) { items[name] = value }
        }
        return QueryForm(items: items)
    }

    /// The document that a shape's parameters describe.
    /// - Throws: ``AWSError`` `MalformedInput` for text that is not of a member's type.
    func document(_ input: String, _ table: ShapeTable) throws(AWSError) -> JSONValue {
        try value(of: input, at: "", table) ?? .object([:])
    }

    private func value(of name: String, at path: String, _ table: ShapeTable) throws(AWSError) -> JSONValue? {
        guard let shape = table.shapes[name] else { return nil }
        switch shape.kind {
        case .structure(let members): return try structure(members, at: path, table)
        case .list(let element): return try list(element, at: path, table)
        case .map(let key, let value): return try map(key, value, at: path, table)
        case .string, .blob, .timestamp: return items[path].map { .string($0) }
        case .boolean: return try scalar(path) { $0 == "true" ? .bool(true) : $0 == "false" ? .bool(false) : nil }
        case .integer: return try scalar(path) { Int64($0).map { .integer($0) } }
        case .number: return try scalar(path) { Double($0).map { .number($0) } }
        }
    }

    private func scalar(_ path: String, _ read: (String) -> JSONValue?) throws(AWSError) -> JSONValue? {
        guard let text = items[path] else { return nil }
        guard let value = read(text) else {
            throw AWSError("MalformedInput", "The parameter \(path) does not have its type: '\(text.prefix(100))'.")
        }
        return value
    }

    private func structure(
        _ members: [ShapeTable.Member], at path: String, _ table: ShapeTable
    ) throws(AWSError) -> JSONValue? {
        guard path.isEmpty || items.keys.contains(where: { $0.hasPrefix(path + ".") }) else { return nil }
        var object: [String: JSONValue] = [:]
        for member in members {
            let place = path.isEmpty ? member.name : "\(path).\(member.name)"
            if let value = try value(of: member.shape, at: place, table) { object[member.name] = value }
        }
        return .object(object)
    }

    private func list(_ element: String, at path: String, _ table: ShapeTable) throws(AWSError) -> JSONValue? {
        var elements: [JSONValue] = []
        while let value = try value(of: element, at: "\(path).member.\(elements.count + 1)", table) {
            elements.append(value)
        }
        return elements.isEmpty && items[path] == nil ? nil : .array(elements)
    }

    private func map(
        _ key: String, _ value: String, at path: String, _ table: ShapeTable
    ) throws(AWSError) -> JSONValue? {
        var object: [String: JSONValue] = [:]
        var index = 1
        while let name = items["\(path).entry.\(index).key"] {
            object[name] = try self.value(of: value, at: "\(path).entry.\(index).value", table) ?? .null
            index += 1
        }
        return object.isEmpty && items[path] == nil ? nil : .object(object)
    }
}
