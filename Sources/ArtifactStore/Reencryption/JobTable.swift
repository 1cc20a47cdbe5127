import Catalog
import Foundation
public import KeyHierarchy
import Synchronization

extension ArtifactStore {
    /// Begins to store the content of versions anew: dedup domains get new secrets, and version after version, newest
    /// first, is read, written under them, read back and compared, and only then switched over. What nothing needs any
    /// more is collected. Numbers, ids, pins, tags and hashes of versions stay as they are.
    ///
    /// - Parameters:
    ///   - key: only versions under this key (id, ARN or alias).
    ///   - targetKey: the key that versions get; nil: each keeps its own.
    /// - Throws: `StoreError` with `.conflict` while another job of the account and Region runs.
    public func startReencryption(
        in scope: AccountRegion, key: String? = nil, targetKey: String? = nil, bytesPerSecond: Int? = nil,
        by creator: String
    ) async throws -> StoreJob {
        try await startJob(.reencrypt, scope, key, targetKey, bytesPerSecond, creator)
    }

    /// Begins to wrap the data keys of versions anew: under the current material of their key, after its rotation, or under
    /// another key. About 300 bytes a version; no content is read.
    public func startRewrap(
        in scope: AccountRegion, key: String? = nil, targetKey: String? = nil, by creator: String
    ) async throws -> StoreJob {
        try await startJob(.rewrap, scope, key, targetKey, nil, creator)
    }

    private func startJob(
        _ kind: StoreJob.Kind, _ scope: AccountRegion, _ key: String?, _ targetKey: String?, _ rate: Int?,
        _ creator: String
    ) async throws -> StoreJob {
        guard rate.map({ $0 > 0 }) ?? true else { throw StoreError.invalid("a rate is a positive number of bytes") }
        var arns: [String?] = [nil, nil]
        if let key { arns[0] = try await keys.resolve(key, in: scope).arn }
        if let targetKey { arns[1] = try await keys.resolve(targetKey, in: scope).arn }
        let (keyARN, target) = (arns[0], arns[1])
        let id = UUID().uuidString.lowercased()
        let time = now().milliseconds
        let job = try await catalog.write { transaction in
            let other = try transaction.row(
                "SELECT id FROM store_jobs WHERE account = ? AND region = ? AND state = 'running'", scope.account,
                scope.region)
            if let other {
                throw StoreError(.conflict, "the job \(try other.string("id")) is at work; wait for it or cancel it")
            }
            let start = JobCursor.start
            try transaction.execute(
                """
                INSERT INTO store_jobs (id, kind, state, account, region, key_arn, target_key_arn, bytes_per_second,
                    has_epochs, cursor_time, cursor_id, total, done, skipped, bytes, message, created_by, created_at,
                    updated_at)
                VALUES (?, ?, 'running', ?, ?, ?, ?, ?, 0, ?, ?, 0, 0, 0, 0, '', ?, ?, ?)
                """, id, kind.rawValue, scope.account, scope.region, keyARN, target, rate, start.time, start.id,
                creator,
                time, time)
            return try Self.job(id, transaction)
        }
        jobs.wake()
        return job
    }

    /// A job by its id.
    public func job(_ id: String) async throws -> StoreJob { try await catalog.read { try Self.job(id, $0) } }

    /// The jobs of an account and Region, newest first.
    public func jobs(in scope: AccountRegion) async throws -> [StoreJob] {
        try await catalog.read { transaction in
            try transaction.rows(
                "SELECT * FROM store_jobs WHERE account = ? AND region = ? ORDER BY created_at DESC, id LIMIT 100",
                scope.account, scope.region
            ).map(StoreJob.init)
        }
    }

    /// Versions that a job left as they are, with the reasons.
    public func skippedVersions(ofJob id: String) async throws -> [SkippedVersion] {
        try await catalog.read { transaction in
            try transaction.rows("SELECT * FROM store_job_skips WHERE job = ? ORDER BY version", id).map {
                SkippedVersion(
                    version: VersionID(unchecked: try $0.string("version")), reason: try $0.string("reason"))
            }
        }
    }

    /// Stops a job after what it is doing to a version. What it did stays done.
    public func cancelJob(_ id: String) async throws -> StoreJob {
        let job = try await setState(id, .cancelled, from: [.running])
        jobs.stop(id)
        return job
    }

    /// Goes on with a job that was cancelled or failed; skipped versions are tried again.
    public func resumeJob(_ id: String) async throws -> StoreJob {
        let job = try await setState(id, .running, from: [.cancelled, .failed, .done])
        jobs.wake()
        return job
    }

    private func setState(_ id: String, _ state: StoreJob.State, from: [StoreJob.State]) async throws -> StoreJob {
        let time = now().milliseconds
        return try await catalog.write { transaction in
            let job = try Self.job(id, transaction)
            guard from.contains(job.state) else {
                throw StoreError(.conflict, "the job \(id) is \(job.state.rawValue)")
            }
            try transaction.execute(
                "UPDATE store_jobs SET state = ?, message = '', updated_at = ? WHERE id = ?", state.rawValue, time, id)
            if state == .running {
                let start = JobCursor.start
                try transaction.execute("DELETE FROM store_job_skips WHERE job = ?", id)
                try transaction.execute(
                    "UPDATE store_jobs SET skipped = 0, cursor_time = ?, cursor_id = ? WHERE id = ?", start.time,
                    start.id, id)
            }
            return try Self.job(id, transaction)
        }
    }

    static func job(_ id: String, _ transaction: Transaction) throws -> StoreJob {
        guard let row = try transaction.row("SELECT * FROM store_jobs WHERE id = ?", id) else {
            throw StoreError.notFound("there is no job \(id)")
        }
        return try StoreJob(row)
    }
}

/// The jobs that this process works on.
final class JobBoard: Sendable {
    /// Yields when there may be something to do; once at the beginning.
    let wakeups: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let running = Mutex<[String: JobControl]>([:])

    init() {
        (wakeups, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        signal.yield()
    }

    func wake() { signal.yield() }

    func stop(_ id: String) { running.withLock { $0[id] }?.stop() }

    func begin(_ id: String, _ control: JobControl) throws {
        try running.withLock { running in
            guard running[id] == nil else { throw StoreError(.conflict, "the job \(id) is at work already") }
            running[id] = control
        }
    }

    func end(_ id: String) { running.withLock { $0[id] = nil } }
}
