import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Synchronization
import Testing

@testable import ArtifactStore

/// Time that only tests move.
final class MovableClock: Sendable {
    private let offset = Mutex<Double>(0)
    private let start = Date(timeIntervalSince1970: 1_800_000_000)
    var now: Date { start.addingTimeInterval(offset.withLock { $0 }) }
    func advance(_ seconds: Double) { offset.withLock { $0 += seconds } }
}

/// An owner with a key and a version, and a recipient with a key in another account and Region.
struct SharingBench {
    let clock = MovableClock()
    let fixture: KeyedFixture
    let ownerKey: KMSKey
    let recipientKey: KMSKey
    let version: Version
    let content: [UInt8]
    let recipient = AccountRegion(account: "222233334444", region: "us-east-1")

    var store: ArtifactStore { fixture.store }

    init(bytes count: Int = 200_000) async throws {
        let clock = clock
        fixture = try await KeyedFixture(now: { clock.now })
        ownerKey = try await fixture.keys.createKey(NewKMSKey(policy: "{}"), in: fixture.scope)
        recipientKey = try await fixture.keys.createKey(NewKMSKey(policy: "{}"), in: recipient)
        var random = SeededGenerator(seed: 90)
        content = random.bytes(count)
        version = try await fixture.publish(content, keyID: ownerKey.keyID)
    }

    func share(
        key: KMSKey? = nil, notAfter: Date? = nil, recipient: AccountRegion? = nil, pipeline: String? = nil
    ) async throws -> ArtifactShare {
        let draft = ShareDraft(
            recipient: recipient ?? self.recipient, pipeline: pipeline, keyID: key?.arn, notAfter: notAfter,
            purpose: "a look", createdBy: "owner")
        return try await store.share(try await store.planShare(of: version, draft))
    }

    func read(_ share: ArtifactShare) async throws -> [UInt8] {
        try await store.read(version.id, through: share).collect(upTo: 1 << 24)
    }

    func ended(_ share: ArtifactShare, sourceLocation: SourceLocation = #_sourceLocation) async {
        let error = await #expect(throws: StoreError.self, sourceLocation: sourceLocation) { try await read(share) }
        #expect(error?.code == .keyUnavailable, sourceLocation: sourceLocation)
    }

    /// Bytes of content that are stored, in packs and in the journal.
    func storedBytes() async throws -> Int64 {
        try await fixture.catalog.read { transaction in
            let packs = try transaction.row("SELECT COALESCE(SUM(length), 0) AS n FROM store_packs WHERE state < 3")
            let journal = try transaction.row("SELECT COALESCE(SUM(LENGTH(records)), 0) AS n FROM store_commits")
            return (try packs?.int64("n") ?? 0) + (try journal?.int64("n") ?? 0)
        }
    }
}

@Suite struct ArtifactShareTests {
    @Test("a re-wrapped share reads without the owner's key, copies nothing, and ends at the first depth")
    func rewrap() async throws {
        let bench = try await SharingBench()
        let before = try await bench.storedBytes()
        let wrapped = try await bench.fixture.wrapped(bench.version).count
        let share = try await bench.share(key: bench.recipientKey)
        #expect(share.mechanism == .rewrap)
        #expect(try await bench.storedBytes() == before)
        #expect(try await bench.fixture.wrapped(bench.version).count - wrapped < 600)
        #expect(try await bench.read(share) == bench.content)
        try await bench.fixture.keys.setEnabled(false, bench.fixture.scope, bench.ownerKey.keyID)
        #expect(try await bench.read(share) == bench.content)
        await #expect(throws: StoreError.self) { try await bench.fixture.read(bench.version) }
        let ended = try await bench.store.revokeShare(share.shareID, depth: .unwrap, by: "owner", reason: "enough")
        #expect(ended.revocation?.depth == 1)
        #expect(ended.pending?.depth == 2)
        await bench.ended(share)
        let envelope = try ArtifactKeyEnvelope(parsing: try await bench.fixture.wrapped(bench.version))
        #expect(envelope.recipients.map(\.keyARN) == [bench.ownerKey.arn])
    }

