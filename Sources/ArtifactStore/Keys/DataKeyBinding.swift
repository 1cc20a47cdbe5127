public import KeyHierarchy

/// What a version's data key belongs to. An envelope that was made for anything else is refused.
public struct DataKeyBinding: Sendable, Hashable {
    /// The version; its sixteen bytes are the artifact id inside the envelope.
    public let version: VersionID
    /// Whose the version is.
    public let scope: AccountRegion
    /// The pipeline's name, or whatever groups artifacts.
    public let repository: String
    /// The artifact's name within the repository.
    public let artifact: String
    /// The publisher's own encryption context; `nil` for the store's.
    var ownContext: [String: String]?

    /// A binding.
    public init(version: VersionID, scope: AccountRegion, repository: String, artifact: String) {
        self.version = version
        self.scope = scope
        self.repository = repository
        self.artifact = artifact
    }

    /// The binding of a version.
    public init(_ version: Version) { self.init(version.id, version.draft) }

    init(_ version: VersionID, _ draft: VersionDraft) {
        self.init(version: version, scope: draft.scope, repository: draft.repository, artifact: draft.artifact)
        ownContext = draft.encryptionContext
    }

    /// The artifact id of the envelope.
    var artifactID: [UInt8] { version.bytes }

    /// The encryption context under which the owner's key wraps the data key.
    public var context: [String: String] {
        // The envelope names the version by itself, so a context of the publisher's loses nothing.
        ownContext ?? [
            "coffer:version": version.rawValue, "coffer:account": scope.account, "coffer:region": scope.region,
            "coffer:repository": repository, "coffer:artifact": artifact,
        ]
    }

    /// The context of versions that were published before data keys had envelopes: their data key is a bare CFKB.
    var bareContext: [String: String] { ["coffer:version": version.rawValue] }
}
