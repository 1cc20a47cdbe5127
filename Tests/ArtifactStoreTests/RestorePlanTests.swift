import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import ArtifactStore

/// Counts what is asked of a backend.
private final class CountingBackend: BlobBackend {
    struct Counts: Sendable {
        var reads = 0
        var bytes = 0
        var hints = 0
    }

    private let inner: any BlobBackend
    private let counted = Mutex(Counts())

    init(_ inner: any BlobBackend) { self.inner = inner }

    var counts: Counts { counted.withLock { $0 } }
    func reset() { counted.withLock { $0 = Counts() } }

    func create(_ name: String) throws { try inner.create(name) }
    func append(_ name: String, at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws {
        try inner.append(name, at: offset, bytes)
    }
    func sync(_ name: String) throws { try inner.sync(name) }
    func seal(_ name: String) throws { try inner.seal(name) }
    func truncate(_ name: String, to length: Int64) throws { try inner.truncate(name, to: length) }
    func read(_ name: String, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws {
        counted.withLock { counts in
            counts.reads += 1
            counts.bytes += buffer.count
        }
        try inner.read(name, at: offset, into: buffer)
    }
    func willRead(_ name: String, at offset: Int64, count: Int) {
        counted.withLock { $0.hints += 1 }
        inner.willRead(name, at: offset, count: count)
    }
    func length(_ name: String) throws -> Int64? { try inner.length(name) }
    func delete(_ name: String) throws { try inner.delete(name) }
    func list() throws -> [String] { try inner.list() }
}

@Suite struct RestorePlanTests {
    private func same(_ one: FilePath, _ other: FilePath) throws -> Bool {
        let names = try FileManager.default.subpathsOfDirectory(atPath: one.string).sorted()
        guard try FileManager.default.subpathsOfDirectory(atPath: other.string).sorted() == names else { return false }
        for name in names {
            let kind = try FileManager.default.attributesOfItem(atPath: one.string + "/" + name)[.type]
            guard kind as? FileAttributeType == .typeRegular else { continue }
            guard
                FileManager.default.contentsEqual(atPath: one.string + "/" + name, andPath: other.string + "/" + name)
            else { return false }
        }
        return true
    }

    private func store(_ backend: CountingBackend) async throws -> StoreFixture {
        try await StoreFixture(
            backend: backend,
            configure: {
                $0.inlineCommitBytes = 0
                $0.openDataPacks = 2
            })
    }

    @Test func `a tree of many files is restored with few reads, announced beforehand`() async throws {
        let backend = CountingBackend(MemoryBackend())
        let fixture = try await store(backend)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 5)
        var files: [String: [UInt8]] = [:]
        for index in 0..<400 { files["d\(index % 20)/f\(index)"] = random.bytes(700 + index) }
        files["large"] = random.bytes(900_000)
        let source = try fixture.directory("in", files)
        let version = try await fixture.publish(directory: source)
        try fixture.store.packs.sealOpenPacks()
        _ = try await fixture.store.entries(of: version.id)  // Directories come from the cache from now on.
        backend.reset()
        let out = fixture.folder.appending("out")
        let report = try await fixture.store.materialise(version.id, to: out)
        #expect(report.files == 401)
        #expect(report.directories == 20)
        #expect(try same(source, out))
        let counts = backend.counts
        // Reading by file takes one for each of 400 files and each of the large one's chunks.
        print("\(counts.reads) reads of \(counts.bytes) bytes, \(counts.hints) hints for \(report.bytes) bytes")
        #expect(counts.reads <= 8)
        #expect(counts.hints >= 2)
        #expect(counts.bytes < report.bytes * 5 / 4 + 100_000)
    }

    @Test func `content that many files share is read once`() async throws {
        let backend = CountingBackend(MemoryBackend())
        let fixture = try await store(backend)
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 6)
        let large = random.bytes(400_000)
        let small = random.bytes(5_000)
        var files: [String: [UInt8]] = [:]
        for index in 0..<30 {
            files["large/\(index)"] = large
            files["small/\(index)"] = small
        }
        files["mixed"] = large + small + large
        let source = try fixture.directory("in", files)
        let version = try await fixture.publish(directory: source)
        try fixture.store.packs.sealOpenPacks()
        backend.reset()
        let out = fixture.folder.appending("out")
        let report = try await fixture.store.materialise(version.id, to: out)
        #expect(try same(source, out))
        #expect(report.bytes > 12_000_000)
        #expect(backend.counts.bytes < 2_000_000)
    }

    @Test func `a file larger than a window, and more files than one holds, come back`() async throws {
        let fixture = try await store(CountingBackend(MemoryBackend()))
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 7)
        let part = random.bytes(1 << 20)
        var long: [UInt8] = []
        for index in 0..<70 { long += part[(index * 1000)...] + part[..<(index * 1000)] }
        var files: [String: [UInt8]] = ["long": long]
        // More files of several chunks than may be open, more directories than may be, more files than are visited at once.
        for index in 0..<150 { files["many/\(index)/x"] = Array(part[(index * 100)..<(index * 100 + 300_000)]) }
        for index in 0..<1100 { files["tiny/\(index)"] = Array("\(index)".utf8) }
        let source = try fixture.directory("in", files)
        let version = try await fixture.publish(directory: source)
        let out = fixture.folder.appending("out")
        _ = try await fixture.store.materialise(version.id, to: out)
        #expect(try same(source, out))
        // Nothing to do the second time, although each window turns out to be empty.
        let again = try await fixture.store.materialise(version.id, to: out, updating: true)
        #expect(again.unchanged == again.files)
        #expect(again.files == 1251)
    }

    @Test func `a damaged record among its neighbours is named with the file that needs it, and another copy is found`()
        async throws
    {
        let backend = MemoryBackend()
        let fixture = try await StoreFixture(
            backend: backend,
            configure: {
                $0.inlineCommitBytes = 0
                $0.openDataPacks = 1
            })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 8)
        var files: [String: [UInt8]] = [:]
        for index in 0..<40 { files["f\(index)"] = random.bytes(3_000) }
        let source = try fixture.directory("in", files)
        let version = try await fixture.publish(directory: source)
        try fixture.store.packs.sealOpenPacks()
        let data = try #require(fixture.store.packs.table.all.first { $0.packClass == .data })
        let wanted = try fixture.store.packs.entries(of: data).filter { $0.location.kind == .chunk }
        let victim = wanted[wanted.count / 2].location
        backend.corrupt(data.name) { $0[Int(victim.offset) + 80] ^= 1 }
        await #expect {
            try await fixture.store.materialise(version.id, to: fixture.folder.appending("out"))
        } throws: { error in
            let error = error as? StoreError
            return error?.code == .integrity && error?.message.contains("/out/f") == true
        }
        // A push of the same content stores it anew; the rest of that read comes from the damaged pack all the same.
        _ = try await fixture.publish(directory: source)
        let out = fixture.folder.appending("healed")
        _ = try await fixture.store.materialise(version.id, to: out)
        #expect(try same(source, out))
    }
}
