import Cryptography
import Foundation
import Testing

@testable import ArtifactStore

/// The list of a large file's chunks is named by the file, and one name must never stand for two lists, however a file
/// came to be cut: by another key, with other settings, or from a stream that arrived in other pieces.
@Suite struct FileListTests {
    private static func members(_ seed: UInt64, count: Int = 120, bytes: Int) -> [UInt8] {
        // An `ar` archive: each member is cut out of it.
        var random = SeededGenerator(seed: seed)
        var archive = Array("!<arch>\n".utf8)
        for index in 0..<count {
            let name = "m\(index)/".padding(toLength: 16, withPad: " ", startingAt: 0)
            let size = "\(bytes)".padding(toLength: 10, withPad: " ", startingAt: 0)
            archive += Array("\(name)0           0     0     644     \(size)`\n".utf8) + random.bytes(bytes)
        }
        return archive
    }

    private static func session(_ fixture: StoreFixture, cutsContainers: Bool) async throws -> Ingest {
        let made = try await fixture.store.beginIngest(scope: fixture.scope)
        var configuration = fixture.store.configuration
        configuration.cutsContainers = cutsContainers
        let store = fixture.store
        let session = IngestSession(
            packs: store.packs, pool: store.pool, workers: store.workers, domain: made.session.domain,
            cutter: made.session.cutter, configuration: configuration)
        return Ingest(scope: made.scope, key: made.key, session: session, lease: made.lease)
    }

    private static func expectBoth(_ fixture: StoreFixture, _ versions: [Version], _ bytes: [UInt8]) async throws {
        for version in versions { #expect(try await fixture.read(version) == bytes, "version \(version.number)") }
        _ = try await fixture.store.rebuildIndex()
        for version in versions { #expect(try await fixture.read(version) == bytes, "rebuilt: \(version.number)") }
        try await fixture.store.collect()
        try await fixture.store.collect()
        let later = try await fixture.reopened()
        for version in versions { #expect(try await later.read(version) == bytes, "reopened: \(version.number)") }
        #expect(try await later.store.scrub(.deep).damage.isEmpty)
    }

    @Test func `a file that two epochs cut in two ways reads back both times when it is re-encrypted`() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 40)
        let bytes = random.bytes(1_200_000)
        let old = try await fixture.publish(bytes)
        // Every epoch cuts by a key of its own.
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        _ = try await fixture.keys.rotateDomain(id: ingest.session.domain.id)
        ingest.abandon()
        let new = try await fixture.publish(bytes)
        let job = try await fixture.store.startReencryption(in: fixture.scope, by: "test")
        #expect(try await fixture.store.runJob(job.id).state == .done)
        try await Self.expectBoth(fixture, [old, new], bytes)
    }

    @Test(arguments: [200, 20_000])
    func `a file that is cut in two ways reads back both times`(memberBytes: Int) async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let bytes = Self.members(41, bytes: memberBytes)
        var versions: [Version] = []
        for cutsContainers in [true, false, true] {
            let ingest = try await Self.session(fixture, cutsContainers: cutsContainers)
            versions.append(try await fixture.store.publish(try await ingest.addBlob(bytes), fixture.draft()))
        }
        try await Self.expectBoth(fixture, versions, bytes)
    }

    @Test(arguments: [0, 64 << 10])
    func `a file that two ingests cut in two ways at the same time reads back both times`(inline: Int) async throws {
        let fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = inline * 2 })
        defer { fixture.remove() }
        // Members of which each is a chunk, cut once at every member and once at every member but the first few.
        let bytes = Self.members(42, count: 200, bytes: 200)
        let first = try await Self.session(fixture, cutsContainers: true)
        let one = try await first.addBlob(bytes)
        let second = try await Self.session(fixture, cutsContainers: true)
        let segments = try Self.lists(second, bytes)
        let two = StagedContent(
            ingest: second, root: VersionRoot(.blob(segments)), logicalBytes: Int64(bytes.count), fileCount: 1)
        let versions = [
            try await fixture.store.publish(one, fixture.draft()),
            try await fixture.store.publish(two, fixture.draft()),
        ]
        try await Self.expectBoth(fixture, versions, bytes)
    }

    /// A list of chunks of 150 bytes each, as no cutter makes it.
    private static func lists(_ ingest: Ingest, _ bytes: [UInt8]) throws -> FileContent {
        var segments: [Segment] = []
        for start in stride(from: 0, to: bytes.count, by: 150) {
            let part = Array(bytes[start..<min(start + 150, bytes.count)])
            segments.append(.chunk(try part.withUnsafeBytes { try ingest.session.storeChunk($0) }))
        }
        let node = NodeObject(height: 0, segments: segments)
        let digest = SHA256.digest(bytes)
        let ref = try ingest.session.storeFileNode(
            node.encode(), file: digest, count: Int64(bytes.count), reach: segments.compactMap { $0.ref?.id })
        return .node(ref, Int64(bytes.count), digest)
    }

    @Test func `a file is cut alike in whatever pieces it arrives`() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 43)
        /// The lengths of the pieces that a file is cut into, literals negative.
        func cuts(_ pieces: [ArraySlice<UInt8>]) async throws -> [Int64] {
            let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
            let writer = try await ingest.openBlob()
            for piece in pieces { try await writer.write(Array(piece)) }
            guard case .blob(let content) = try await writer.finish().root.content else { return [] }
            let context = ReadContext(
                reader: fixture.store.reader, pool: fixture.store.pool, domain: ingest.session.domain.records,
                session: ingest.session, subject: "a file")
            var walk = SegmentWalk(context, content)
            var lengths: [Int64] = []
            while let (segment, _) = try walk.next() {
                lengths.append(segment.ref == nil ? -segment.byteCount : segment.byteCount)
            }
            return lengths
        }
        // Zeros are cut at the greatest length: where cuts are certain just before the end, what remains is short.
        let batch = 2 << 20
        var found = 0
        while found < 3 {
            let start = random.bytes(20_000 + Int(random.next() % 200_000))
            let long = start + [UInt8](repeating: 0, count: batch + 100_000)
            var ends: [Int] = []
            for length in try await cuts([long[...]]) { ends.append((ends.last ?? 0) + Int(length)) }
            for end in ends.map({ $0 + 100 }) where end > batch && end < batch + 50_000 {
                found += 1
                let whole = try await cuts([long[..<end]])
                for first in [1, 65_000, batch - 60_000, batch - 10_000, batch] {
                    let parts = try await cuts([long[..<first], long[first..<end]])
                    #expect(parts == whole, "\(end) bytes, the first \(first) of them apart")
                }
            }
        }
    }
}
