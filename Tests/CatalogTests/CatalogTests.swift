import Foundation
import Testing

@testable import Catalog

private let schema = [
    Migration("test-001", ["CREATE TABLE test_item (name TEXT PRIMARY KEY, amount BIGINT NOT NULL, body BLOB)"])
]

private func withCatalog(
    _ migrations: [Migration] = schema, _ body: (Catalog, String) async throws -> Void
) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("catalog-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appendingPathComponent("catalog.sqlite").path
    let catalog = try Catalog(path: path, migrations: migrations)
    try await body(catalog, path)
    try catalog.close()
}

@Suite struct CatalogTests {
    @Test func `values come back as they went in`() async throws {
        try await withCatalog { catalog, _ in
            try await catalog.write { transaction in
                _ = try transaction.execute(
                    "INSERT INTO test_item (name, amount, body) VALUES (?, ?, ?)", "ä b", Int64.min,
                    [0, 255, 7] as [UInt8])
            }
            let row = try await catalog.read { try $0.row("SELECT * FROM test_item") }
            #expect(try row?.string("name") == "ä b")
            #expect(try row?.int64("amount") == Int64.min)
            #expect(try row?.bytes("body") == [0, 255, 7])
            #expect(row?["absent"] == .null)
        }
    }

    @Test func `empty text and empty bytes are not NULL`() async throws {
        try await withCatalog { catalog, _ in
            try await catalog.write { transaction in
                _ = try transaction.execute(
                    "INSERT INTO test_item (name, amount, body) VALUES (?, ?, ?)", "", 1, [] as [UInt8])
            }
            let row = try await catalog.read { try $0.row("SELECT * FROM test_item") }
            #expect(row?["name"] == .text(""))
            #expect(row?["body"] == .blob([]))
        }
    }

