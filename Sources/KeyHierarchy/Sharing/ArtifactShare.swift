public import Foundation

/// One artifact version made readable for another pipeline, account or Region. A record with an authentication code and a
/// journal entry, as grants are; it stays when the share ends, so that who could read what, and until when, can be told.
public struct ArtifactShare: KeyDocument {
    static let kind = "share"

    /// How the recipient comes to the data key.
    public enum Mechanism: String, Sendable, Codable {
        /// Nothing cryptographic: the recipient has the same key already.
        case policy
        /// The data key is wrapped under a key of the recipient's, which from then on decides alone.
        case rewrap
        /// A grant on the owner's key; every read needs that key.
        case grant
    }

    /// The end of a share.
    public struct Revocation: Sendable, Codable, Equatable {
        /// Milliseconds since 1970.
        public var at: Int64
        /// Who ended it.
        public var by: String
        /// 1: the recipient cannot unwrap any more; 2: the data key was replaced too; 3: the content was re-encrypted too.
        public var depth: Int
        /// In words.
        public var reason: String

        package init(at: Int64, by: String, depth: Int, reason: String) {
            self.at = at
            self.by = by
            self.depth = depth
            self.reason = reason
        }
    }

    /// What is still to be done about an ended share.
    public struct Pending: Sendable, Codable, Equatable {
        /// The depth that is to be reached.
        public var depth: Int
        /// From when on, in milliseconds since 1970.
        public var at: Int64

        package init(depth: Int, at: Int64) {
            self.depth = depth
            self.at = at
        }
    }

    /// A lowercase UUID.
    public var shareID: String
    /// Whose the version is.
    public var owner: AccountRegion
    /// The version's id.
    public var version: String
    /// The version's repository.
    public var repository: String
    /// The version's artifact.
    public var artifact: String
    /// The version's running number.
    public var number: Int
    /// The account and Region that may read.
    public var recipient: AccountRegion
    /// The only pipeline of the recipient's whose jobs may read; nil: the account.
    public var pipeline: String?
    /// How the recipient comes to the data key.
    public var mechanism: Mechanism
    /// The key that opens the version for the recipient.
    public var keyARN: String
    /// The grant on it, when there is one.
    public var grantID: String?
    /// What a grant demands of the encryption context, where the version has one of its own; nil: the version's id.
    public var contextPairs: [String: String]?
    /// What it is for, in words.
    public var purpose: String
    /// Who made it.
    public var createdBy: String
    /// Milliseconds since 1970.
    public var createdAt: Int64
    /// From then on it gives nothing; milliseconds since 1970.
    public var notAfter: Int64?
    /// Set once it has ended.
    public var revocation: Revocation?
    /// Set while the end is not complete.
    public var pending: Pending?

    package init(
        shareID: String, owner: AccountRegion, version: String, repository: String, artifact: String, number: Int,
        recipient: AccountRegion, pipeline: String?, mechanism: Mechanism, keyARN: String, purpose: String,
        createdBy: String, createdAt: Int64, notAfter: Int64?
    ) {
        self.shareID = shareID
        self.owner = owner
        self.version = version
        self.repository = repository
        self.artifact = artifact
        self.number = number
        self.recipient = recipient
        self.pipeline = pipeline
        self.mechanism = mechanism
        self.keyARN = keyARN
        self.purpose = purpose
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.notAfter = notAfter
    }

    /// Whether it gives access at a moment.
    public func isActive(at time: Date) -> Bool {
        revocation == nil && (notAfter.map { time.milliseconds < $0 } ?? true)
    }

    /// The end of its time.
    public var end: Date? { notAfter.map { Date(timeIntervalSince1970: Double($0) / 1000) } }

    /// Who may read, in words.
    public var recipientText: String {
        "\(recipient.account)/\(recipient.region)" + (pipeline.map { "/\($0)" } ?? "")
    }

    /// The encryption context of the recipient's wrap.
    public var wrapContext: [String: String] {
        [
            "coffer:version": version, "coffer:share": shareID, "coffer:account": owner.account,
            "coffer:region": owner.region, "coffer:recipient": recipientText,
        ]
    }

    /// What a grant on the owner's key demands of the context: this one version's.
    public var grantConstraint: [String: String] { contextPairs ?? ["coffer:version": version] }

    /// What retention knows the share by.
    public var pinName: String { "share/\(shareID)" }

    static func parent(ofVersion version: String) -> String { "version/\(version)" }
    static func aux(_ recipient: AccountRegion) -> String { "to/\(recipient.recordScope)" }

    var recordScope: String { owner.recordScope }
    var recordID: String { shareID }
    var recordParent: String { Self.parent(ofVersion: version) }
    var recordAux: String { Self.aux(recipient) }
}
