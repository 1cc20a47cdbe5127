/// A reference `#{namespace.key}` inside a value.
public struct VariableReference: Hashable, Sendable, CustomStringConvertible {
    /// The part before the first dot.
    public var namespace: String
    /// The part after it.
    public var key: String

    /// As it is written.
    public var description: String { "#{\(namespace).\(key)}" }

    /// The namespace that holds `PipelineExecutionId`.
    public static let reservedNamespace = "codepipeline"
    /// The namespace that holds the pipeline's own variables.
    public static let pipelineNamespace = "variables"
}

/// Finds and replaces `#{namespace.key}` references. A `#{` without a matching brace or without a dot is plain text, as
/// shell and template languages use the same characters.
public enum VariableText {
    /// A piece of a value.
    public enum Piece: Hashable, Sendable {
        /// Plain text.
        case text(String)
        /// A reference.
        case reference(VariableReference)
    }

    /// Splits a value at its references.
    public static func pieces(of value: String) -> [Piece] {
        var pieces: [Piece] = []
        var plain = ""
        var rest = Substring(value)
        while let marker = rest.firstIndex(of: "#") {
            plain += rest[..<marker]
            let afterMarker = rest.index(after: marker)
            if let (reference, end) = reference(in: rest, at: afterMarker) {
                if !plain.isEmpty { pieces.append(.text(plain)) }
                plain = ""
                pieces.append(.reference(reference))
                rest = rest[end...]
            } else {
                plain.append("#")
                rest = rest[afterMarker...]
            }
        }
        plain += rest
        if !plain.isEmpty { pieces.append(.text(plain)) }
        return pieces
    }

    private static func reference(
        in text: Substring, at index: Substring.Index
    ) -> (VariableReference, Substring.Index)? {
        guard index < text.endIndex, text[index] == "{", let close = text[index...].firstIndex(of: "}") else {
            return nil
        }
        let inside = text[text.index(after: index)..<close]
        guard let dot = inside.firstIndex(of: ".") else { return nil }
        let namespace = inside[..<dot]
        let key = inside[inside.index(after: dot)...]
        guard !namespace.isEmpty, !key.isEmpty,
            namespace.allSatisfy(ShapePattern.isNamespaceCharacter), !key.contains(where: \.isWhitespace)
        else { return nil }
        return (VariableReference(namespace: String(namespace), key: String(key)), text.index(after: close))
    }

    /// The references in a value, in order.
    public static func references(in value: String) -> [VariableReference] {
        pieces(of: value).compactMap { if case .reference(let reference) = $0 { reference } else { nil } }
    }

    /// Replaces every reference by what `lookUp` finds for it.
    ///
    /// - Throws: the first reference for which nothing was found.
    public static func resolve(
        _ value: String, _ lookUp: (VariableReference) -> String?
    ) throws(UnresolvedVariable) -> String {
        guard value.contains("#{") else { return value }
        var result = ""
        for piece in pieces(of: value) {
            switch piece {
            case .text(let text): result += text
            case .reference(let reference):
                guard let found = lookUp(reference) else { throw UnresolvedVariable(reference: reference) }
                result += found
            }
        }
        return result
    }
}

/// A reference to something that no action has set.
public struct UnresolvedVariable: Error, Hashable, Sendable {
    /// The reference.
    public var reference: VariableReference
}

extension ActionDeclaration {
    /// Every value of the action in which references are replaced, with the name a refusal calls it by.
    public var referencingValues: [(key: String, value: String)] {
        var values = (configuration ?? [:]).sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
        values += (commands ?? []).map { (key: "commands", value: $0) }
        values += (environmentVariables ?? []).map { (key: "environmentVariables.\($0.name)", value: $0.value) }
        return values
    }
}
