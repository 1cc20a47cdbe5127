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
        self.init(version.id, number: version.number, version.draft, at: version.createdAt.milliseconds)
        contentID = version.contentID.hex
        rootKind = version.rootKind.rawValue
        bytes = version.logicalBytes
        files = version.fileCount
        keyARN = version.keyARN
    }

    /// The same of content that is to be published under a number.
    init(_ id: VersionID, number: Int, _ draft: VersionDraft, _ staged: StagedContent, at time: Int64) {
        self.init(id, number: number, draft, at: time)
        contentID = staged.contentID.hex
        rootKind = staged.rootKind.rawValue
        bytes = staged.logicalBytes
        files = staged.fileCount
        keyARN = staged.ingest.key.arn
    }

    private init(_ id: VersionID, number: Int, _ draft: VersionDraft, at time: Int64) {
        self.init(.version, at: time)
        account = draft.scope.account
        region = draft.scope.region
        repository = draft.repository
        artifact = draft.artifact
        self.number = number
        version = id.rawValue
        execution = draft.execution
        stage = draft.stage
        action = draft.action
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

    /// Written by hand: it is done for every publication, while all others wait, and `JSONEncoder` takes many times as long.
    func encoded() -> [UInt8] {
        var json = JSONMembers()
        json.add("account", account)
        json.add("action", action)
        json.add("artifact", artifact)
        json.add("at", at)
        if let attributes {
            json.add("attributes") { inner in for (name, value) in attributes { inner.add(name, value) } }
        }
        json.add("blind", blind)
        json.add("by", by)
        json.add("bytes", bytes)
        json.add("contentID", contentID)
        json.add("execution", execution)
        json.add("files", files)
        json.add("format", format)
        json.add("keyARN", keyARN)
        json.add("keyVersion", keyVersion)
        json.add("kind", kind.rawValue)
        json.add("note", note)
        json.add("number", number)
        if let pin {
            json.add("pin") { inner in
                inner.add("expiresAt", pin.expiresAt)
                inner.add("kind", pin.kind)
                inner.add("name", pin.name)
                inner.add("owner", pin.owner)
                inner.add("reason", pin.reason)
            }
        }
        json.add("publicKey", publicKey)
        json.add("region", region)
        json.add("repository", repository)
        json.add("rootKind", rootKind)
        json.add("stage", stage)
        json.add("version", version)
        return json.encoded
    }

    static func decode(_ bytes: [UInt8]) throws -> Statement {
        do {
            return try JSONDecoder().decode(Statement.self, from: Data(bytes))
        } catch {
            throw FormatError("its statement cannot be understood")
        }
    }
}
