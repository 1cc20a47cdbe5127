import Catalog
public import Foundation
public import KeyHierarchy
import Synchronization

/// Work on many versions that survives restarts: it goes on where it stopped.
public struct StoreJob: Sendable, Hashable {
    /// What is done to each version.
    public enum Kind: String, Sendable, Codable {
        /// Its content is stored anew under new secrets of its dedup domain.
        case reencrypt
        /// Its data key is wrapped anew, under the current material of its key or under another key.
        case rewrap
    }

    /// How far it is.
    public enum State: String, Sendable, Codable {
        /// At work, or going on at the next start. Then done, cancelled or failed.
        case running
        /// Stopped by somebody; can be resumed.
        case cancelled
        /// Nothing is left to do but the skipped versions.
        case done
        /// Stopped by an error; can be resumed.
        case failed
    }

    /// A lowercase UUID.
    public let id: String
    /// What is done.
    public let kind: Kind
    /// How far it is.
    public let state: State
    /// Whose versions.
    public let scope: AccountRegion
    /// Only versions under this key.
    public let keyARN: String?
    /// The key that versions get; nil: they keep theirs.
    public let targetKeyARN: String?
    /// Upper limit of the reading rate; nil: none.
    public let bytesPerSecond: Int?
    /// Versions to look at, as counted in the beginning.
    public let total: Int
    /// Versions that were changed.
    public let done: Int
    /// Versions that were left as they are; see ``ArtifactStore/skippedVersions(ofJob:)``.
    public let skipped: Int
    /// Bytes of the versions that were changed.
    public let bytes: Int64
    /// Why it failed; empty otherwise.
    public let message: String
    /// Who began it.
    public let createdBy: String
    /// When it was begun.
    public let createdAt: Date
    /// When it last did something.
    public let updatedAt: Date

    /// Whether new epochs have been begun, so that a resumed job does not begin others.
    let hasEpochs: Bool
    /// The version that was looked at last, newest first.
    let cursor: JobCursor

    init(_ row: Row) throws {
        guard let kind = Kind(rawValue: try row.string("kind")), let state = State(rawValue: try row.string("state"))
        else { throw StoreError.integrity("the table of jobs holds an unknown kind or state") }
        id = try row.string("id")
        self.kind = kind
        self.state = state
        scope = AccountRegion(account: try row.string("account"), region: try row.string("region"))
        keyARN = try row.optionalString("key_arn")
        targetKeyARN = try row.optionalString("target_key_arn")
        bytesPerSecond = try row.optionalNatural("bytes_per_second").map { Int($0) }
        total = Int(try row.natural("total"))
        done = Int(try row.natural("done"))
        skipped = Int(try row.natural("skipped"))
        bytes = try row.natural("bytes")
        message = try row.string("message")
        createdBy = try row.string("created_by")
        createdAt = try row.date("created_at")
        updatedAt = try row.date("updated_at")
        hasEpochs = try row.bool("has_epochs")
        cursor = JobCursor(time: try row.int64("cursor_time"), id: try row.string("cursor_id"))
    }
}

/// A place in the list of versions, newest first.
struct JobCursor: Sendable, Hashable {
    var time: Int64
    var id: String

    /// Before all versions.
    static let start = JobCursor(time: .max, id: "~")
}

/// A version that a job left as it is.
public struct SkippedVersion: Sendable, Hashable {
    /// The version.
    public let version: VersionID
    /// Why.
    public let reason: String
}

/// What a job may be told while it works, and how it keeps to its rate. Thread-safe.
final class JobControl: Sendable {
    private let isStopped: Mutex<Bool>
    private let pace: Pace

    init(bytesPerSecond: Int?) {
        isStopped = Mutex(false)
        pace = Pace(bytesPerSecond: bytesPerSecond)
    }

    func stop() { isStopped.withLock { $0 = true } }

    /// Throws `CancellationError` once it was stopped.
    func check() throws {
        if isStopped.withLock({ $0 }) { throw CancellationError() }
    }

    /// Waits as the rate demands after `bytes` were read. Blocks.
    func took(_ bytes: Int) throws {
        try check()
        pace.wait(bytes)
    }
}
