import Catalog
import Foundation
import KeyHierarchy
import Logging

extension ArtifactStore {
    /// Works off jobs until cancelled, those first that an earlier process left.
    public func runJobs() async {
        for await _ in jobs.wakeups {
            do {
                while let id = try await nextJob() {
                    try Task.checkCancellation()
                    _ = try await runJob(id)
                }
            } catch is CancellationError {
                return
            } catch {
                log.error("jobs stopped", metadata: ["error": "\(error)"])
                // A job that was cancelled and resumed at once is still winding down, or the database could not be written:
                // neither wakes anybody when it is over. A cancelled sleep ends the loop at the stream.
                try? await Task.sleep(for: .seconds(5))
                jobs.wake()
            }
        }
    }

    private func nextJob() async throws -> String? {
        try await catalog.read { transaction in
            try transaction.row("SELECT id FROM store_jobs WHERE state = 'running' ORDER BY created_at LIMIT 1")?
                .string("id")
        }
    }

    /// Works on one job until it is done, cancelled or failed. A cancelled task leaves it running, for the next start.
    ///
    /// - Returns: the job as it ended.
    /// - Throws: `CancellationError`; `StoreError` with `.conflict` when it is being worked on already.
    public func runJob(_ id: String) async throws -> StoreJob {
        let control = JobControl(bytesPerSecond: try await job(id).bytesPerSecond)
        try jobs.begin(id, control)
        defer { jobs.end(id) }
        // Its state counts only now: who cancels from here on finds the control.
        let job = try await job(id)
        guard job.state == .running else { return job }
        do {
            try await withTaskCancellationHandler {
                try await perform(job, control)
            } onCancel: {
                control.stop()
            }
            try await finish(job, .done, "")
        } catch is CancellationError {
            try Task.checkCancellation()
        } catch let error as CatalogError where error.code == .closed {
            throw error
        } catch {
            log.error("a job failed", metadata: ["job": "\(id)", "error": "\(error)"])
            try await finish(job, .failed, "\(error)")
        }
        return try await self.job(id)
    }

    private func finish(_ job: StoreJob, _ state: StoreJob.State, _ message: String) async throws {
        let time = now().milliseconds
        try await catalog.write { transaction in
            _ = try transaction.execute(
                "UPDATE store_jobs SET state = ?, message = ?, updated_at = ? WHERE id = ? AND state = 'running'",
                state.rawValue, message, time, job.id)
        }
    }

    private func perform(_ job: StoreJob, _ control: JobControl) async throws {
        if !job.hasEpochs { try await prepare(job) }
        let verified = VerifiedFiles()
        var cursor = job.cursor
        // Versions that were under way in an old epoch appear after the cursor has passed: look again until a whole round
        // finds nothing to do.
        var changed = cursor != .start
        while true {
            let rows = try await page(job, after: cursor)
            if rows.isEmpty {
                guard changed else { break }
                changed = false
                cursor = .start
                continue
            }
            for row in rows {
                try control.check()
                cursor = JobCursor(time: try row.int64("created_at"), id: try row.string("id"))
                changed = try await work(job, row, cursor, control, verified) || changed
            }
        }
        if job.kind == .rewrap, let arn = job.keyARN { try await keys.rewrapDomains(ofKey: arn) }
    }

