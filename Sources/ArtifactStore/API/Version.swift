public import Cryptography
public import Foundation
public import KeyHierarchy

/// What a publisher says about the version it publishes.
public struct VersionDraft: Sendable {
    /// Whose the version is.
    public var scope: AccountRegion
    /// The pipeline's name, or whatever groups artifacts: `web`.
    public var repository: String
    /// The artifact's name within the repository: `app`.
    public var artifact: String
    /// The id of the pipeline execution that made it.
    public var execution: String?
    /// The execution's running number.
    public var executionNumber: Int?
    /// The stage that made it.
    public var stage: String?
    /// The action that made it.
    public var action: String?
    /// The id of the action's execution.
    public var actionExecution: String?
    /// Who published it: an ARN or a name.
    public var createdBy: String
    /// Tags to move to the new version in the publishing transaction.
    public var tags: [String]
    /// Free text by name: source revision, content type and the like.
    public var attributes: [String: String]

    /// A draft; what is left out is unknown.
    public init(
        scope: AccountRegion, repository: String, artifact: String, execution: String? = nil,
        executionNumber: Int? = nil,
        stage: String? = nil, action: String? = nil, actionExecution: String? = nil, createdBy: String,
        tags: [String] = [], attributes: [String: String] = [:]
    ) {
        self.scope = scope
        self.repository = repository
        self.artifact = artifact
        self.execution = execution
        self.executionNumber = executionNumber
        self.stage = stage
        self.action = action
        self.actionExecution = actionExecution
        self.createdBy = createdBy
        self.tags = tags
        self.attributes = attributes
    }

    /// The encryption context under which the key wraps the version's data key, in place of the store's own; kept among the
    /// attributes, where readers see it. `nil` for the store's own.
    public var encryptionContext: [String: String]? {
        get {
            guard let text = attributes[Self.contextAttribute] else { return nil }
            // What is not a document of ours becomes a context that opens nothing.
            return (try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))) ?? [:]
        }
        set {
            guard let newValue else {
                attributes[Self.contextAttribute] = nil
                return
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // A dictionary of strings always encodes.
            let bytes = (try? encoder.encode(newValue)) ?? Data("{}".utf8)
            attributes[Self.contextAttribute] = String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Whether its content was stored without compression, so that stored lengths tell nothing of what is in it. Set when
    /// it is published, by its ingest.
    public internal(set) var isSensitive: Bool {
        get { attributes[Self.sensitiveAttribute] == "true" }
        set { attributes[Self.sensitiveAttribute] = newValue ? "true" : nil }
    }

    private static let sensitiveAttribute = "sensitive"
    private static let contextAttribute = "encryption-context"
}

/// One stored version of an artifact: published once, never changed.
public struct Version: Sendable {
    /// What the root of a version is.
    public enum RootKind: String, Sendable, Codable {
        /// A directory.
        case tree
        /// One run of bytes, such as an uploaded ZIP.
        case blob
    }

    /// How the version looks as one ZIP object.
    public struct Presentation: Sendable, Hashable {
        /// Length of the ZIP (of the blob itself for a blob) in bytes.
        public let byteCount: Int64
        /// Opaque entity tag, without quotes.
        public let etag: String
        /// Counts up when the same content had to be encoded anew; part of the tag.
        public let number: Int
    }

    /// The version's name.
    public let id: VersionID
    /// Running number within repository and artifact, from 1.
    public let number: Int
    /// What the publisher said.
    public let draft: VersionDraft
    /// The id of the key that protects it.
    public let keyID: String
    /// The ARN of the key that protects it.
    public let keyARN: String
    /// Directory or bytes.
    public let rootKind: RootKind
    /// SHA-256 of the bytes of a blob; the root of the Merkle tree of a directory.
    public let contentID: SHA256Digest
    /// Bytes of all files, before deduplication and compression.
    public let logicalBytes: Int64
    /// Bytes of content that publishing this version added to the storage, as they are stored (compressed, sealed, padded):
    /// every record that was not there before (chunks, directories, lists of chunks), be it in a pack or in the journal, and
    /// the version's own manifest when that holds content itself, as that of a small directory does. Not what exists for
    /// every version whatever it holds (its row, its log entry) nor the indexes of packs. 0: all of it was there.
    public let newStoredBytes: Int64
    /// Files, symlinks included, directories not; 1 for a blob.
    public let fileCount: Int
    /// When it was published.
    public let createdAt: Date
    /// When it was deleted; it can be brought back until the undelete window ends.
    public let deletedAt: Date?
    /// The ZIP view.
    public let zip: Presentation
}
