/// The operations of a service and what the members of their requests must satisfy, as published in its model.
///
/// Parsed from the compact table that `scripts/generate-shapes` writes, one operation or shape a line; `-` stands for "none":
///
///     operation NAME INPUT
///     structure NAME [sensitive] MEMBER[!]:SHAPE …        (! is required)
///     list NAME MIN MAX [sensitive] ELEMENT
///     map NAME MIN MAX [sensitive] KEY VALUE
///     string NAME MIN MAX [sensitive] [enum=A|B] [pattern=rest of the line]
///     integer|long|double|boolean|timestamp|blob NAME MIN MAX [sensitive]
public struct ShapeTable: Sendable {
    struct Member: Sendable {
        var name: String
        var shape: String
        var isRequired: Bool
    }

    enum Kind: Sendable {
        case structure([Member])
        case list(element: String)
        case map(key: String, value: String)
        case string(allowed: [String], pattern: String?)
        case integer, number, boolean, timestamp, blob
    }

    struct Shape: Sendable {
        var kind: Kind
        var minimum: Double?
        var maximum: Double?
        var isSensitive = false
    }

    /// The input shape of every operation; `-` for an operation without one.
    let inputs: [String: String]
    let shapes: [String: Shape]

    /// The names of all operations, known to us or not.
    public var operations: [String] { inputs.keys.sorted() }

    /// The members of an operation's input whose content is to be read straight into secret memory: sensitive blobs.
    func secretMembers(of operation: String) -> Set<String> {
        guard let input = inputs[operation], case .structure(let members)? = shapes[input]?.kind else { return [] }
        return Set(
            members.lazy.filter { member in
                guard let shape = shapes[member.shape], shape.isSensitive, case .blob = shape.kind else { return false }
                return true
            }.map(\.name))
    }

    /// All patterns in the table, for a test that they can be used.
    var patterns: Set<String> {
        Set(
            shapes.values.compactMap { shape in
                if case .string(_, let pattern) = shape.kind { pattern } else { nil }
            })
    }

    /// Parses a generated table. Lines that make no sense are our own bug.
    public init(parsing text: String) {
        var inputs: [String: String] = [:]
        var shapes: [String: Shape] = [:]
        for line in text.split(separator: "\n") {
            var fields = line.split(separator: " ")[...]
            guard let kind = fields.popFirst(), let name = fields.popFirst() else { continue }
            if kind == "operation" {
                inputs[String(name)] = String(fields.first ?? "-")
            } else {
                shapes[String(name)] = Self.shape(kind, fields, line)
            }
        }
        self.inputs = inputs
        self.shapes = shapes
    }

    private static func shape(_ kind: Substring, _ fields: ArraySlice<Substring>, _ line: Substring) -> Shape {
        var fields = fields
        var shape = Shape(kind: .boolean)
        if kind != "structure" {
            shape.minimum = fields.popFirst().flatMap { Double($0) }
            shape.maximum = fields.popFirst().flatMap { Double($0) }
        }
        if fields.first == "sensitive" {
            shape.isSensitive = true
            fields.removeFirst()
        }
        switch kind {
        case "structure":
            shape.kind = .structure(
                fields.map { field in
                    let parts = field.split(separator: ":")
                    let isRequired = parts[0].hasSuffix("!")
                    return Member(
                        name: String(isRequired ? parts[0].dropLast() : parts[0]), shape: String(parts[1]),
                        isRequired: isRequired)
                })
        case "list": shape.kind = .list(element: String(fields.first ?? ""))
        case "map": shape.kind = .map(key: String(fields.first ?? ""), value: String(fields.last ?? ""))
        case "string":
            let allowed = fields.first { $0.hasPrefix("enum=") }
                .map { $0.dropFirst(5).split(separator: "|").map(String.init) }
            let pattern = line.firstRange(of: " pattern=").map { String(line[$0.upperBound...]) }
            shape.kind = .string(allowed: allowed ?? [], pattern: pattern)
        case "integer", "long": shape.kind = .integer
        case "double", "float": shape.kind = .number
        case "timestamp": shape.kind = .timestamp
        case "blob": shape.kind = .blob
        default: shape.kind = .boolean
        }
        return shape
    }
}
