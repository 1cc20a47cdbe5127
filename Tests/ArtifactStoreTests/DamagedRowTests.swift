import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

/// A small store in whose database one cell at a time is damaged: readers get right bytes, or an error that says what is
/// damaged; nothing crashes. `COFFER_ROWS_SEED` replays a seed, `COFFER_ROWS_RUNS` says how many are tried.
@Suite struct DamagedRowTests {
    /// What the store holds, by version.
    private struct Sample {
        let fixture: StoreFixture
        var blobs: [(id: VersionID, bytes: [UInt8])] = []
        var trees: [(id: VersionID, files: [String: [UInt8]])] = []
    }

    private static let configure: @Sendable (inout StoreConfiguration) -> Void = {
        $0.inlineCommitBytes = 8 << 10
        $0.threads = 1
        $0.openDataPacks = 1
    }

    private static func sample() async throws -> Sample {
        let fixture = try await StoreFixture(configure: configure)
        let store = fixture.store
        var sample = Sample(fixture: fixture)
        var random = SeededGenerator(seed: 75)
        for (artifact, count) in [("app", 40_000), ("small", 3000), ("app", 20)] {
            let bytes = random.bytes(count)
            sample.blobs.append((try await fixture.publish(bytes, artifact: artifact, tags: ["newest"]).id, bytes))
        }
        for (name, count) in [("a", 3), ("b", 40)] {
            var files: [String: [UInt8]] = ["deep/down/note": Array("note".utf8)]
            for index in 0..<count { files["folder/\(index)"] = random.bytes(100 + index) }
            let version = try await fixture.publish(directory: try fixture.directory(name, files), artifact: name)
            sample.trees.append((version.id, files))
        }
        let (first, second) = (sample.blobs[0].id, sample.blobs[1].id)
        try await store.pin(first, name: "production", kind: .deployment, owner: "test")
        try await store.pin(second, name: "audit", kind: .hold, owner: "test", expiresAt: Date() + 3600)
        try await store.setRetention(
            RetentionRule(newest: 2, ageSeconds: 3600, stage: "Prod"), repository: "web", artifact: "app",
            in: fixture.scope)
        let ingest = try await store.beginIngest(scope: fixture.scope)
        let last = try await store.publish(
            try await ingest.addBlob([1, 2, 3]), fixture.draft("once"), once: "request")
        try await store.delete([last.id])
        let job = try await store.startRewrap(in: fixture.scope, by: "test")
        _ = try await store.runJob(job.id)
        try store.packs.sealOpenPacks()
        sample.blobs.append((try await fixture.publish(random.bytes(20_000), artifact: "late").id, []))
        sample.blobs[3].bytes = try await store.read(sample.blobs[3].id).collect(upTo: 1 << 20)
        try await store.recordHead()
        try await fixture.catalog.write { transaction in
            let pack = try transaction.row("SELECT MIN(number) AS n FROM store_packs")?.int64("n") ?? 0
            try transaction.execute("INSERT INTO store_scour (pack) VALUES (?)", pack)
            try transaction.execute(
                "INSERT INTO store_damage (pack, record_offset, record, reason, found_at) VALUES (?, 64, ?, 'test', 1)",
                pack, [UInt8](repeating: 7, count: 16))
            try transaction.execute(
                """
                INSERT INTO store_scrub (level, pack, version_at, version, path, position, saved_at)
                VALUES ('deep', ?, 1, ?, ?, 7, 1)
                """, pack, first.rawValue, Array("folder".utf8))
        }
        try fixture.catalog.close()
        return sample
    }

    /// One cell of one of the store's tables.
    private struct Cell: CustomStringConvertible {
        var table: String
        var row: Int64
        var column: String
        var value: SQLValue
        var description: String { "\(table).\(column) of row \(row)" }
    }

    private static func cells(_ catalog: Catalog) async throws -> [Cell] {
        try await catalog.read { transaction in
            var cells: [Cell] = []
            let tables = try transaction.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'store!_%' ESCAPE '!' ORDER BY name")
            for table in try tables.map({ try $0.string("name") }) {
                let columns = try transaction.rows("SELECT name FROM pragma_table_info('\(table)')").map {
                    try $0.string("name")
                }
                for row in try transaction.rows("SELECT rowid AS the_row, * FROM \(table) ORDER BY rowid") {
                    for column in columns {
                        cells.append(
                            Cell(table: table, row: try row.int64("the_row"), column: column, value: row[column]))
                    }
                }
            }
            return cells
        }
    }

    /// The value with a bit flipped, or what else damage and wrong hands leave.
    private static func damaged(_ value: SQLValue, _ random: inout SeededGenerator) -> SQLValue {
        func flipped(_ bytes: [UInt8]) -> [UInt8] {
            if bytes.isEmpty { return [0x80] }
            var bytes = bytes
            bytes[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8)
            return bytes
        }
        let kind = random.next() % 8
        if kind == 0 { return .null }
        switch value {
        case .null: return kind < 4 ? .integer(Int64(bitPattern: random.next())) : .text("?")
        case .integer(let number):
            switch kind {
            case 1: return .integer(.max)
            case 2: return .integer(.min)
            case 3: return .integer(number &+ 1)
            case 4: return .text("\(number)x")
            default: return .integer(number ^ 1 << Int64(random.next() % 64))
            }
        case .real(let number): return .real(-number)
        case .text(let text):
            if kind == 1 { return .blob(Array(text.utf8)) }
            if kind == 2 { return .text("") }
            return .text(String(decoding: flipped(Array(text.utf8)), as: UTF8.self))
        case .blob(let bytes):
            if kind == 1 { return .blob([]) }
            if kind == 2 { return .blob(Array(bytes.prefix(bytes.count / 2))) }
            return .blob(flipped(bytes))
        }
    }

