import Foundation
import Yams

/// Reads buildspecs as CodeBuild does: unknown keys are ignored, a scalar may stand for a list of one, and the whole
/// may be JSON.
struct BuildspecParser {
    /// A buildspec of more bytes than this is refused.
    static let bytesMax = 1 << 20
    /// More nodes than this, aliases expanded, are refused.
    private static let nodesMax = 50_000

    private var visited = 0

    static func parse(_ text: String) throws(BuildspecError) -> Buildspec {
        guard text.utf8.count <= bytesMax else {
            throw BuildspecError(message: "The buildspec is larger than \(bytesMax) bytes")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text, .basic)
        } catch {
            throw BuildspecError(message: "The buildspec is not valid YAML: \(Self.oneLine("\(error)"))")
        }
        guard let root, let mapping = root.mapping else {
            throw BuildspecError(message: "The buildspec is not a YAML mapping with the keys version and phases")
        }
        var parser = BuildspecParser()
        return try parser.document(mapping)
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .joined(separator: " ")
    }

    // MARK: - The document

    private mutating func document(_ mapping: Node.Mapping) throws(BuildspecError) -> Buildspec {
        var spec = Buildspec()
        var hasVersion = false
        for (key, value) in try entries(mapping, "the buildspec") {
            switch key {
            case "version":
                spec.version = try version(try scalar(value, "version"))
                hasVersion = true
            case "run-as": spec.runAs = try scalar(value, "run-as")
            case "env": try environment(value, &spec)
            case "phases": try phases(value, &spec)
            case "artifacts": try artifactSection(value, &spec)
            case "reports": spec.reportGroups = try entries(of: value, "reports").map(\.key)
            case "cache":
                for (name, value) in try entries(of: value, "cache") where name == "paths" {
                    spec.cachePaths = try list(value, "cache paths")
                }
            case "batch": spec.hasBatch = true
            default: continue
            }
        }
        guard hasVersion else { throw BuildspecError(message: "The buildspec has no version; write version: 0.2") }
        return spec
    }

    private func version(_ text: String) throws(BuildspecError) -> Buildspec.Version {
        switch Double(text) {
        case 0.1: return .freshShells
        case 0.2: return .oneShell
        default:
            throw BuildspecError(message: "Buildspec version \(text) is not supported. Expected: 0.1 or 0.2")
        }
    }

    private mutating func environment(_ node: Node, _ spec: inout Buildspec) throws(BuildspecError) {
        for (key, value) in try entries(of: node, "env") {
            switch key {
            case "shell": spec.shell = try scalar(value, "env shell")
            case "variables": spec.variables = try pairs(value, "env variables")
            case "parameter-store": spec.parameterStore = try pairs(value, "env parameter-store")
            case "secrets-manager": spec.secretsManager = try pairs(value, "env secrets-manager")
            case "exported-variables": spec.exportedVariables = try list(value, "env exported-variables")
            default: continue
            }
        }
    }

    // MARK: - Phases

    private mutating func phases(_ node: Node, _ spec: inout Buildspec) throws(BuildspecError) {
        for (key, value) in try entries(of: node, "phases") {
            guard let name = Buildspec.PhaseName(rawValue: key) else {
                throw BuildspecError(
                    message: "Invalid buildspec phase name: \(key). Expected: install,pre_build,build,post_build")
            }
            var phase = Buildspec.Phase()
            for (key, value) in try entries(of: value, "phase \(name.rawValue)") {
                switch key {
                case "run-as": phase.runAs = try scalar(value, "run-as of phase \(name.rawValue)")
                case "on-failure": phase.onFailure = try onFailure(try scalar(value, "on-failure"))
                case "commands", "command": phase.commands = try list(value, "Commands")
                case "finally": phase.finally = try list(value, "Finally")
                case "runtime-versions":
                    phase.runtimeVersions = try pairs(value, "runtime-versions").map { ($0.name, $0.value) }
                default: continue
                }
            }
            spec.phases[name] = phase
        }
    }

    func onFailure(_ text: String) throws(BuildspecError) -> Buildspec.OnFailure {
        switch text.uppercased() {
        case "ABORT": return .abort
        case "CONTINUE": return .proceed
        case "RETRY": return .retry(attempts: 3, pattern: nil)
        default: break
        }
        guard text.uppercased().hasPrefix("RETRY-") else {
            throw BuildspecError(
                message: "Invalid on-failure value: \(text). Expected: ABORT, CONTINUE, RETRY, RETRY-<count>, "
                    + "RETRY-<regex> or RETRY-<count>-<regex>")
        }
        var rest = text.dropFirst("RETRY-".count)
        var attempts = 3
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        let after = rest.dropFirst(digits.count)
        if let count = Int(digits), after.isEmpty || after.first == "-" {
            guard count <= 100 else {
                throw BuildspecError(message: "Invalid on-failure value: \(text). The count is at most 100")
            }
            attempts = count
            rest = after.dropFirst()
        }
        guard !rest.isEmpty else { return .retry(attempts: attempts, pattern: nil) }
        do {
            _ = try Regex(String(rest))
        } catch {
            throw BuildspecError(message: "Invalid on-failure value: \(text). \(rest) is not a regular expression")
        }
        return .retry(attempts: attempts, pattern: String(rest))
    }

    // MARK: - Artifacts

    private mutating func artifactSection(_ node: Node, _ spec: inout Buildspec) throws(BuildspecError) {
        let entries = try entries(of: node, "artifacts")
        spec.artifacts = try artifacts(entries)
        for (key, value) in entries where key == "secondary-artifacts" {
            for (id, value) in try self.entries(of: value, "secondary-artifacts") {
                let members = try self.entries(of: value, "secondary artifact \(id)")
                spec.secondaryArtifacts.append((id, try artifacts(members)))
            }
        }
    }

    private mutating func artifacts(_ entries: [(key: String, value: Node)]) throws(BuildspecError)
        -> Buildspec.Artifacts
    {
        var artifacts = Buildspec.Artifacts()
        for (key, value) in entries {
            switch key {
            case "files": artifacts.files = try list(value, "artifact files")
            case "exclude-paths": artifacts.excludePaths = try list(value, "exclude-paths")
            case "base-directory": artifacts.baseDirectory = try scalar(value, "base-directory")
            case "discard-paths": artifacts.discardsPaths = try flag(value, "discard-paths")
            case "enable-symlinks": artifacts.keepsSymlinks = try flag(value, "enable-symlinks")
            case "name": artifacts.name = try scalar(value, "artifact name")
            default: continue
            }
        }
        return artifacts
    }

    // MARK: - Nodes

    private mutating func count(_ number: Int) throws(BuildspecError) {
        visited += number
        if visited > Self.nodesMax {
            throw BuildspecError(message: "The buildspec has more than \(Self.nodesMax) values")
        }
    }

    private func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private mutating func entries(of node: Node, _ what: String) throws(BuildspecError) -> [(key: String, value: Node)]
    {
        if isNull(node) { return [] }
        guard let mapping = node.mapping else {
            throw BuildspecError(message: "Expected \(what) to be a mapping\(place(node))")
        }
        return try entries(mapping, what)
    }

    /// The members in order; `<<` merges another mapping below what stands beside it.
    private mutating func entries(_ mapping: Node.Mapping, _ what: String) throws(BuildspecError)
        -> [(key: String, value: Node)]
    {
        try count(mapping.count)
        var result: [(key: String, value: Node)] = []
        var merged: [(key: String, value: Node)] = []
        for (key, value) in mapping {
            guard case .scalar(let name) = key else {
                throw BuildspecError(message: "Expected the keys of \(what) to be strings\(place(key))")
            }
            if name.string == "<<" {
                for source in value.sequence.map(Array.init) ?? [value] { merged += try entries(of: source, what) }
            } else {
                result.append((name.string, value))
            }
        }
        for entry in merged where !result.contains(where: { $0.key == entry.key }) { result.append(entry) }
        return result
    }

    private mutating func scalar(_ node: Node, _ what: String) throws(BuildspecError) -> String {
        try count(1)
        if isNull(node) { return "" }
        guard case .scalar(let scalar) = node else {
            throw BuildspecError(message: "Expected \(what) to be of string type\(place(node))")
        }
        return scalar.string
    }

    private mutating func list(_ node: Node, _ what: String) throws(BuildspecError) -> [String] {
        if isNull(node) { return [] }
        guard let sequence = node.sequence else { return [try scalar(node, what)] }
        var result: [String] = []
        for (index, element) in sequence.enumerated() {
            if element.mapping != nil {
                throw BuildspecError(
                    message: "Expected \(what)[\(index)] to be of string type: found subkeys instead\(place(element)); "
                        + "quote a value that has a colon followed by a space")
            }
            result.append(try scalar(element, "\(what)[\(index)]"))
        }
        return result
    }

    private mutating func pairs(_ node: Node, _ what: String) throws(BuildspecError) -> [(name: String, value: String)]
    {
        var result: [(name: String, value: String)] = []
        for (key, value) in try entries(of: node, what) {
            result.append((key, try scalar(value, "\(what) \(key)")))
        }
        return result
    }

    private mutating func flag(_ node: Node, _ what: String) throws(BuildspecError) -> Bool {
        let text = try scalar(node, what)
        switch text.lowercased() {
        case "yes", "true", "on", "y", "1": return true
        case "no", "false", "off", "n", "0", "": return false
        default: throw BuildspecError(message: "Expected \(what) to be yes or no, not \(text)\(place(node))")
        }
    }

    private func place(_ node: Node) -> String {
        node.mark.map { " at line \($0.line)" } ?? ""
    }
}
