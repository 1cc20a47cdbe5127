import Cryptography

/// The state of a KMS key, as the API names it.
public enum KMSKeyState: String, Codable, Sendable, CaseIterable {
    case enabled = "Enabled"
    case disabled = "Disabled"
    case pendingDeletion = "PendingDeletion"
    case pendingReplicaDeletion = "PendingReplicaDeletion"
    case pendingImport = "PendingImport"
    case unavailable = "Unavailable"
    case creating = "Creating"
    case updating = "Updating"
}

/// One version of a key's material.
public struct KMSKeyMaterial: Codable, Sendable, Equatable {
    /// The version of the backing key that holds it.
    public var version: UInt32
    /// 64 hexadecimal digits.
    public var materialID: String
    /// `CURRENT`, `NON_CURRENT`, `PENDING_ROTATION` or `PENDING_MULTI_REGION_IMPORT_AND_ROTATION`.
    public var state: String
    /// `AUTOMATIC`, `ON_DEMAND`, or nil for the first.
    public var rotationType: String?
    /// When it became current by rotation, milliseconds since 1970.
    public var rotatedAt: Int64?
    /// `IMPORTED` or `PENDING_IMPORT` for imported material.
    public var importState: String?
    /// `KEY_MATERIAL_EXPIRES` or `KEY_MATERIAL_DOES_NOT_EXPIRE` for imported material.
    public var expirationModel: String?
    /// When imported material expires, milliseconds since 1970.
    public var validTo: Int64?
    /// The importer's words.
    public var description: String?
}

/// A KMS key's metadata, policy and tags: everything but the material.
public struct KMSKey: KeyDocument {
    static let kind = "key"

    /// `1234abcd-…` or `mrk-…`.
    public var keyID: String
    /// The owner.
    public var scope: AccountRegion
    /// `SYMMETRIC_DEFAULT`, `RSA_2048`, …
    public var spec: String
    /// `ENCRYPT_DECRYPT`, `SIGN_VERIFY`, `GENERATE_VERIFY_MAC` or `KEY_AGREEMENT`.
    public var usage: String
    /// `AWS_KMS` or `EXTERNAL`.
    public var origin: String
    /// `CUSTOMER` or `AWS`.
    public var manager: String
    /// The state of the key.
    public var state: KMSKeyState
    /// Free text.
    public var description: String
    /// Milliseconds since 1970.
    public var createdAt: Int64
    /// The key policy, byte for byte as stored.
    public var policy: String
    /// Tags by key.
    public var tags: [String: String] = [:]
    /// All material, oldest first; one of them is `CURRENT` unless the key waits for import.
    public var materials: [KMSKeyMaterial] = []
    /// When the key is deleted, milliseconds since 1970, while pending deletion.
    public var deletionAt: Int64?
    /// The waiting period asked for, in days.
    public var pendingWindowDays: Int?
    /// Whether the key rotates by itself.
    public var rotationEnabled = false
    /// The period of automatic rotation.
    public var rotationPeriodDays: Int?
    /// When the next automatic rotation is due, milliseconds since 1970.
    public var nextRotationAt: Int64?
    /// Rotations on demand so far.
    public var onDemandRotations = 0
    /// The Region of the primary key, for multi-Region keys.
    public var primaryRegion: String?
    /// The Regions of all replicas, for multi-Region keys.
    public var replicaRegions: [String] = []
    /// When `Creating` or `Updating` ends, milliseconds since 1970.
    public var transitionAt: Int64?

    package init(
        keyID: String, scope: AccountRegion, spec: String, usage: String, origin: String, manager: String,
        state: KMSKeyState, description: String, createdAt: Int64, policy: String
    ) {
        self.keyID = keyID
        self.scope = scope
        self.spec = spec
        self.usage = usage
        self.origin = origin
        self.manager = manager
        self.state = state
        self.description = description
        self.createdAt = createdAt
        self.policy = policy
    }

    /// Whether it is a multi-Region key.
    public var isMultiRegion: Bool { keyID.hasPrefix("mrk-") }
    /// The key's ARN.
    public var arn: String { scope.kmsARN("key/\(keyID)") }
    /// The material in use.
    public var current: KMSKeyMaterial? { materials.first { $0.state == "CURRENT" } }
    /// The sixteen bytes of the ID, as ciphertexts carry them.
    var uuid: [UInt8] { KMSKey.uuid(of: keyID) ?? [] }

    static func uuid(of keyID: String) -> [UInt8]? {
        if keyID.hasPrefix("mrk-") {
            let bytes = Hex.decode(keyID.dropFirst(4))
            return bytes?.count == 16 ? bytes : nil
        }
        return Hex.uuidBytes(keyID)
    }

    var recordScope: String { scope.recordScope }
    var recordID: String { keyID }
    var recordParent: String { isMultiRegion ? "mrk:\(scope.account)/\(keyID)" : "" }
    var recordAux: String { dueAt == nil ? "" : "due" }

    /// When something happens to the key by itself, milliseconds since 1970: deletion, rotation, expiry, end of a
    /// transition.
    var dueAt: Int64? {
        var earliest: Int64?
        func note(_ time: Int64?) {
            guard let time else { return }
            earliest = earliest.map { min($0, time) } ?? time
        }
        for index in materials.indices where materials[index].importState == "IMPORTED" {
            note(materials[index].validTo)
        }
        switch state {
        case .pendingDeletion: note(deletionAt)
        case .creating, .updating: note(transitionAt)
        case .enabled: if rotationEnabled, isPrimaryOrSingle { note(nextRotationAt) }
        default: break
        }
        return earliest
    }

    /// Whether it is not a multi-Region replica.
    public var isPrimaryOrSingle: Bool { primaryRegion == nil || primaryRegion == scope.region }
}

/// A second name for a key.
public struct KMSAlias: KeyDocument {
    static let kind = "alias"

    /// `alias/…`.
    public var name: String
    /// The owner.
    public var scope: AccountRegion
    /// The key's ID.
    public var targetKeyID: String
    /// Milliseconds since 1970.
    public var createdAt: Int64
    /// Milliseconds since 1970.
    public var updatedAt: Int64

    /// The alias's ARN.
    public var arn: String { scope.kmsARN(name) }

    var recordScope: String { scope.recordScope }
    var recordID: String { name }
    var recordParent: String { scope.kmsARN("key/\(targetKeyID)") }
    var recordAux: String { "" }
}
