import Catalog
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

/// A small store whose every stored byte is damaged in turn.
@Suite struct ExhaustiveDamageTests {
    private static let configure: @Sendable (inout StoreConfiguration) -> Void = {
        $0.inlineCommitBytes = 0
        $0.threads = 1
        $0.openDataPacks = 1
    }

    /// A store over the catalogue and keys of another, with nothing in memory yet.
    private func opened(_ fixture: StoreFixture, _ backend: MemoryBackend, index: String) async throws -> ArtifactStore
    {
        var configuration = StoreConfiguration(directory: fixture.folder.appending(index))
        Self.configure(&configuration)
        return try await ArtifactStore(
            configuration: configuration, catalog: fixture.catalog, keys: fixture.keys, backend: backend)
    }

    /// The version's bytes, or nil when the store says that they are damaged. Anything else is an error.
    private func read(_ store: ArtifactStore, _ version: Version) async throws -> [UInt8]? {
        do {
            return try await store.readFile(version.id, path: "dir/file").stream.collect(upTo: 1 << 20)
        } catch let error as StoreError where error.code == .integrity {
            // It names what is damaged: the version, and a pack, record or path.
            #expect(error.message.contains(version.id.rawValue) || error.message.contains("web/app@1"), "\(error)")
            #expect(
                ["pack", "record", "file", "directory"].contains { error.message.contains($0) }, "\(error)")
            return nil
        }
    }

    @Test("each byte of each pack, damaged, gives right bytes or an integrity error, and scrubbing finds it")
    func packs() async throws {
        let backend = MemoryBackend()
        let fixture = try await StoreFixture(backend: backend, configure: Self.configure)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 60)
        let bytes = random.bytes(100)
        var files = ["dir/file": bytes]
        // So many that the directory is a record of its own.
        for index in 0..<40 { files["dir/\(String(repeating: "n", count: 60))\(index)"] = [UInt8(index)] }
        let root = try fixture.directory("in", files)
        let version = try await fixture.publish(directory: root)
        try fixture.store.packs.sealOpenPacks()
        // The next commit names the sealed packs.
        _ = try await fixture.publish([1])
        let infos = fixture.store.packs.table.all.filter { $0.state == .sealed }
        #expect(Set(infos.map(\.packClass)) == [.data, .meta])
        var refused = 0
        for info in infos {
            for position in 0..<info.length {
                let bit = UInt8(1) << UInt8(random.next() % 8)
                backend.corrupt(info.name) { $0[position] ^= bit }
                // The index is read from the damaged pack.
                let folder = "index-\(info.number)-\(position)"
                let store = try await opened(fixture, backend, index: folder)
                if let read = try await read(store, version) {
                    #expect(read == bytes, "byte \(position) of pack \(info.number)")
                } else {
                    refused += 1
                }
                let found = try await store.scrub(.pack).damage
                #expect(
                    found.contains { $0.pack == info.name }, "byte \(position) of pack \(info.number) was not found")
                backend.corrupt(info.name) { $0[position] ^= bit }
                try await fixture.catalog.write { _ = try $0.execute("DELETE FROM store_damage") }
                try FileManager.default.removeItem(atPath: fixture.folder.appending(folder).string)
            }
        }
        #expect(refused > 100)
        let healthy = try await opened(fixture, backend, index: "index-last")
        #expect(try await healthy.scrub(.deep).damage.isEmpty)
    }

    @Test("each byte of the chunk index and its manifest, damaged, is healed from the packs") func index() async throws
    {
        let backend = MemoryBackend()
        let fixture = try await StoreFixture(backend: backend, configure: Self.configure)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 61)
        let bytes = random.bytes(300)
        let root = try fixture.directory("in", ["dir/file": bytes])
        let version = try await fixture.publish(directory: root)
        try await fixture.store.close()
        let source = fixture.folder.appending("index").string
        for name in try FileManager.default.contentsOfDirectory(atPath: source) {
            let original = try [UInt8](Data(contentsOf: URL(fileURLWithPath: source + "/" + name)))
            for position in original.indices {
                // Of the zeros between pages and after the last entry a few are enough.
                let isPadding = original[max(0, position - 8)..<min(original.count, position + 9)].allSatisfy {
                    $0 == 0
                }
                if isPadding && position % 97 != 0 { continue }
                let folder = fixture.folder.appending("copy")
                try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: source, toPath: folder.appending("index").string)
                var damaged = original
                damaged[position] ^= UInt8(1) << UInt8(random.next() % 8)
                try Data(damaged).write(to: URL(fileURLWithPath: folder.appending("index").string + "/" + name))
                let store = try await opened(fixture, backend, index: "copy")
                let read = try await read(store, version)
                #expect(read == bytes, "byte \(position) of \(name)")
                try FileManager.default.removeItem(atPath: folder.string)
            }
        }
    }

    @Test("each byte of a version's manifest, damaged, is refused") func manifest() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let root = try fixture.directory("in", ["dir/file": Array(repeating: 9, count: 5000)])
        let version = try await fixture.publish(directory: root)
        for column in ["root", "summary"] {
            let original = try await fixture.store.row(version.id).bytes(column)
            for position in original.indices {
                var changed = original
                changed[position] ^= UInt8(1) << UInt8(position % 8)
                try await set(column, changed, of: version, fixture)
                // The manifest is needed to read, the summary to list.
                let error = await #expect(throws: StoreError.self, "byte \(position) of \(column)") {
                    _ = try await fixture.store.version(version.id)
                    _ = try await fixture.store.readFile(version.id, path: "dir/file").stream.collect(upTo: 1 << 20)
                }
                #expect(error?.code == .integrity)
                let message = error?.message ?? ""
                #expect(message.contains(version.id.rawValue) || message.contains("web/app@1"), "\(message)")
            }
            try await set(column, original, of: version, fixture)
        }
        #expect(try await read(fixture.store, version)?.count == 5000)
    }

    private func set(_ column: String, _ bytes: [UInt8], of version: Version, _ fixture: StoreFixture) async throws {
        try await fixture.catalog.write {
            _ = try $0.execute("UPDATE store_versions SET \(column) = ? WHERE id = ?", bytes, version.id.rawValue)
        }
    }

    @Test("each byte of a small commit, damaged, gives right bytes or an integrity error; nothing is collected")
    func journal() async throws {
        let backend = MemoryBackend()
        let fixture = try await StoreFixture(backend: backend, configure: { $0.threads = 1 })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 62)
        let bytes = random.bytes(400)
        let root = try fixture.directory("in", ["dir/file": bytes, "dir/other": random.text(2000)])
        let version = try await fixture.publish(directory: root)
        let rows = try await fixture.catalog.read { try $0.rows("SELECT * FROM store_commits") }
        #expect(rows.count == 1)
        for row in rows {
            for column in ["records", "contents"] {
                let original = try row.bytes(column)
                for position in original.indices {
                    var changed = original
                    changed[position] ^= UInt8(1) << UInt8(random.next() % 8)
                    try await set(column, changed, ofCommit: try row.int64("commit_number"), fixture)
                    do {
                        let store = try await opened(fixture, backend, index: "copy")
                        if let read = try await read(store, version) { #expect(read == bytes) }
                    } catch let error as StoreError where error.code == .integrity {
                        #expect(error.message.contains("journal"), "\(error)")
                    }
                }
                try await set(column, original, ofCommit: try row.int64("commit_number"), fixture)
            }
        }
    }

    private func set(_ column: String, _ bytes: [UInt8], ofCommit number: Int64, _ fixture: StoreFixture) async throws {
        try await fixture.catalog.write {
            _ = try $0.execute("UPDATE store_commits SET \(column) = ? WHERE commit_number = ?", bytes, number)
        }
    }
}
