public import Foundation
public import KeyHierarchy

/// With whom a version is to be shared, and how.
public struct ShareDraft: Sendable {
    /// The account and Region that shall read.
    public var recipient: AccountRegion
    /// Only the jobs of this pipeline of the recipient's; nil: the account.
    public var pipeline: String?
    /// The recipient's key (for another account: its ARN) to wrap the data key under. Nil: the owner's key goes on deciding
    /// about every read.
    public var keyID: String?
    /// From then on the share gives nothing; nil: until it is revoked.
    public var notAfter: Date?
    /// What it is for, in words.
    public var purpose: String
    /// Who makes it.
    public var createdBy: String

    /// A draft.
    public init(
        recipient: AccountRegion, pipeline: String? = nil, keyID: String? = nil, notAfter: Date? = nil,
        purpose: String = "", createdBy: String
    ) {
        self.recipient = recipient
        self.pipeline = pipeline
        self.keyID = keyID
        self.notAfter = notAfter
        self.purpose = purpose
        self.createdBy = createdBy
    }
}

/// Something that somebody must be allowed to do with a key.
public struct KeyPermission: Sendable, Hashable {
    /// An operation of the key service: `Decrypt`, `ReEncryptFrom`, `ReEncryptTo`, `CreateGrant`.
    public let operation: String
    /// The key.
    public let keyARN: String
    /// The encryption context with which it happens.
    public let context: [String: String]
    /// Further condition keys and their values.
    public let conditions: [String: [String]]

    /// A permission.
    public init(
        operation: String, keyARN: String, context: [String: String], conditions: [String: [String]] = [:]
    ) {
        self.operation = operation
        self.keyARN = keyARN
        self.context = context
        self.conditions = conditions
    }
}

/// A share that can be made, with what its maker must be allowed to do first.
public struct SharePlan: Sendable {
    /// The share as it will be, without the grant's id.
    public let share: ArtifactShare
    /// To be checked before the plan is carried out.
    public let permissions: [KeyPermission]
    let key: KMSKeyReference
}

/// How far the end of a share goes.
public enum RevocationDepth: Int, Sendable, CaseIterable, Comparable {
    /// R1: the recipient's entry or grant goes; all reads through it end at once.
    case unwrap = 1
    /// R2: a new data key, the manifest sealed anew: a holder of the old one cannot open it.
    case rekey = 2
    /// R3: new records in a domain of the version's own: a holder of chunk keys who also reads the packs cannot open them.
    case reencrypt = 3

    /// Shallow before deep.
    public static func < (one: RevocationDepth, other: RevocationDepth) -> Bool { one.rawValue < other.rawValue }
}

/// What upkeep did about shares.
public struct ShareUpkeep: Sendable, Hashable {
    /// Shares whose time was over.
    public var expired = 0
    /// Ends that were completed.
    public var completed = 0
    /// Ends that could not be completed; they are tried again.
    public var failures: [String] = []
}
