import Catalog
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct DamageTests {
    /// Every pack of a store, as files.
    private func packs(_ fixture: StoreFixture) throws -> [String] {
        let root = fixture.folder.appending("packs").string
        return try FileManager.default.subpathsOfDirectory(atPath: root).map { root + "/" + $0 }.filter {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0, isDirectory: &isDirectory) && !isDirectory.boolValue
        }
    }

    private func flip(_ path: String, _ position: Int) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(position))
        var byte = try #require(try file.read(upToCount: 1))
        byte[byte.startIndex] ^= 0x10
        try file.seek(toOffset: UInt64(position))
        try file.write(contentsOf: byte)
    }

    @Test("a flipped bit anywhere in the packs gives the right bytes or an integrity error, never other bytes")
    func flippedBits() async throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = 0 })
        defer { fixture.remove() }
        let root = try fixture.directory(
            "in", ["a": random.text(60_000), "b/c": random.bytes(90_000), "d": random.text(700)])
        let version = try await fixture.publish(directory: root)
        let expected = try await fixture.store.zip(version.id).stream().collect(upTo: 1 << 22)
        try await fixture.store.close()
        try fixture.catalog.close()
        var refused = 0
        for round in 0..<30 {
            let files = try packs(fixture)
            let path = files[Int(random.next() % UInt64(files.count))]
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            let position = Int(random.next() % UInt64(size))
            let original = try Data(contentsOf: URL(fileURLWithPath: path))
            try flip(path, position)
            let folder = fixture.folder.appending("copy-\(round)")
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
            let items =
                ["packs"]
                + (try FileManager.default.contentsOfDirectory(atPath: fixture.folder.string)).filter {
                    $0.hasPrefix("catalog.db")
                }
            for item in items {
                try FileManager.default.copyItem(
                    atPath: fixture.folder.appending(item).string, toPath: folder.appending(item).string)
            }
            try original.write(to: URL(fileURLWithPath: path))
            do {
                let damaged = try await StoreFixture(keys: fixture.keys, folder: folder)
                let bytes = try await damaged.store.zip(version.id).stream().collect(upTo: 1 << 22)
                #expect(bytes == expected)
                for entry in try await damaged.store.entries(of: version.id) where entry.kind == .file {
                    let (_, stream) = try await damaged.store.readFile(version.id, path: entry.path)
                    let bytes = try await stream.collect(upTo: 1 << 20)
                    let original = try Data(contentsOf: URL(fileURLWithPath: root.string + "/" + entry.path))
                    #expect(bytes == [UInt8](original))
                }
                try damaged.catalog.close()
            } catch let error as StoreError {
                #expect(error.code == .integrity)
                refused += 1
            }
            try FileManager.default.removeItem(atPath: folder.string)
        }
        #expect(refused > 0)
    }

    @Test("a flipped bit anywhere in the chunk index is healed from the packs") func flippedIndexBits() async throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = 0 })
        let folder = fixture.folder
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let bytes = random.bytes(400_000)
        let version = try await fixture.publish(bytes)
        for _ in 0..<25 {
            try await fixture.store.close()
            let index = folder.appending("index").string
            let names = try FileManager.default.contentsOfDirectory(atPath: index).sorted()
            let path = index + "/" + names[Int(random.next() % UInt64(names.count))]
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
            try flip(path, Int(random.next() % UInt64(size)))
            fixture = try await fixture.reopened(configure: { $0.inlineCommitBytes = 0 })
            #expect(try await fixture.read(version) == bytes)
            let again = try await fixture.publish(bytes)
            #expect(try await fixture.read(again) == bytes)
            try await fixture.store.collect()
        }
    }

    @Test("scrubbing names the damaged pack, versions and files; a new push heals") func scrub() async throws {
        let fixture = try await StoreFixture(configure: {
            $0.inlineCommitBytes = 0
            $0.openDataPacks = 1
        })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 51)
        let bytes = random.bytes(200_000)
        let root = try fixture.directory("in", ["good": random.text(30_000), "dir/bad": bytes])
        let version = try await fixture.publish(directory: root)
        try fixture.store.packs.sealOpenPacks()
        _ = try await fixture.publish([1])
        let clean = try await fixture.store.scrub(.deep)
        #expect(clean.damage.isEmpty)
        #expect(clean.versions == 2)

        let bad = try #require(
            try await fixture.store.entries(of: version.id).first { $0.path == "dir/bad" }?.contentID)
        let info = try #require(fixture.store.packs.table.all.first { $0.packClass == .data && $0.length > 200_000 })
        let entry = try #require(
            try fixture.store.packs.entries(of: info).filter { $0.location.plainBytes > 16_000 }.max {
                $0.location.plainBytes < $1.location.plainBytes
            })
        let path = try #require(try packs(fixture).first { $0.hasSuffix(info.name) })
        try flip(path, Int(entry.location.offset) + 2000)

        let found = try await fixture.store.scrub(.pack)
        #expect(found.damage.count == 1)
        #expect(found.damage.first?.pack == info.name)
        #expect(found.damage.first?.versions == [version.id])
        #expect(found.damage.first?.paths.contains("web/app@1:dir/bad") == true)
        await #expect(throws: StoreError.self) {
            let (_, stream) = try await fixture.store.readFile(version.id, path: "dir/bad")
            _ = try await stream.collect(upTo: 1 << 20)
        }
        let healing = try await fixture.publish(directory: root, artifact: "healer")
        #expect(healing.newStoredBytes > 0)
        #expect(healing.contentID == version.contentID)
        let (healed, stream) = try await fixture.store.readFile(version.id, path: "dir/bad")
        #expect(healed.contentID == bad)
        #expect(try await stream.collect(upTo: 1 << 20) == bytes)
    }

    @Test("a changed manifest or one of another version is refused") func manifest() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let version = try await fixture.publish(Array(repeating: 7, count: 5000))
        let other = try await fixture.publish(Array(repeating: 8, count: 5000))
        let row = try await fixture.store.row(version.id)
        let root = try row.bytes("root")
        for position in [0, 10, 40, 70, 110, root.count - 1] {
            var changed = root
            changed[position] ^= 1
            let bytes = changed
            try await fixture.catalog.write { transaction in
                _ = try transaction.execute(
                    "UPDATE store_versions SET root = ? WHERE id = ?", bytes, version.id.rawValue)
            }
            await #expect(throws: StoreError.self) { try await fixture.read(version) }
        }
        try await fixture.catalog.write { transaction in
            _ = try transaction.execute("UPDATE store_versions SET root = ? WHERE id = ?", root, other.id.rawValue)
        }
        await #expect(throws: StoreError.self) { try await fixture.read(other) }
    }

    @Test("a full disk refuses the push, loses nothing, and a later push succeeds") func fullDisk() async throws {
        let backend = MemoryBackend()
        let fixture = try await StoreFixture(backend: backend, configure: { $0.dataPackBytes = 400_000 })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 52)
        let first = random.bytes(300_000)
        let version = try await fixture.publish(first)
        for fault in [MemoryBackend.Fault.full, .input, .torn, .short] {
            backend.inject { call, _ in call == .append ? fault : nil }
            await #expect(throws: StoreError.self) { try await fixture.publish(random.bytes(600_000)) }
            backend.inject(nil)
            let next = random.bytes(500_000)
            let later = try await fixture.publish(next)
            #expect(try await fixture.read(later) == next)
            #expect(try await fixture.read(version) == first)
        }
        backend.inject { call, _ in call == .sync ? .input : nil }
        let unlucky = random.bytes(200_000)
        await #expect(throws: StoreError.self) { try await fixture.publish(unlucky) }
        backend.inject(nil)
        let retried = try await fixture.publish(unlucky)
        #expect(try await fixture.read(retried) == unlucky)
        backend.crash()
        let second = try await fixture.reopened(backend: backend)
        #expect(try await second.read(retried) == unlucky)
        #expect(try await second.read(version) == first)
    }

    @Test("a directory that became read-only is read from, refuses pushes, and takes them again later")
    func readOnly() async throws {
        let backend = MemoryBackend()
        let clock = ManualClock()
        let configure: @Sendable (inout StoreConfiguration) -> Void = {
            $0.inlineCommitBytes = 0
            $0.dataPackBytes = 150_000
            $0.undeleteSeconds = 0
        }
        let fixture = try await StoreFixture(backend: backend, now: { clock.now }, configure: configure)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 54)
        let (first, second, next) = (random.bytes(200_000), random.bytes(200_000), random.bytes(200_000))
        let doomed = try await fixture.publish(first)
        let version = try await fixture.publish(second)
        try fixture.store.packs.sealOpenPacks()
        backend.inject { call, _ in call == .read ? nil : .input }
        await #expect(throws: StoreError.self) { try await fixture.publish(next) }
        #expect(try await fixture.read(version) == second)
        try await fixture.store.delete([doomed.id])
        clock.advance(1)
        // Whether it gets as far as a removal or not: nothing that is needed goes.
        _ = try? await fixture.store.collect()
        #expect(try await fixture.read(version) == second)
        backend.inject(nil)
        #expect(try await fixture.read(try await fixture.publish(next)) == next)
        try await fixture.store.collect()
        try await fixture.store.collect()
        #expect(try await fixture.store.scrub(.deep).damage.isEmpty)
        let again = try await fixture.reopened(backend: backend, now: { clock.now }, configure: configure)
        #expect(try await again.read(version) == second)
        #expect(try await again.store.statistics().storedBytes < 900_000)
    }

    @Test(
        "the nth backend call fails, for every n: acknowledged content stays, the rest is refused",
        arguments: [MemoryBackend.Fault.torn, .short]) func everyCall(fault: MemoryBackend.Fault)
        async throws
    {
        var random = SeededGenerator(seed: 53)
        let contents = (0..<3).map { _ in random.bytes(150_000) }
        var n = 1
        while true {
            let backend = MemoryBackend()
            let keys = EphemeralStoreKeys()
            let fixture = try await StoreFixture(
                backend: backend, keys: keys, configure: { $0.dataPackBytes = 160_000 })
            defer { fixture.remove() }
            let target = n
            backend.inject { _, count in count == target ? fault : nil }
            var published: [(Version, [UInt8])] = []
            for bytes in contents {
                if let version = try? await fixture.publish(bytes) { published.append((version, bytes)) }
            }
            let calls = backend.callCount
            backend.inject(nil)
            for (version, bytes) in published { #expect(try await fixture.read(version) == bytes, "n = \(n)") }
            backend.crash()
            let second = try await fixture.reopened(backend: backend, configure: { $0.dataPackBytes = 160_000 })
            for (version, bytes) in published { #expect(try await second.read(version) == bytes, "n = \(n), reopened") }
            #expect(published.count >= 2)
            if n > calls { break }
            n += 1
        }
    }
}
