import Catalog
import Foundation
import Synchronization
import SystemPackage

@testable import ArtifactStore

/// One history of a store: operations that take turns at every step of input and output, and a machine that fails.
///
/// The model is a table from version to bytes. What was acknowledged must hold; what an error or a loss of power left open
/// is looked up once, may be either way, and must hold from then on.
final class StoreModel: @unchecked Sendable {
    // Proof: of the conductor and all strands only one goes on at a time, and each hand-over is through a lock.
    var random: SeededGenerator
    let machine: FailingMachine
    let clock = ManualClock()
    var fixture: StoreFixture
    /// Contents to push: few, so that pushes meet.
    let contents: [[UInt8]]
    /// In the order of publication.
    var versions: [Int: Known] = [:]
    /// Which version has which tag.
    var tags: [String: Int] = [:]
    /// Versions and tags that an operation under way may change.
    var busy: Set<Int> = []
    var busyTags: Set<String> = []
    var doubts: [Doubt] = []
    /// What was deleted lately: pushing it again finds records that a collection is about to remove.
    var graves: [[UInt8]] = []
    /// Whether a collection has marked and is now condemning: the worst moment for a commit.
    var isPastMark = false
    /// The step before which a collection stands.
    var at: ArtifactStore.CollectionStep?
    /// The step before which collections wait for an ambush to be sprung.
    var ambushed: ArtifactStore.CollectionStep?
    /// Nothing fails any more.
    private(set) var isEnding = false
    var collections = 0
    var nextOrder = 0
    var crashes = 0
    private(set) var history: [String] = []
    private var strands: [Strand] = []
    /// What the store wants to do some time after the disk was full.
    private let reclaims = Mutex<[@Sendable () -> Void]>([])
    /// Turns for which few operations run side by side.
    private var lull = 0
    private var failure: (any Error)?

    struct Known {
        var id: VersionID
        var artifact: String
        var bytes: [UInt8]
        var deletedAt: Date?
        /// When it was last asked for.
        var deletionBegan: Date?
        var isPinned = false
        /// The ZIP view, once it was read.
        var zip: Zip?

        struct Zip {
            var bytes: [UInt8]
            var etag: String
            /// How the chunks of each file are encoded.
            var encodings: [String: String]
        }
    }

    /// What may or may not have happened.
    enum Doubt {
        case publish(Int, String, [UInt8])
        case deletion(Int)
        case pin(Int)
        case tag(String)
    }

    static let undeleteSeconds = 200.0
    static let leaseSeconds = 5_000.0
    static let configure: @Sendable (inout StoreConfiguration) -> Void = {
        $0.threads = 1
        $0.dataPackBytes = 60_000
        $0.metaPackBytes = 6_000
        $0.inlineCommitBytes = 3_000
        $0.undeleteSeconds = Int(undeleteSeconds)
        $0.leaseSeconds = Int(leaseSeconds)
        $0.indexTailEntries = 6
        $0.openDataPacks = 2
    }

    init(seed: UInt64) async throws {
        random = SeededGenerator(seed: seed)
        machine = FailingMachine(seed: random.next())
        var parts: [[UInt8]] = []
        for _ in 0..<6 { parts.append(random.bytes(17_000)) }
        var contents: [[UInt8]] = []
        for index in 0..<12 {
            switch index % 3 {
            case 0: contents.append(random.bytes(1 + Int(random.next() % 2000)))
            case 1: contents.append(parts[index % 6] + random.bytes(20_000))
            default: contents.append(parts[(index + 1) % 6] + parts[index % 6] + parts[(index + 3) % 6])
            }
        }
        self.contents = contents
        let clock = clock
        fixture = try await StoreFixture(
            backend: machine.backend, keys: EphemeralStoreKeys(seed: seed), now: { clock.now },
            configure: Self.configure)
        try await connect()
    }

    func note(_ event: String) {
        history.append(event)
        // The names of packs are random.
        machine.record(event.replacing(/[0-9a-f]{32}/, with: "…"))
    }

    func pick<T>(_ items: [T]) -> T? { items.isEmpty ? nil : items[Int(random.next() % UInt64(items.count))] }