    @Test("a share by grant goes through the owner's key, and its end removes the grant") func grant() async throws {
        let bench = try await SharingBench()
        let share = try await bench.share()
        #expect(share.mechanism == .grant)
        let grants = try await bench.fixture.keys.grants(bench.fixture.scope, bench.ownerKey.keyID)
        #expect(grants.map(\.grantID) == [share.grantID])
        #expect(grants[0].operations == ["Decrypt"])
        #expect(grants[0].contextSubset == ["coffer:version": bench.version.id.rawValue])
        #expect(try await bench.read(share) == bench.content)
        try await bench.fixture.keys.setEnabled(false, bench.fixture.scope, bench.ownerKey.keyID)
        await bench.ended(share)
        try await bench.fixture.keys.setEnabled(true, bench.fixture.scope, bench.ownerKey.keyID)
        _ = try await bench.store.revokeShare(share.shareID, depth: .unwrap, by: "owner")
        #expect(try await bench.fixture.keys.grants(bench.fixture.scope, bench.ownerKey.keyID).isEmpty)
        await bench.ended(share)
    }

    @Test("drafts that make no sense are refused with what would be right") func refusals() async throws {
        let bench = try await SharingBench()
        func refused(_ draft: ShareDraft) async -> StoreError.Code? {
            await #expect(throws: StoreError.self) { try await bench.store.planShare(of: bench.version, draft) }?.code
        }
        let owner = bench.fixture.scope
        #expect(await refused(ShareDraft(recipient: owner, createdBy: "o")) == .invalid)
        let odd = AccountRegion(account: "22", region: "us-east-1")
        #expect(await refused(ShareDraft(recipient: odd, createdBy: "o")) == .invalid)
        let past = bench.clock.now.addingTimeInterval(-1)
        #expect(await refused(ShareDraft(recipient: bench.recipient, notAfter: past, createdBy: "o")) == .invalid)
        #expect(
            await refused(ShareDraft(recipient: bench.recipient, keyID: "alias/aws/s3", createdBy: "o")) == .invalid)
        #expect(
            await refused(ShareDraft(recipient: bench.recipient, keyID: bench.ownerKey.arn, createdBy: "o"))
                == .invalid)
        let unknown = ShareDraft(
            recipient: bench.recipient,
            keyID: "arn:aws:kms:us-east-1:222233334444:key/00000000-0000-4000-8000-000000000000", createdBy: "o")
        let foreign = await #expect(throws: KeyError.self) {
            try await bench.store.planShare(of: bench.version, unknown)
        }
        #expect(foreign?.code == .accessDenied)
        // Nothing of this made the recipient's managed key.
        #expect(try await bench.fixture.keys.alias(bench.recipient, "alias/aws/s3") == nil)
        let managed = try await bench.fixture.publish([1])
        let plan = await #expect(throws: StoreError.self) {
            try await bench.store.planShare(of: managed, ShareDraft(recipient: bench.recipient, createdBy: "o"))
        }
        #expect(plan?.code == .invalid)
    }

    @Test("a share past its time gives nothing whether or not anybody tidies up; upkeep drops the wrap and the pin")
    func expiry() async throws {
        let bench = try await SharingBench()
        let share = try await bench.share(key: bench.recipientKey, notAfter: bench.clock.now.addingTimeInterval(3600))
        let granted = try await bench.share(notAfter: bench.clock.now.addingTimeInterval(3600))
        #expect(try await bench.read(share) == bench.content)
        bench.clock.advance(3600)
        await bench.ended(share)
        await bench.ended(granted)
        // The wrap itself is past its time, not only the record.
        let wrapped = try await bench.fixture.wrapped(bench.version)
        await #expect(throws: KeyError.self) {
            try await bench.fixture.keys.openEnvelope(
                wrapped, of: bench.version.id.bytes, context: share.wrapContext)
        }
        let upkeep = try await bench.store.settleShares()
        #expect(upkeep.expired == 2)
        #expect(upkeep.failures.isEmpty)
        #expect(try await bench.fixture.keys.grants(bench.fixture.scope, bench.ownerKey.keyID).isEmpty)
        #expect(try await bench.store.pins(of: bench.version.id).isEmpty)
        let recipients = try ArtifactKeyEnvelope(parsing: try await bench.fixture.wrapped(bench.version)).recipients
        #expect(recipients.count == 1)
        // Within seven days the data key is replaced.
        #expect(try await bench.store.settleShares().completed == 0)
        bench.clock.advance(7 * 86_400)
        #expect(try await bench.store.settleShares().completed == 1)
        let envelope = try ArtifactKeyEnvelope(parsing: try await bench.fixture.wrapped(bench.version))
        #expect(envelope.generation == 2)
        #expect(try await bench.fixture.read(bench.version) == bench.content)
    }

    @Test("a share keeps its version from deletion and retention, says so, and lets go when it ends")
    func retention() async throws {
        let bench = try await SharingBench(bytes: 10_000)
        let share = try await bench.share(key: bench.recipientKey)
        _ = try await bench.fixture.publish([2], keyID: bench.ownerKey.keyID)
        try await bench.store.setRetention(
            RetentionRule(newest: 1), repository: "web", artifact: "app", in: bench.fixture.scope)
        let reasons = try await bench.store.why(bench.version.id)
        #expect(reasons.map(\.kind) == ["share"])
        #expect(reasons[0].description.contains("shared with 222233334444/us-east-1: a look"))
        #expect(try await bench.store.applyRetention().isEmpty)
        let kept = await #expect(throws: StoreError.self) { try await bench.store.delete([bench.version.id]) }
        #expect(kept?.code == .retained)
        let (id, time) = (bench.version.id, bench.clock.now)
        #expect(try await bench.fixture.catalog.write { try !ArtifactStore.release(id, at: time, in: $0) })
        _ = try await bench.store.collect()
        #expect(try await bench.read(share) == bench.content)
        _ = try await bench.store.revokeShare(share.shareID, depth: .unwrap, by: "owner")
        #expect(try await bench.store.applyRetention() == [bench.version.id])
    }

    @Test("R2: the data key of before opens neither the new envelope nor the new manifest; others notice nothing")
    func rekey() async throws {
        let bench = try await SharingBench()
        let share = try await bench.share(key: bench.recipientKey)
        let other = try await bench.fixture.keys.createKey(NewKMSKey(policy: "{}"), in: bench.fixture.scope)
        let kept = try await bench.share(key: other, recipient: bench.fixture.scope, pipeline: "deploy")
        #expect(kept.mechanism == .rewrap)
        let before = try await bench.fixture.wrapped(bench.version)
        let old = try await bench.fixture.keys.openEnvelope(
            before, of: bench.version.id.bytes, context: share.wrapContext)
        let ended = try await bench.store.revokeShare(share.shareID, depth: .rekey, by: "owner")
        #expect(ended.revocation?.depth == 2)
        #expect(ended.pending == nil)
        let row = try await bench.store.row(bench.version.id)
        #expect(throws: FormatError.self) {
            try RootManifest.open(try row.bytes("root"), dataKey: old.key, version: bench.version.id, number: 1)
        }
        #expect(throws: KeyFormatError.self) {
            try ArtifactKeyEnvelope(parsing: try row.bytes("data_key")).verify(try row.bytes("data_key"), old.key)
        }
        #expect(try await bench.read(kept) == bench.content)
        #expect(try await bench.fixture.read(bench.version) == bench.content)
        // The envelope of before, put back: its key does not open the manifest of now.
        try await bench.fixture.setWrapped(before, bench.version)
        let restored = await #expect(throws: StoreError.self) { try await bench.fixture.read(bench.version) }
        #expect(restored?.code == .integrity)
    }

    @Test("R3: ids and chunk keys of before lead to nothing once the old records are collected; the version reads on")
    func reencrypt() async throws {
        let bench = try await SharingBench(bytes: 900_000)
        let share = try await bench.share(key: bench.recipientKey)
        let opened = try await bench.store.open(bench.version.id, through: share)
        let old = try await bench.store.pool.run { try everyRef(opened.root, opened.context) }
        #expect(!old.isEmpty)
        let ended = try await bench.store.revokeShare(share.shareID, depth: .reencrypt, by: "owner")
        #expect(ended.revocation?.depth == 3)
        let now = try await bench.store.open(bench.version.id)
        let new = try await bench.store.pool.run { try everyRef(now.root, now.context) }
        #expect(Set(old.map(\.id)).isDisjoint(with: new.map(\.id)))
        #expect(Set(old.map(\.key)).isDisjoint(with: new.map(\.key)))
        // Records of chunks have a checksum; those of lists hold ids and keys, and differ.
        #expect(old.filter { $0.crc != 0 }.map(\.digest) == new.filter { $0.crc != 0 }.map(\.digest))
        let after = try await bench.store.version(bench.version.id)
        #expect(after.contentID == bench.version.contentID)
        #expect(after.number == bench.version.number)
        #expect(after.zip == bench.version.zip)
        #expect(try await bench.fixture.read(bench.version) == bench.content)
        // What was open keeps what it needs; afterwards the old records go.
        opened.lease.end()
        now.lease.end()
        for _ in 0..<4 {
            bench.clock.advance(2 * 86_400)
            _ = try await bench.store.collect()
        }
        let (reader, domain) = (bench.store.reader, opened.context.domain)
        for ref in old {
            await #expect(throws: StoreError.self) {
                try await bench.store.pool.run { try reader.plaintext(ref, domain) }
            }
        }
        #expect(try await bench.fixture.read(bench.version) == bench.content)
        #expect(try await bench.store.scrub(.deep).damage.isEmpty)
    }

    @Test("R3 of a directory leaves tree, files, modes, links and ZIP as they were") func reencryptTree() async throws {
        let bench = try await SharingBench(bytes: 10)
        var random = SeededGenerator(seed: 91)
        let ingest = try await bench.store.beginIngest(scope: bench.fixture.scope, keyID: bench.ownerKey.keyID)
        let tree = try await ingest.openTree()
        for index in 0..<40 {
            try await tree.addFile(
                Array("many/\(index % 4)/\(index)".utf8), mode: index % 2 == 0 ? 0o644 : 0o755,
                random.text(index * 700))
        }
        try await tree.addFile(Array("large".utf8), mode: 0o600, random.bytes(700_000))
        try await tree.addSymlink(Array("link".utf8), target: Array("many/1/5".utf8))
        try await tree.addDirectory(Array("empty".utf8))
        let version = try await bench.store.publish(
            try await tree.finish(),
            VersionDraft(scope: bench.fixture.scope, repository: "web", artifact: "tree", createdBy: "t"))
        let entries = try await bench.store.entries(of: version.id)
        let zip = try await bench.store.zip(version.id).stream().collect(upTo: 1 << 24)
        try await bench.store.isolate(version.id)
        #expect(try await bench.store.entries(of: version.id) == entries)
        #expect(try await bench.store.version(version.id).zip == version.zip)
        #expect(try await bench.store.zip(version.id).stream().collect(upTo: 1 << 24) == zip)
    }

    @Test("a version of an earlier release, with a bare ciphertext, can be shared") func bare() async throws {
        let bench = try await SharingBench()
        let binding = DataKeyBinding(bench.version)
        let opened = try await bench.fixture.keys.openEnvelope(
            try await bench.fixture.wrapped(bench.version), of: bench.version.id.bytes, context: binding.context)
        let bare = try await bench.fixture.keys.encrypt(
            opened.key, bench.ownerKey, algorithm: "SYMMETRIC_DEFAULT",
            context: ["coffer:version": bench.version.id.rawValue])
        try await bench.fixture.setWrapped(bare, bench.version)
        let share = try await bench.share(key: bench.recipientKey)
        #expect(try await bench.read(share) == bench.content)
        #expect(try await bench.fixture.read(bench.version) == bench.content)
    }

    @Test("a recipient whose key is disabled loses the share when the data key is replaced, and holds up nobody")
    func dropped() async throws {
        let bench = try await SharingBench()
        let share = try await bench.share(key: bench.recipientKey)
        let other = try await bench.fixture.keys.createKey(NewKMSKey(policy: "{}"), in: bench.recipient)
        let bystander = try await bench.share(key: other)
        try await bench.fixture.keys.setEnabled(false, bench.recipient, other.keyID)
        _ = try await bench.store.revokeShare(share.shareID, depth: .rekey, by: "owner")
        let lapsed = try await bench.fixture.keys.share(bystander.shareID)
        #expect(lapsed?.revocation?.by == "coffer")
        try await bench.fixture.keys.setEnabled(true, bench.recipient, other.keyID)
        await bench.ended(bystander)
        #expect(try await bench.fixture.read(bench.version) == bench.content)
    }

    @Test("shares made and ended side by side leave an envelope with exactly the recipients that remain")
    func sideBySide() async throws {
        let bench = try await SharingBench(bytes: 1000)
        let shares = try await withThrowingTaskGroup(of: ArtifactShare.self) { group in
            for _ in 0..<8 { group.addTask { try await bench.share(key: bench.recipientKey) } }
            var made: [ArtifactShare] = []
            for try await share in group { made.append(share) }
            return made
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, share) in shares.enumerated() where index % 2 == 0 {
                let depth: RevocationDepth = index % 4 == 0 ? .rekey : .unwrap
                group.addTask { _ = try await bench.store.revokeShare(share.shareID, depth: depth, by: "owner") }
            }
            try await group.waitForAll()
        }
        for (index, share) in shares.enumerated() {
            if index % 2 == 0 {
                await bench.ended(share)
            } else {
                #expect(try await bench.read(share) == bench.content)
            }
        }
        let envelope = try ArtifactKeyEnvelope(parsing: try await bench.fixture.wrapped(bench.version))
        #expect(envelope.recipients.count == 5)
    }

    @Test("a deletion preview lists versions, pins and shares, and says which shares would survive")
    func preview() async throws {
        let bench = try await SharingBench(bytes: 1000)
        let survives = try await bench.share(key: bench.recipientKey)
        let dies = try await bench.share()
        try await bench.store.pin(bench.version.id, name: "Prod", kind: .deployment, owner: "deployer")
        let reference = KMSKeyReference(scope: bench.fixture.scope, keyID: bench.ownerKey.keyID)
        let found = try await bench.store.previewDeletion(of: reference)
        #expect(found.versionCount == 1)
        #expect(found.logicalBytes == 1000)
        #expect(found.versions.map(\.id) == [bench.version.id])
        #expect(Set(found.pins.map(\.name)) == ["Prod", survives.pinName, dies.pinName])
        #expect(found.shares == [dies])
        #expect(found.survivingShares == [survives])
        #expect(found.domainCount == 1)
        let theirs = try await bench.store.previewDeletion(
            of: KMSKeyReference(scope: bench.recipient, keyID: bench.recipientKey.keyID))
        #expect(theirs.versionCount == 0)
        #expect(theirs.shares == [survives])
    }
}

/// The records that a root leads to, in order.
func everyRef(_ root: VersionRoot, _ context: ReadContext) throws -> [Ref] {
    func file(_ content: FileContent) throws -> [Ref] { try below(content.segments) }
    func below(_ segments: [Segment]) throws -> [Ref] {
        try segments.flatMap { segment -> [Ref] in
            switch segment {
            case .literal: []
            case .chunk(let ref): [ref]
            case .node(let ref, _): try [ref] + below(context.node(ref).segments)
            }
        }
    }
    func below(_ directory: DirectoryContent) throws -> [Ref] {
        let own = try directory.refs()
        return try own.stable + own.volatile
            + context.entries(directory).flatMap { entry -> [Ref] in
                switch entry.content {
                case .file(let content): try file(content)
                case .directory(let child): try below(child)
                case .symlink: []
                }
            }
    }
    switch root.content {
    case .blob(let content): return try file(content)
    case .tree(let top): return try below(top)
    }
}