    /// Counts the versions and, for a re-encryption that stays under the same keys, begins new epochs. Should a crash come
    /// between, others are begun at the next start: only more of the same.
    private func prepare(_ job: StoreJob) async throws {
        let rows = try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT domain_id, COUNT(*) AS n FROM store_versions WHERE account = ? AND region = ?
                    AND (CAST(? AS TEXT) IS NULL OR key_arn = ?) GROUP BY domain_id ORDER BY domain_id
                """, job.scope.account, job.scope.region, job.keyARN, job.keyARN)
        }
        if job.kind == .reencrypt, job.targetKeyARN == nil {
            var domains = Set(try rows.map { try $0.bytes("domain_id") })
            domains.formUnion(try await usedTargets(job))
            for domain in domains {
                do {
                    _ = try await keys.rotateDomain(id: domain)
                } catch let error as StoreError where error.code == .keyUnavailable {
                    continue  // Its versions are skipped and listed.
                }
            }
        }
        let total = try rows.reduce(0) { $0 + (try $1.int("n")) }
        try await catalog.write { transaction in
            _ = try transaction.execute("UPDATE store_jobs SET has_epochs = 1, total = ? WHERE id = ?", total, job.id)
        }
    }

    /// The domains that versions move to, as far as something was stored in them already: their secrets may be known as well.
    private func usedTargets(_ job: StoreJob) async throws -> Set<[UInt8]> {
        let rows = try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT key_id, key_arn, repository, artifact FROM store_versions WHERE account = ? AND region = ?
                    AND (CAST(? AS TEXT) IS NULL OR key_arn = ?)
                GROUP BY key_id, key_arn, repository, artifact ORDER BY key_id, repository, artifact
                """, job.scope.account, job.scope.region, job.keyARN, job.keyARN)
        }
        var names: Set<StoreDomainScope> = []
        for row in rows {
            let key = StoreKeyReference(id: try row.string("key_id"), arn: try row.string("key_arn"))
            names.insert(
                domainScope(
                    key, job.scope, repository: try row.string("repository"), artifact: try row.string("artifact")))
        }
        var used: Set<[UInt8]> = []
        for name in names {
            do {
                let id = try await keys.domain(for: name).id
                let isUsed = try await catalog.read {
                    try $0.row("SELECT domain_id FROM store_domains WHERE domain_id = ? LIMIT 1", id) != nil
                }
                if isUsed { used.insert(id) }
            } catch let error as StoreError where error.code == .keyUnavailable {
                continue  // Its versions are skipped and listed.
            }
        }
        return used
    }

    private func page(_ job: StoreJob, after cursor: JobCursor) async throws -> [Row] {
        try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM store_versions WHERE account = ? AND region = ?
                    AND (CAST(? AS TEXT) IS NULL OR key_arn = ?) AND (created_at, id) < (?, ?)
                    AND NOT EXISTS (SELECT 1 FROM store_job_skips WHERE job = ? AND version = store_versions.id)
                ORDER BY created_at DESC, id DESC LIMIT 20
                """, job.scope.account, job.scope.region, job.keyARN, job.keyARN, cursor.time, cursor.id, job.id)
        }
    }

    /// Does what the job does to one version. Tells whether it changed it.
    private func work(
        _ job: StoreJob, _ row: Row, _ cursor: JobCursor, _ control: JobControl, _ verified: VerifiedFiles
    ) async throws -> Bool {
        var attempts = 0
        var row = row
        while true {
            do {
                if attempts > 0 { row = try await self.row(try VersionRow.id(row)) }
                switch job.kind {
                case .reencrypt: return try await reencrypt(row, job, cursor, control, verified)
                case .rewrap: return try await rewrap(row, job, cursor)
                }
            } catch let error as StoreError where error.code == .leaseExpired && attempts < 3 {
                attempts += 1  // A collection or rotation came between.
            } catch let error as StoreError
                where [.keyUnavailable, .integrity, .notFound, .leaseExpired, .conflict, .retained].contains(error.code)
            {
                try await skip(job, try VersionRow.id(row), error.message)
                return false
            }
        }
    }

    private func skip(_ job: StoreJob, _ id: VersionID, _ reason: String) async throws {
        let time = now().milliseconds
        try await catalog.write { transaction in
            // Deleted and collected meanwhile: nothing was left out.
            guard try transaction.row("SELECT id FROM store_versions WHERE id = ?", id.rawValue) != nil else { return }
            let added = try transaction.execute(
                "INSERT INTO store_job_skips (job, version, reason) VALUES (?, ?, ?) ON CONFLICT (job, version) DO NOTHING",
                job.id, id.rawValue, reason)
            try transaction.execute(
                "UPDATE store_jobs SET skipped = skipped + ?, updated_at = ? WHERE id = ?", added, time, job.id)
        }
    }

    /// Part of the transaction that changes a version.
    static func advance(
        _ job: StoreJob?, _ cursor: JobCursor, bytes: Int64, at time: Int64, _ transaction: Transaction
    ) throws {
        guard let job else { return }
        try transaction.execute(
            """
            UPDATE store_jobs SET done = done + 1, bytes = bytes + ?, cursor_time = ?, cursor_id = ?, updated_at = ?
            WHERE id = ?
            """, bytes, cursor.time, cursor.id, time, job.id)
    }
}