    /// How often an operation waits before its next part: mostly briefly, at times until much else has happened.
    func patience() -> Int {
        if lull > 0 { return random.next() % 2 == 0 ? 30 : 1 }
        return random.next() % 3 == 0 ? Int(random.next() % 20) : 1
    }

    private func connect() async throws {
        fixture.store.packs.reseed(random.next())
        fixture.store.reclaimHook.withLock {
            $0 = { [unowned self] reclaim in reclaims.withLock { $0.append(reclaim) } }
        }
        let machine = machine
        fixture.catalog.observe { try await machine.databaseStep($0) }
        fixture.catalog.refuseCommits { machine.refusesCommit() }
        fixture.store.collectionHook.withLock {
            $0 = { [unowned self] step in
                isPastMark = ![.settled, .begun, .marked].contains(step)
                at = step
                await Strand.pause(patience())
                // Somebody lies in wait for this very step.
                for _ in 0..<400 where ambushed == step && !machine.isOff { await Strand.pause() }
                at = nil
            }
        }
        machine.arm(Int(random.next() % 200))
    }

    // MARK: Taking turns

    /// Begins an operation or lets one go on; after a loss of power brings the store up again.
    func turn() async throws {
        clock.advance(Double(random.next() % 20))
        if random.next() % 300 == 0 { clock.advance(Self.leaseSeconds) }
        // Now and then hardly anything else goes on: then a collection deletes at once what it condemned.
        if lull == 0, random.next() % 100 == 0 { lull = 150 }
        lull = max(0, lull - 1)
        if random.next() % 4 == 0, let reclaim = takeReclaim() {
            await strand("reclaim") { _ in reclaim() }
        } else if strands.isEmpty, random.next() % 2 == 0 {
            switch random.next() % 5 {
            case 0: await ambushTheMark()
            case 1: await ambushReader()
            case 2: await ambushJournal()
            default: await ambush()
            }
        } else if strands.count < (lull > 0 ? 3 : 6), random.next() % 4 == 0 {
            await lull > 0 ? beginQuietly() : begin()
        } else if let strand = pick(strands) {
            await strand.proceed()
        }
        strands.removeAll { $0.isDone }
        machine.record(digest)
        if machine.isOff { try await recover() }
        if let failure { throw failure }
    }

    /// What the store has in memory, for the trace.
    private var digest: String {
        let packs = fixture.store.packs.table.all.map { "\($0.number):\($0.state) \($0.length) \($0.registeredLength)" }
        let (records, commits) = fixture.store.packs.journal.contents
        return """
            \(strands.count) strands, packs \(packs.joined(separator: ", ")); journal of \(records.count) in \
            \(commits.count), epoch \(fixture.store.leases.epoch), ingests \(fixture.store.leases.hasIngests)
            """
    }