    /// What a damaged store may answer instead.
    private static func isNamed(_ error: any Error) -> Bool {
        switch error {
        case let error as StoreError: !error.message.isEmpty
        case let error as CatalogError: !error.message.isEmpty
        case is FormatError: true
        default: false
        }
    }

    @Test("a damaged cell of the database gives right bytes, or an error that says what is damaged") func cells()
        async throws
    {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["COFFER_ROWS_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 32)
        let runs = environment["COFFER_ROWS_RUNS"].flatMap { UInt64($0) } ?? 40
        let sample = try await Self.sample()
        defer { sample.fixture.remove() }
        for seed in first..<first + runs {
            let folder = FilePath(NSTemporaryDirectory()).appending("rows-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(atPath: folder.string) }
            try FileManager.default.copyItem(atPath: sample.fixture.folder.string, toPath: folder.string)
            try await Self.run(seed, sample, folder)
        }
    }

    private static func run(_ seed: UInt64, _ sample: Sample, _ folder: FilePath) async throws {
        var random = SeededGenerator(seed: seed)
        let catalog = try Catalog(path: folder.appending("catalog.db").string, migrations: StoreSchema.migrations)
        let cells = try await Self.cells(catalog)
        let tables = Set(cells.map(\.table)).sorted()
        // Each table as often as the others, however many rows it has.
        let table = tables[Int(random.next() % UInt64(tables.count))]
        let candidates = cells.filter { $0.table == table }
        let cell = candidates[Int(random.next() % UInt64(candidates.count))]
        let value = damaged(cell.value, &random)
        let what = "COFFER_ROWS_SEED=\(seed): \(cell) is \(value)"
        // Said before, for the case that nothing can be said after.
        FileHandle.standardError.write(Data((what.prefix(200) + "\n").utf8))
        do {
            _ = try await catalog.write {
                try $0.execute("UPDATE \(cell.table) SET \(cell.column) = ? WHERE rowid = ?", value, cell.row)
            }
        } catch is CatalogError {
            try catalog.close()
            return  // The database itself does not let that happen.
        }
        try catalog.close()
        let fixture: StoreFixture
        do {
            fixture = try await StoreFixture(keys: sample.fixture.keys, folder: folder, configure: configure)
        } catch {
            #expect(isNamed(error), "opening, \(what): \(error)")
            report(what, "open", error)
            return
        }
        defer { try? fixture.catalog.close() }
        try await use(fixture, sample, what)
    }

    /// Reads, checks, maintains, reads again.
    private static func use(_ fixture: StoreFixture, _ sample: Sample, _ what: String) async throws {
        let store = fixture.store
        func attempt(_ step: String, _ body: () async throws -> Void) async {
            do {
                try await body()
            } catch {
                #expect(isNamed(error), "\(step), \(what): \(type(of: error)) \(error)")
                report(what, step, error)
            }
        }
        await readAll(fixture, sample, what, attempt)
        await attempt("list") { _ = try await store.versions(VersionFilter(scope: fixture.scope)) }
        await attempt("artifacts") { _ = try await store.artifacts(in: fixture.scope) }
        await attempt("rules") { _ = try await store.retentionRules(in: fixture.scope) }
        await attempt("pins") { _ = try await store.pins() }
        await attempt("jobs") { _ = try await store.jobs(in: fixture.scope) }
        await attempt("statistics") { _ = try await store.statistics() }
        await attempt("verify") { _ = try await store.verify() }
        await attempt("rollback") { _ = try await store.rollbackProblem() }
        for (id, _) in sample.blobs { await attempt("why") { _ = try await store.why(id) } }
        await attempt("publish") { _ = try await fixture.publish([9, 9, 9], artifact: "app") }
        await attempt("rewrap") {
            _ = try await store.runJob(try await store.startRewrap(in: fixture.scope, by: "test").id)
        }
        await attempt("retention") { _ = try await store.plannedRetention() }
        await attempt("scrub") { _ = try await store.scrub(.deep) }
        await attempt("exclusive") { _ = try await store.exclusiveBytes(of: sample.blobs[0].id) }
        await attempt("collect") { try await store.collect() }
        await attempt("journal") { try await store.moveJournal(force: true) }
        await readAll(fixture, sample, what, attempt)
    }

    private static func readAll(
        _ fixture: StoreFixture, _ sample: Sample, _ what: String,
        _ attempt: (String, () async throws -> Void) async -> Void
    ) async {
        for (id, bytes) in sample.blobs {
            await attempt("read") {
                let read = try await fixture.store.read(id).collect(upTo: 1 << 20)
                #expect(read == bytes, "other bytes, \(what)")
            }
        }
        for (id, files) in sample.trees {
            for (path, bytes) in files where path.hasSuffix("1") || path.hasSuffix("note") {
                await attempt("file") {
                    let read = try await fixture.store.readFile(id, path: path).stream.collect(upTo: 1 << 20)
                    #expect(read == bytes, "other bytes, \(what)")
                }
            }
            await attempt("zip") { _ = try await fixture.store.zip(id).stream().collect(upTo: 1 << 20) }
            await attempt("version") { _ = try await fixture.store.version(id) }
        }
    }

    private static func report(_ what: String, _ step: String, _ error: any Error) {
        guard ProcessInfo.processInfo.environment["COFFER_ROWS_TALK"] != nil else { return }
        FileHandle.standardError.write(Data("    \(step): \(error)\n".utf8))
    }
}
