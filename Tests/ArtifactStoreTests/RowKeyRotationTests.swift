import Catalog
import KeyHierarchy
import Testing

@testable import ArtifactStore

@Suite("A rotation of the row key")
struct RowKeyRotationTests {
    @Test("gives pins new codes, and those of the destroyed key are worth nothing")
    func pins() async throws {
        let fixture = try await KeyedFixture()
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope)
        let version = try await fixture.store.publish(
            try await ingest.addBlob([1, 2, 3]),
            VersionDraft(scope: fixture.scope, repository: "web", artifact: "app", createdBy: "t"))
        for name in ["a", "b", "c"] { try await fixture.store.pin(version.id, name: name, owner: "o", reason: "r") }
        func codes() async throws -> [[UInt8]] {
            try await fixture.catalog.read {
                try $0.rows("SELECT mac FROM store_pins ORDER BY name").map { try $0.bytes("mac") }
            }
        }
        let before = try await codes()
        let report = try await fixture.store.rotateRowKey(destroyingOld: true)
        #expect(report.version == 2 && report.destroyed == [1] && report.rows >= 3)
        let after = try await codes()
        #expect(after.count == 3 && Set(after).isDisjoint(with: before))
        #expect(try await fixture.store.verify().problems == [])
        #expect(try await fixture.store.pins(of: version.id).count == 3)
        let old = before[0]
        try await fixture.catalog.write {
            _ = try $0.execute("UPDATE store_pins SET mac = ? WHERE name = 'a'", old)
        }
        #expect(try await fixture.store.verify().problems.count == 1)
    }
}
