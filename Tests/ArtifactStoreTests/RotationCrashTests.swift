import Catalog
import Cryptography
import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import ArtifactStore

/// Stops everything at the n-th step of input or output: each write of the database before and after its commit, and each
/// call of the backend that changes something.
private final class StepCounter: Sendable {
    struct PowerFailure: Error {}

    private let state: Mutex<(count: Int, limit: Int)>

    init(limit: Int) { state = Mutex((0, limit)) }

    /// Counts a step; false once the power has failed.
    private func next() -> Bool {
        state.withLock { state in
            state.count += 1
            return state.count < state.limit
        }
    }

    var hasFailed: Bool { state.withLock { $0.count >= $0.limit } }

    func arm(_ fixture: StoreFixture, _ backend: MemoryBackend) {
        fixture.catalog.observe { [self] _ in
            guard next() else { throw PowerFailure() }
        }
        backend.inject { [self] call, _ in
            if call == .read { return hasFailed ? .input : nil }
            return next() ? nil : .torn
        }
    }

    static func disarm(_ fixture: StoreFixture, _ backend: MemoryBackend) {
        fixture.catalog.observe(nil)
        backend.inject(nil)
    }
}

@Suite struct RotationCrashTests {
    private static func configure(_ configuration: inout StoreConfiguration) {
        configuration.threads = 1
        configuration.openDataPacks = 1
        configuration.dataPackBytes = 64 << 10
        configuration.metaPackBytes = 16 << 10
        configuration.inlineCommitBytes = 4 << 10
        configuration.undeleteSeconds = 0
    }

    /// What was published, by version.
    private typealias Contents = [VersionID: [UInt8]]

    private static func furnish(_ fixture: StoreFixture) async throws -> Contents {
        var generator = SeededGenerator(seed: 31)
        var contents: Contents = [:]
        for size in [90 << 10, 1200, 40 << 10, 0] {
            let bytes = generator.bytes(size)
            contents[try await fixture.publish(bytes).id] = bytes
        }
        return contents
    }

    private static func check(_ fixture: StoreFixture, _ contents: Contents, _ comment: Comment) async throws {
        for (id, bytes) in contents {
            #expect(try await fixture.store.read(id).collect(upTo: 1 << 20) == bytes, comment)
            let version = try await fixture.store.version(id)
            #expect(version.contentID == SHA256.digest(bytes), comment)
            let reference = VersionReference(
                repository: "web", artifact: "app", which: "sha256:\(version.contentID.hex)")
            #expect(try await fixture.store.resolve(reference, in: fixture.scope).id == id, comment)
        }
    }

    /// Runs `work` with a power failure at every step in turn; after each one the store is opened again, everything must
    /// be there, `resume` must finish the work, and everything must be there still.
    private func atEveryStep(
        _ what: String, prepare: (StoreFixture) async throws -> Void = { _ in },
        work: (StoreFixture) async throws -> Void, resume: (StoreFixture) async throws -> Void,
        finally: (StoreFixture) async throws -> Void = { _ in }
    ) async throws {
        var limit = 1
        while true {
            let backend = MemoryBackend()
            let fixture = try await StoreFixture(backend: backend, configure: Self.configure)
            defer { fixture.remove() }
            let contents = try await Self.furnish(fixture)
            try await prepare(fixture)
            let counter = StepCounter(limit: limit)
            counter.arm(fixture, backend)
            var failure: (any Error)?
            do { try await work(fixture) } catch { failure = error }
            StepCounter.disarm(fixture, backend)
            guard counter.hasFailed else {
                if let failure { throw failure }
                try await Self.check(fixture, contents, "\(what), undisturbed")
                try await finally(fixture)
                #expect(limit > 3, "\(what) has no steps to speak of")
                return
            }
            backend.crash()
            let comment: Comment = "\(what), stopped at step \(limit)"
            let later = try await fixture.reopened(backend: backend, configure: Self.configure)
            try await Self.check(later, contents, comment)
            try await resume(later)
            try await Self.check(later, contents, comment)
            try await finally(later)
            try await later.store.collect()
            try await later.store.collect()
            #expect(try await later.store.scrub(.deep).damage.isEmpty, comment)
            try await Self.check(later, contents, comment)
            try later.catalog.close()
            limit += 1
        }
    }

    @Test("A rotation of the storage key may stop at any step")
    func storageKey() async throws {
        try await atEveryStep(
            "rotation of the storage key", work: { _ = try await $0.store.rotateStorageKey(destroyingOld: true) },
            resume: { _ = try await $0.store.rewrapStorageKeys(destroyingOld: true) },
            finally: { fixture in
                let versions = try await fixture.keys.storageKeyVersions()
                #expect(versions.count == 1)
            })
    }

    @Test("A re-encryption may stop at any step, and goes on where it was")
    func reencryption() async throws {
        func run(_ fixture: StoreFixture) async throws {
            var job = try await fixture.store.jobs(in: fixture.scope).first
            if job == nil { job = try await fixture.store.startReencryption(in: fixture.scope, by: "test") }
            let ended = try await fixture.store.runJob(try #require(job).id)
            guard ended.state == .failed else { return }
            _ = try await fixture.store.resumeJob(ended.id)
            _ = try await fixture.store.runJob(ended.id)
        }
        try await atEveryStep(
            "re-encryption", work: run, resume: run,
            finally: { fixture in
                let job = try #require(try await fixture.store.jobs(in: fixture.scope).first)
                #expect(job.state == .done && job.skipped == 0, "\(job.message)")
                let epochs = try await fixture.catalog.read {
                    try $0.rows("SELECT DISTINCT domain_epoch FROM store_versions").map { try $0.int("domain_epoch") }
                }
                #expect(epochs.count == 1 && epochs[0] > 1)
                let report = try await fixture.store.retireDomainEpochs(immediately: true)
                #expect(report.needed.isEmpty && !report.destroyed.isEmpty)
            })
    }

    @Test("A re-wrap may stop at any step")
    func rewrap() async throws {
        func run(_ fixture: StoreFixture) async throws {
            var job = try await fixture.store.jobs(in: fixture.scope).first
            if job == nil { job = try await fixture.store.startRewrap(in: fixture.scope, by: "test") }
            let ended = try await fixture.store.runJob(try #require(job).id)
            guard ended.state == .failed else { return }
            _ = try await fixture.store.resumeJob(ended.id)
            _ = try await fixture.store.runJob(ended.id)
        }
        try await atEveryStep(
            "re-wrap", work: run, resume: run,
            finally: { fixture in
                let job = try await fixture.store.jobs(in: fixture.scope).first
                #expect(job?.state == .done)
            })
    }

    @Test("Deletion and collection of a version may stop at any step and touch no other")
    func deletion() async throws {
        func run(_ fixture: StoreFixture) async throws {
            let page = try await fixture.store.versions(
                VersionFilter(scope: fixture.scope, repository: "web", artifact: "gone"))
            if !page.versions.isEmpty { try await fixture.store.delete(page.versions.map(\.id)) }
            try await fixture.store.collect()
            try await fixture.store.collect()
        }
        try await atEveryStep(
            "deletion",
            prepare: { fixture in
                var generator = SeededGenerator(seed: 32)
                _ = try await fixture.publish(generator.bytes(70 << 10), artifact: "gone")
            }, work: run, resume: run,
            finally: { fixture in
                let rows = try await fixture.catalog.read {
                    try $0.rows("SELECT id FROM store_versions WHERE artifact = 'gone'")
                }
                #expect(rows.isEmpty)
            })
    }
}
