public import Catalog
public import KeyHierarchy
public import SystemPackage

/// How a store works. Everything has a sensible default.
public struct StoreConfiguration: Sendable {
    /// How far deduplication reaches, keys.md "Dedup domains".
    public enum Scope: String, Sendable, CaseIterable {
        /// Everything protected by one key in one account and region (the default).
        case key
        /// Everything of one account in one region.
        case account
        /// One repository (pipeline).
        case pipeline
        /// One artifact.
        case artifact
    }

    /// How large files are cut. Recorded for each domain at its first ingest and kept: versions share chunks only where they
    /// are cut alike. Reading never depends on it.
    public enum Chunker: String, Sendable, CaseIterable {
        /// A keyed rolling hash (the default): fast, but whoever sees where known content was cut can learn the key.
        case gear
        /// A pseudo-random function of a keyed universal hash: cuts tell nothing about their key. Scanning takes
        /// about five times as long.
        case prf
    }

    /// Directory for the chunk index and, with the default backend, the packs.
    public var directory: FilePath
    /// How far deduplication reaches.
    public var scope: Scope = .key
    /// How the large files of new domains are cut.
    public var chunker: Chunker = .gear
    /// Threads that read, compress and encrypt; nil: one per core.
    public var threads: Int?
    /// Deflate level, 1…9; igzip is used at level 1 where installed.
    public var compressionLevel: Int = 1
    /// Data packs are sealed at this size in bytes.
    public var dataPackBytes: Int = 32 << 20
    /// Packs of trees and manifests are sealed at this size in bytes.
    public var metaPackBytes: Int = 8 << 20
    /// Data packs that are filled side by side, records being assigned at random.
    public var openDataPacks: Int = 2
    /// A commit that adds fewer stored bytes goes into the database transaction itself.
    public var inlineCommitBytes: Int = 64 << 10
    /// How long a deleted version can be brought back, in seconds.
    public var undeleteSeconds: Int = 24 * 3600
    /// How long an ingest may take from its beginning to its publication, in seconds.
    public var leaseSeconds: Int = 24 * 3600
    /// Cut at the boundaries of archive members, so that volatile headers do not spoil sharing.
    public var cutsContainers: Bool = true
    /// Chunk index entries kept in memory before they are written out as a sorted run.
    public var indexTailEntries: Int = 262_144
    /// Keep how far the version log has come where a restored copy of all of the store does not reach.
    public var witnesses: [any LogWitness] = []
    /// How long a witness may take to answer before it counts as out of reach.
    public var witnessPatience: Duration = .seconds(10)
    /// Why an execution still needs the versions it made, one sentence a reason; empty when it does not. Asked within the
    /// transaction that would delete such a version.
    public var executionUses: @Sendable (_ execution: String, Transaction) throws -> [String] = { _, _ in [] }
    /// The executions of a repository that a stage ended well for, newest first; a hundred are enough. Asked for rules that
    /// keep what passed a stage.
    public var executionsPast:
        @Sendable (_ stage: String, _ repository: String, AccountRegion, Transaction) throws -> [String] = {
            _, _, _, _ in []
        }
    /// Told, within the transaction that records it, that the ZIP view of a version has another length and tag from now on:
    /// its chunks were encoded or cut anew. What it throws undoes the change.
    public var presentationChanged:
        @Sendable (_ version: VersionID, _ byteCount: Int64, _ etag: String, Transaction) throws -> Void = {
            _, _, _, _ in
        }

    /// A configuration with defaults for everything but the directory.
    public init(directory: FilePath) { self.directory = directory }
}