    @Test func `a statement is given as many arguments as it has placeholders`() async throws {
        try await withCatalog { catalog, _ in
            await #expect(throws: CatalogError.self) {
                try await catalog.write {
                    _ = try $0.execute("INSERT INTO test_item (name, amount) VALUES (?, ?)", "a")
                }
            }
            await #expect(throws: CatalogError.self) {
                try await catalog.read { _ = try $0.rows("SELECT * FROM test_item WHERE name = ?", "a", "b") }
            }
            let rows = try await catalog.read { try $0.rows("SELECT * FROM test_item WHERE name = ?", "a") }
            #expect(rows.isEmpty)
        }
    }

    @Test func `a commit is flushed to the disk before it is answered`() async throws {
        try await withCatalog { catalog, path in
            let modes = try await catalog.write { transaction in
                (try transaction.row("PRAGMA synchronous"), try transaction.row("PRAGMA journal_mode"))
            }
            // 2 is FULL: the write-ahead log is flushed by every commit; with NORMAL the newest commits may be lost.
            #expect(try modes.0?.int64("synchronous") == 2)
            #expect(try modes.1?.string("journal_mode") == "wal")
        }
    }

    @Test func `a write that throws leaves nothing and harms no neighbour`() async throws {
        struct Refused: Error {}
        try await withCatalog { catalog, _ in
            let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
                for index in 0..<40 {
                    group.addTask {
                        do {
                            try await catalog.write { transaction in
                                try transaction.execute(
                                    "INSERT INTO test_item (name, amount) VALUES (?, ?)", "n\(index)", index)
                                if index % 4 == 0 { throw Refused() }
                            }
                            return (index, true)
                        } catch {
                            return (index, false)
                        }
                    }
                }
                var outcomes: [Int: Bool] = [:]
                for await (index, succeeded) in group { outcomes[index] = succeeded }
                return outcomes
            }
            for index in 0..<40 { #expect(outcomes[index] == (index % 4 != 0)) }
            let names = try await catalog.read {
                try $0.rows("SELECT name FROM test_item").map { try $0.string("name") }
            }
            #expect(Set(names) == Set((0..<40).filter { $0 % 4 != 0 }.map { "n\($0)" }))
        }
    }

    @Test func `a constraint is told apart from other failures`() async throws {
        try await withCatalog { catalog, _ in
            let insert: @Sendable (Transaction) throws -> Void = {
                try $0.execute("INSERT INTO test_item (name, amount) VALUES ('a', 1)")
            }
            try await catalog.write(insert)
            let error = await #expect(throws: CatalogError.self) { try await catalog.write(insert) }
            #expect(error?.code == .constraint)
        }
    }

    @Test func `what was written is there after reopening, and steps run once`() async throws {
        try await withCatalog { catalog, path in
            try await catalog.write { _ = try $0.execute("INSERT INTO test_item (name, amount) VALUES ('a', 1)") }
            try catalog.close()
            let later = schema + [Migration("test-002", ["ALTER TABLE test_item ADD COLUMN note TEXT"])]
            let reopened = try Catalog(path: path, migrations: later)
            let row = try await reopened.read { try $0.row("SELECT name, note FROM test_item") }
            #expect(try row?.string("name") == "a")
            #expect(try row?.optionalString("note") == nil)
            try reopened.close()
            let error = #expect(throws: CatalogError.self) { try Catalog(path: path, migrations: schema) }
            #expect(error?.code == .newer)
        }
    }

    @Test func `text with a NUL is refused, never cut short`() async throws {
        try await withCatalog { catalog, _ in
            let error = await #expect(throws: CatalogError.self) {
                try await catalog.write {
                    try $0.execute("INSERT INTO test_item (name, amount) VALUES (?, 1)", "a\u{0}b")
                }
            }
            #expect(error?.code == .mismatch)
        }
    }

    @Test(arguments: [Int64.min, -1, 1 << 54, .max])
    func `a number out of range is refused with its column and table, not converted`(number: Int64) async throws {
        try await withCatalog { catalog, _ in
            let row = try #require(
                try await catalog.write { transaction in
                    try transaction.execute("INSERT INTO test_item (name, amount) VALUES ('a', ?)", number)
                    return try transaction.row("SELECT name, amount FROM test_item")
                })
            #expect(try row.int64("amount") == number)
            let natural = #expect(throws: CatalogError.self) { try row.natural("amount") }
            #expect(
                natural?.message
                    == "column amount of test_item should hold a number from 0 to 2^53 and holds another number")
            #expect(throws: CatalogError.self) { try row.integer("amount", as: UInt32.self) }
            // The beginning of 1970 less a thousandth of a second is a time.
            if number != -1 { #expect(throws: CatalogError.self) { try row.date("amount") } }
        }
    }

    @Test func `after a failure that rolled back nothing of the same write is done`() async throws {
        try await withCatalog { catalog, _ in
            let pages = try await catalog.write { try $0.row("PRAGMA page_count")?.int("page_count") ?? 0 }
            _ = try await catalog.write { try $0.rows("PRAGMA max_page_count = \(pages + 2)") }
            await #expect(throws: CatalogError.self) {
                try await catalog.write { transaction in
                    let large = [UInt8](repeating: 1, count: 100_000)
                    // Somebody who does not mind the failure and goes on.
                    _ = try? transaction.execute("INSERT INTO test_item (name, amount, body) VALUES ('a', 1, ?)", large)
                    try transaction.execute("INSERT INTO test_item (name, amount) VALUES ('b', 1)")
                    throw CatalogError(.other, "should SQLite have kept the transaction: take it back")
                }
            }
            #expect(try await catalog.read { try $0.rows("SELECT name FROM test_item").count } == 0)
            try await catalog.write { _ = try $0.execute("INSERT INTO test_item (name, amount) VALUES ('c', 1)") }
            #expect(try await catalog.read { try $0.rows("SELECT name FROM test_item").count } == 1)
        }
    }

    @Test func `closing twice is harmless and what follows is refused`() async throws {
        try await withCatalog { catalog, _ in
            try catalog.close()
            try catalog.close()
            let read = await #expect(throws: CatalogError.self) { try await catalog.read { try $0.rows("SELECT 1") } }
            #expect(read?.code == .closed)
            let write = await #expect(throws: CatalogError.self) {
                try await catalog.write { try $0.execute("SELECT 1") }
            }
            #expect(write?.code == .closed)
        }
    }

    @Test func `a file that is no database is called damaged`() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("not-\(UUID().uuidString)").path
        try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let error = #expect(throws: CatalogError.self) { try Catalog(path: path, migrations: schema) }
        #expect(error?.code == .corrupt)
    }
}
