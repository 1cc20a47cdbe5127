import Catalog
import Cryptography
import Foundation
import Synchronization
import Testing

@testable import ArtifactStore

/// A clock that moves when told.
final class ManualClock: Sendable {
    private let time: Mutex<Date>
    init(_ start: Date = Date(timeIntervalSince1970: 1_700_000_000)) { time = Mutex(start) }
    func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
    var now: Date { time.withLock { $0 } }
}

@Suite struct ReferenceTests {
    @Test("a version is found by number, tag, digest, id, execution and environment") func resolution() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let store = fixture.store
        let first = try await fixture.publish(Array("one, long enough for a chunk of its own".utf8) + [1])
        let ingest = try await store.beginIngest(scope: fixture.scope)
        var draft = fixture.draft(tags: ["stable"])
        draft.execution = "0f0e0d0c-0b0a-4909-8807-060504030201"
        draft.executionNumber = 413
        let second = try await store.publish(try await ingest.addBlob([2]), draft)
        try await store.pin(first.id, name: "production", kind: .deployment, owner: "deploy")

        func resolve(_ which: String) async throws -> VersionID {
            try await store.resolve(
                VersionReference(repository: "web", artifact: "app", which: which), in: fixture.scope
            ).id
        }
        #expect(try await resolve("latest") == second.id)
        #expect(try await resolve("1") == first.id)
        #expect(try await resolve("413") == second.id)
        #expect(try await resolve("413.1") == second.id)
        #expect(try await resolve("stable") == second.id)
        #expect(try await resolve("production") == first.id)
        #expect(try await resolve("sha256:\(first.contentID.hex)") == first.id)
        #expect(try await resolve(first.id.rawValue) == first.id)
        #expect(try await resolve("0f0e0d0c-0b0a-4909-8807-060504030201") == second.id)
        await #expect(throws: StoreError.self) { try await resolve("413.2") }
        await #expect(throws: StoreError.self) { try await resolve("nothing") }
        let parsed = VersionReference("web@stable")
        let bare = try await store.resolve(try #require(parsed), in: fixture.scope)
        #expect(bare.id == second.id)
        // It moves to the newer version.
        try await store.pin(second.id, name: "production", kind: .deployment, owner: "deploy")
        #expect(try await resolve("production") == second.id)
    }

    @Test("versions are listed newest first, page by page") func paging() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now })
        defer { fixture.remove() }
        var ids: [VersionID] = []
        for index in 0..<7 {
            ids.insert(try await fixture.publish([UInt8(index)]).id, at: 0)
            if index % 2 == 0 { clock.advance(1) }
        }
        var seen: [VersionID] = []
        var token: String?
        repeat {
            let page = try await fixture.store.versions(VersionFilter(scope: fixture.scope), after: token, limit: 3)
            seen += page.versions.map(\.id)
            token = page.next
        } while token != nil
        #expect(seen.count == 7)
        #expect(Set(seen) == Set(ids))
        let artifacts = try await fixture.store.artifacts(in: fixture.scope)
        #expect(artifacts.map(\.versionCount) == [7])
    }

    @Test("rules delete what nobody keeps, and every kept version can say why") func retention() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now })
        defer { fixture.remove() }
        let store = fixture.store
        var versions: [Version] = []
        for index in 0..<6 {
            versions.append(try await fixture.publish([UInt8(index), 7], tags: index == 0 ? ["first"] : []))
            clock.advance(60)
        }
        try await store.pin(versions[1].id, name: "keep", owner: "me", reason: "demo")
        let unruled = try await store.why(versions[3].id)
        #expect(unruled.map(\.kind) == ["no-rule"])
        try await store.setRetention(RetentionRule(newest: 2), repository: "web", artifact: "app", in: fixture.scope)
        let deleted = try await store.applyRetention()
        #expect(Set(deleted) == Set([versions[2].id, versions[3].id]))
        #expect(try await store.why(versions[0].id).map(\.kind) == ["tag"])
        #expect(try await store.why(versions[1].id).map(\.kind) == ["pin"])
        #expect(try await store.why(versions[5].id).map(\.kind) == ["newest"])
        #expect(try await store.why(versions[2].id).map(\.kind) == ["undelete-window"])
        let again = try await store.applyRetention()
        #expect(again.isEmpty)
    }

    @Test("a deleted version can be brought back until its window ends; pins and holds forbid deletion")
    func deletion() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now })
        defer { fixture.remove() }
        let store = fixture.store
        var random = SeededGenerator(seed: 30)
        let bytes = random.bytes(300_000)
        let version = try await fixture.publish(bytes)
        try await store.pin(version.id, name: "case 7", kind: .hold, owner: "legal")
        await #expect(throws: StoreError.self) { try await store.delete([version.id]) }
        await #expect(throws: StoreError.self) { try await store.unpin(version.id, name: "case 7") }
        try await store.unpin(version.id, name: "case 7", liftingHold: true)
        try await store.delete([version.id])
        let listed = try await store.versions(VersionFilter(scope: fixture.scope))
        #expect(listed.versions.isEmpty)
        clock.advance(3600)
        try await store.collect()
        try await store.undelete(version.id)
        #expect(try await fixture.read(version) == bytes)
        try await store.delete([version.id])
        clock.advance(25 * 3600)
        await #expect(throws: StoreError.self) { try await store.undelete(version.id) }
        try await store.collect()
        await #expect(throws: StoreError.self) { try await store.version(version.id) }
    }

    @Test("what is not published in one transaction is not published at all") func transaction() async throws {
        struct Refusal: Error {}
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let staged = try await ingest.addBlob([1, 2, 3])
        await #expect(throws: Refusal.self) {
            try await fixture.store.publish(staged, fixture.draft()) { _, _ in throw Refusal() }
        }
        let listed = try await fixture.store.versions(VersionFilter(scope: fixture.scope))
        #expect(listed.versions.isEmpty)
        let version = try await fixture.store.publish(staged, fixture.draft()) { transaction, version in
            let row = try transaction.row("SELECT number FROM store_versions WHERE id = ?", version.id.rawValue)
            #expect(try row?.int("number") == 1)
        }
        #expect(version.number == 1)
    }

    @Test("an ingest whose lease has ended cannot publish") func lease() async throws {
        let clock = ManualClock()
        let fixture = try await StoreFixture(now: { clock.now }, configure: { $0.leaseSeconds = 60 })
        defer { fixture.remove() }
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let staged = try await ingest.addBlob([1, 2, 3])
        clock.advance(61)
        await #expect(throws: StoreError.self) { try await fixture.store.publish(staged, fixture.draft()) }
    }

    @Test("a disabled key ends reading and writing but not listing and collecting") func disabledKey() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 31)
        let bytes = random.bytes(200_000)
        let version = try await fixture.publish(bytes)
        fixture.keys.setDisabled(true)
        await #expect(throws: StoreError.self) { try await fixture.read(version) }
        await #expect(throws: StoreError.self) { try await fixture.publish([1]) }
        let listed = try await fixture.store.versions(VersionFilter(scope: fixture.scope))
        #expect(listed.versions.map(\.contentID) == [version.contentID])
        try await fixture.store.collect()
        fixture.keys.setDisabled(false)
        #expect(try await fixture.read(version) == bytes)
    }
}
