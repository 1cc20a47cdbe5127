import Catalog
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct LogSequenceTests {
    @Test("a log that was kept in the table of old goes on, and every entry still checks") func goesOn() async throws {
        let folder = FilePath(NSTemporaryDirectory()).appending("store-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        let keys = EphemeralStoreKeys()
        let earlier = StoreSchema.migrations.filter { $0.name < "store-009" }
        let catalog = try Catalog(path: folder.appending("catalog.db").string, migrations: earlier)
        var configuration = StoreConfiguration(directory: folder)
        configuration.threads = 2
        let store = try await ArtifactStore(configuration: configuration, catalog: catalog, keys: keys)
        let scope = AccountRegion(account: "111122223333", region: "eu-west-1")
        for index in 0..<5 {
            let ingest = try await store.beginIngest(scope: scope)
            try await store.publish(
                try await ingest.addBlob(Array("text \(index)".utf8)),
                VersionDraft(scope: scope, repository: "web", artifact: "app", createdBy: "test"))
        }
        try await store.recordHead()
        let rows = try await catalog.read { try $0.rows("SELECT * FROM store_log ORDER BY sequence") }
        try catalog.close()

        let fixture = try await StoreFixture(keys: keys, folder: folder)
        let after = try await fixture.catalog.read { try $0.rows("SELECT * FROM store_log ORDER BY sequence") }
        #expect(rows.count == 5)
        #expect(try rows.map { try $0.bytes("leaf") } == after.map { try $0.bytes("leaf") })
        let next = try await fixture.publish(Array("text 5".utf8))
        #expect(next.number == 6)
        try await fixture.store.recordHead()
        let report = try await fixture.store.verify()
        #expect(report.problems.isEmpty)
        let key = try await fixture.catalog.read { transaction in
            try transaction.rows("PRAGMA index_list(store_log)").map { try $0.string("name") }
        }
        #expect(key == ["store_log_subject"])
        try fixture.catalog.close()
    }
}
