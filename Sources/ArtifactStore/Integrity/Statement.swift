import Cryptography
import Foundation
import KeyHierarchy

/// What the log says of one thing. Encoded as JSON with sorted members; the encoding is what is hashed and signed.
struct Statement: Codable, Sendable, Hashable {
    /// What is stated.
    enum Kind: String, Codable, Sendable {
        /// A version was published.
        case version
        /// A deleted version was removed for good.
        case removal
        /// A version was pinned.
        case pin
        /// A pin was removed.
        case unpin
        /// A new signing key came into use.
        case key
        /// Somebody acknowledged that the database was put back to an earlier state.
        case restore
    }

    var format = 1
    var kind: Kind
    /// Keeps the hash of a statement from confirming a guess at what it says.
    var blind: String
    var account: String?
    var region: String?
    var repository: String?
    var artifact: String?
    var number: Int?
    var version: String?
    var execution: String?
    var stage: String?
    var action: String?
    var contentID: String?
    var rootKind: String?
    var bytes: Int64?
    var files: Int?
    var keyARN: String?
    var attributes: [String: String]?
    var by: String?
    /// When the thing happened, milliseconds since 1970.
    var at: Int64
    var pin: PinStatement?
    /// SubjectPublicKeyInfo of a signing key, in hexadecimal, and its version.
    var publicKey: String?
    var keyVersion: UInt32?
    /// In words.
    var note: String?

    /// A pin's fields.
    struct PinStatement: Codable, Sendable, Hashable {
        var name: String
        var kind: String
        var owner: String
        var reason: String
        var expiresAt: Int64?
    }

    init(_ kind: Kind, at: Int64) {
        self.kind = kind
        self.at = at
        blind = Hex.encode(SecureRandom.bytes(16))
    }

    /// What is stated when a version is published.
    init(_ version: Version) {
        self.init(.version, at: version.createdAt.milliseconds)
        let draft = version.draft
        account = draft.scope.account
        region = draft.scope.region
        repository = draft.repository
        artifact = draft.artifact
        number = version.number
        self.version = version.id.rawValue
        execution = draft.execution
        stage = draft.stage
        action = draft.action
        contentID = version.contentID.hex
        rootKind = version.rootKind.rawValue
        bytes = version.logicalBytes
        files = version.fileCount
        keyARN = version.keyARN
        attributes = draft.attributes
        by = draft.createdBy
    }

    /// How a version differs from what was stated when it was published; nil when it does not. The key may have changed
    /// since, by a re-wrap.
    func difference(from version: Version) -> String? {
        let now = Statement(version)
        var differences: [String] = []
        func compare<T: Equatable>(_ what: String, _ path: KeyPath<Statement, T?>) {
            guard self[keyPath: path] != now[keyPath: path] else { return }
            func say(_ value: T?) -> String { value.map { "\($0)" } ?? "none" }
            differences.append("\(what) is \(say(now[keyPath: path])), stated was \(say(self[keyPath: path]))")
        }
        compare("account", \.account)
        compare("region", \.region)
        compare("repository", \.repository)
        compare("artifact", \.artifact)
        compare("number", \.number)
        compare("execution", \.execution)
        compare("stage", \.stage)
        compare("action", \.action)
        compare("content", \.contentID)
        compare("kind", \.rootKind)
        compare("size", \.bytes)
        compare("count of files", \.files)
        compare("attributes", \.attributes)
        compare("publisher", \.by)
        // Rows keep whole milliseconds, which a binary fraction of seconds may miss by one.
        if abs(at - now.at) > 1 { differences.append("time of publication is \(now.at), stated was \(at)") }
        return differences.isEmpty ? nil : differences.joined(separator: "; ")
    }

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }

    static func decode(_ bytes: [UInt8]) throws -> Statement {
        do {
            return try JSONDecoder().decode(Statement.self, from: Data(bytes))
        } catch {
            throw FormatError("its statement cannot be understood")
        }
    }
}