    private func takeReclaim() -> (@Sendable () -> Void)? {
        reclaims.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    /// Runs a body as a strand. Errors that a failing machine explains are no failures.
    func strand(_ name: String, _ body: @escaping @Sendable (StoreModel) async throws -> Void) async {
        let strand = Strand(name)
        note(name)
        await strand.start { [self] in
            do {
                try await body(self)
            } catch {
                if isExcused(error) { return note("\(name) failed: \(error)") }
                failure = failure ?? error
                note("\(name) must not fail: \(error)")
            }
        }
        if !strand.isDone { strands.append(strand) }
    }

    /// Waits a number of turns or, some of the time, for a collection to come past its mark.
    func linger(_ patience: Int) async {
        guard patience % 2 == 0 else { return await Strand.pause(patience) }
        for _ in 0..<patience * 3 where !isPastMark && !machine.isOff { await Strand.pause() }
    }

    func isExcused(_ error: any Error) -> Bool {
        if machine.isOff { return true }
        if let error = error as? StoreError { return error.code == .full || error.code == .input }
        if let error = error as? CatalogError { return error.code == .input }
        return false
    }

    /// Runs `body`; when a failing machine ends it, what it may have done is looked up, at once or after the restart.
    func tentatively(_ doubt: Doubt, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch  where isExcused(error) {
            if machine.isOff {
                doubts.append(doubt)
            } else {
                try await settle(doubt)
            }
            throw error
        }
    }

    /// Lets everything under way come to its end.
    private func drain() async {
        // In turn: one may wait for another.
        while !strands.isEmpty {
            for strand in strands { await strand.proceed() }
            strands.removeAll { $0.isDone }
        }
        // Of a store that goes.
        reclaims.withLock { $0 = [] }
    }

    // MARK: Losing power

    private func recover() async throws {
        crashes += 1
        note("power fails")
        await drain()
        if let failure { throw failure }
        fixture.catalog.observe(nil)
        fixture.catalog.refuseCommits(nil)
        let clock = clock
        var attempts = 0
        while true {
            try damageIndex()
            machine.powerUp()
            // The power may fail again while the store starts.
            machine.arm(attempts < 3 && random.next() % 4 == 0 ? Int(random.next() % 12) : nil)
            do {
                fixture = try await fixture.reopened(
                    backend: machine.backend, now: { clock.now }, configure: Self.configure)
                fixture.store.packs.reseed(random.next())
                if !machine.isOff { break }
                attempts += 1
            } catch  where isExcused(error) {
                attempts += 1
                note("start failed: \(error)")
            }
        }
        machine.arm(nil)
        busy = []
        busyTags = []
        for doubt in doubts { try await settle(doubt) }
        doubts = []
        try await check()
        try await connect()
    }

    /// The index's files are never synced: any of them may be gone or torn.
    private func damageIndex() throws {
        guard random.next() % 3 == 0 else { return }
        let folder = fixture.folder.appending("index").string
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        guard let name = pick(names) else { return }
        let path = folder + "/" + name
        note("index file \(name) is torn")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        if random.next() % 3 == 0 {
            try FileManager.default.removeItem(atPath: path)
        } else {
            try bytes.prefix(Int(random.next() % UInt64(bytes.count + 1))).write(to: URL(fileURLWithPath: path))
        }
    }

    /// Brings the history to its end: everything kept is there, and the space of everything else comes back.
    func finish() async throws {
        note("finish")
        isEnding = true
        machine.arm(nil)
        await drain()
        if let failure { throw failure }
        try await check()
        fixture.catalog.observe(nil)
        fixture.catalog.refuseCommits(nil)
        let clock = clock
        fixture = try await fixture.reopened(backend: machine.backend, now: { clock.now }, configure: Self.configure)
        fixture.store.packs.reseed(random.next())
        try await check()
        clock.advance(Self.leaseSeconds + Self.undeleteSeconds)
        try await collectAll()
        try await check()
        let plan = try await fixture.store.collect(plan: true)
        guard plan.packsCondemned == 0, plan.packsCompacted == 0 else {
            throw ModelFailure("a collection left behind what the next would free: \(plan)")
        }
        for info in fixture.store.packs.table.all where info.state == .sealed {
            guard try machine.backend.length(info.name) == Int64(info.length) else {
                throw ModelFailure("pack \(info.number) has more bytes than it should: \(info.length)")
            }
        }
        let scrub = try await fixture.store.scrub(.deep)
        guard scrub.damage.isEmpty else { throw ModelFailure("scrubbing found \(scrub.damage)") }
        // With every version deleted, everything goes.
        for version in versions.values where version.isPinned {
            try await fixture.store.unpin(version.id, name: "model")
        }
        try await fixture.store.delete(versions.values.filter { $0.deletedAt == nil }.map(\.id))
        clock.advance(Self.undeleteSeconds + 1)
        try await collectAll()
        let left = try machine.backend.list()
        guard left.isEmpty else {
            let known = fixture.store.packs.table.all.map { "\($0.number) \($0.packClass) \($0.state) \($0.length)" }
            throw ModelFailure("\(left.count) packs are left although nothing is stored; known: \(known)")
        }
    }

    private func collectAll() async throws {
        // What is in memory or the journal first gets into packs.
        try await fixture.store.collect()
        try fixture.store.packs.sealOpenPacks()
        for _ in 0..<3 { try await fixture.store.collect() }
    }

    func remove() { fixture.remove() }
}

struct ModelFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
