import Foundation
import Testing

@testable import Catalog

private let schema = [Migration("test-001", ["CREATE TABLE test_item (name TEXT PRIMARY KEY, body BLOB NOT NULL)"])]

/// The layer below SQLite that writes a transaction to the log in one piece.
@Suite struct LogBufferTests {
    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    private func body(_ index: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* index) }
    }

    private func insert(_ index: Int, _ count: Int, _ catalog: Catalog) async throws {
        let bytes = body(index, count)
        try await catalog.write {
            _ = try $0.execute("INSERT INTO test_item (name, body) VALUES (?, ?)", "n\(index)", bytes)
        }
    }

    private func lengths(_ catalog: Catalog) async throws -> [Int] {
        try await catalog.read { try $0.rows("SELECT body FROM test_item ORDER BY rowid") }.map {
            try $0.bytes("body").count
        }
    }

    @Test(
        "what was acknowledged is in the files, and read by others at once", arguments: [1, 20_000, 120_000, 700_000])
    func acknowledged(count: Int) async throws {
        try await withFolder { folder in
            let catalog = try Catalog(path: folder.appendingPathComponent("a.sqlite").path, migrations: schema)
            for index in 1...6 {
                try await insert(index, count, catalog)
                #expect(try await lengths(catalog) == Array(repeating: count, count: index))
                // As after a loss of power: the files as they are now, without any farewell.
                for suffix in ["", "-wal"] {
                    try FileManager.default.copyItem(
                        at: folder.appendingPathComponent("a.sqlite\(suffix)"),
                        to: folder.appendingPathComponent("\(index).sqlite\(suffix)"))
                }
                let copy = try Catalog(path: folder.appendingPathComponent("\(index).sqlite").path, migrations: schema)
                let rows = try await copy.read { try $0.rows("SELECT name, body FROM test_item ORDER BY rowid") }
                #expect(try rows.map { try $0.string("name") } == (1...index).map { "n\($0)" })
                #expect(try rows.last?.bytes("body") == body(index, count))
                try copy.close()
            }
            try catalog.close()
        }
    }

    @Test("a large transaction that is undone leaves nothing, and the next one stands") func undone() async throws {
        struct Refused: Error {}
        try await withFolder { folder in
            let path = folder.appendingPathComponent("a.sqlite").path
            let catalog = try Catalog(path: path, migrations: schema)
            try await insert(1, 30_000, catalog)
            let bytes = body(3, 3_000_000)
            await #expect(throws: Refused.self) {
                try await catalog.write { transaction in
                    // More than the cache of pages holds: some of it reaches the log before the end.
                    for index in 0..<8 {
                        try transaction.execute("INSERT INTO test_item (name, body) VALUES (?, ?)", "x\(index)", bytes)
                    }
                    throw Refused()
                }
            }
            try await insert(2, 30_000, catalog)
            #expect(try await lengths(catalog) == [30_000, 30_000])
            try catalog.close()
            let again = try Catalog(path: path, migrations: schema)
            #expect(try await lengths(again) == [30_000, 30_000])
            try again.close()
        }
    }

    @Test("commits go on while the log is written back and begun again") func checkpoints() async throws {
        try await withFolder { folder in
            let path = folder.appendingPathComponent("a.sqlite").path
            let catalog = try Catalog(path: path, migrations: schema)
            // A log is written back about every four million bytes.
            for index in 1...60 { try await insert(index, 200_000, catalog) }
            let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int
            #expect(try #require(size) < 7_000_000)
            let row = try await catalog.read { try $0.row("PRAGMA integrity_check") }
            #expect(try row?.string("integrity_check") == "ok")
            #expect(try await lengths(catalog).count == 60)
            try catalog.close()
        }
    }
}
