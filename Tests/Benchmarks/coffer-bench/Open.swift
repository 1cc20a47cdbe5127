import ArgumentParser
import ArtifactStore
import Catalog

/// Opens a store of many versions. The versions are copies of one row, since only their number matters here.
struct Open: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Option(help: "How many versions.") var versions = 1_000_000

    func run() async throws {
        let (store, catalog) = try await bench.open()
        let ingest = try await store.beginIngest(scope: BenchOptions.scope)
        try await store.publish(ingest.addBlob(Array("one".utf8)), BenchOptions.draft())
        let count = versions
        try await catalog.write { try Self.copyRows($0, count) }
        try await store.close()
        try catalog.close()
        let started = seconds()
        let (reopened, second) = try await bench.open()
        let page = try await reopened.versions(
            VersionFilter(scope: BenchOptions.scope, repository: "bench", artifact: "data"), limit: 1)
        let elapsed = seconds() - started
        guard page.versions.first?.number == 1 else { throw ValidationError("the newest version is not found") }
        try report(["seconds": elapsed, "versions": Double(count)])
        try second.close()
    }

    private static func copyRows(_ transaction: Transaction, _ count: Int) throws {
        let columns = try transaction.rows("SELECT name FROM pragma_table_info('store_versions')").map {
            try $0.string("name")
        }
        let copied = columns.map { column in
            switch column {
            case "id": "substr(id, 1, 24) || printf('%012x', n)"
            case "number": "n"
            // The original stays the newest: what a row seals is bound to its version.
            case "created_at": "created_at - n"
            default: column
            }
        }
        try transaction.execute(
            """
            WITH RECURSIVE counter (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM counter WHERE n < \(count))
            INSERT INTO store_versions (\(columns.joined(separator: ", ")))
            SELECT \(copied.joined(separator: ", ")) FROM store_versions, counter WHERE store_versions.number = 1
            """)
    }
}
