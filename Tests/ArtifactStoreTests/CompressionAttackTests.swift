import Cryptography
import Foundation
import Testing

@testable import ArtifactStore

/// Text of the attacker's choice beside a secret, in one chunk: where it repeats the secret it compresses better, and the stored
/// length tells (the idea of CRIME and BREACH). Padding only makes the attacker try several lengths.
@Suite("Chosen text beside a secret")
struct CompressionAttackTests {
    private static let guesses = ["account-pin: 1043", "account-pin: 4821", "account-pin: 7350", "account-pin: 9968"]
    private static let secret = guesses[1]

    /// What the attacker sees of one guess: the stored lengths at many lengths of filler, added up.
    private func seen(_ guess: String, sensitive: Bool, _ fixture: StoreFixture) async throws -> Int64 {
        var total: Int64 = 0
        for count in 0..<128 {
            var random = SeededGenerator(seed: UInt64(count))
            // Digits that compress to half a byte each, so that the length before padding grows by little.
            let filler = (0..<2000 + count).map { _ in Array("0123456789abcdef".utf8)[Int(random.next() >> 60)] }
            let text = "report\n\(Self.secret)\nnote from a visitor: \(guess)\n"
            let ingest = try await fixture.store.beginIngest(scope: fixture.scope, isSensitive: sensitive)
            _ = try await ingest.addBlob(Array(text.utf8) + filler)
            total += ingest.session.outcome.newStoredBytes
            ingest.abandon()
        }
        return total
    }

    @Test("shows in the stored length of what is compressed") func compressed() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var totals: [String: Int64] = [:]
        for guess in Self.guesses { totals[guess] = try await seen(guess, sensitive: false, fixture) }
        let best = try #require(totals.min { $0.value < $1.value })
        #expect(best.key == Self.secret, "\(totals)")
        #expect(totals.values.filter { $0 == best.value }.count == 1)
    }

    @Test("does not show in the stored length of what is labelled sensitive") func sensitive() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var totals: Set<Int64> = []
        for guess in Self.guesses { totals.insert(try await seen(guess, sensitive: true, fixture)) }
        #expect(totals.count == 1, "\(totals)")
    }

    @Test("stays uncompressed when the content is written anew") func rewritten() async throws {
        let bench = try await SharingBench(bytes: 1000)
        let store = bench.store
        var random = SeededGenerator(seed: 5)
        let content = random.text(300_000)
        let ingest = try await store.beginIngest(scope: bench.fixture.scope, isSensitive: true)
        let version = try await store.publish(
            try await ingest.addBlob(content),
            VersionDraft(scope: bench.fixture.scope, repository: "web", artifact: "secret", createdBy: "t"))
        #expect(version.draft.isSensitive)
        func codecs(_ version: Version) async throws -> Set<RecordCodec> {
            let opened = try await store.open(version.id)
            return try await store.pool.run {
                Set(try everyRef(opened.root, opened.context).compactMap { try store.packs.readable($0.id)?.codec })
            }
        }
        #expect(try await codecs(version) == [.stored])
        try await store.isolate(version.id)
        let rewritten = try await store.version(version.id)
        #expect(rewritten.draft.isSensitive)
        #expect(try await codecs(rewritten) == [.stored])
        #expect(try await store.read(version.id).collect(upTo: 1 << 20) == content)
    }
}
