import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Synchronization
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite("Uploads that send only what is lacking")
struct UploadTests {
    private func entry(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) -> UploadEntry {
        UploadEntry(path: Array(path.utf8), mode: mode, content: .file(SHA256.digest(bytes), Int64(bytes.count)))
    }

    /// Sends what is asked for, small files whole and others in pieces of 100,000 bytes; answers how much that was.
    @discardableResult
    private func send(_ upload: Upload, _ files: [(String, [UInt8])]) async throws -> Int {
        let needs = try await upload.offer(files.map { entry($0.0, $0.1) })
        var sent = 0
        for index in needs.files {
            let bytes = files[index].1
            if bytes.count < 50_000 {
                try await upload.receive([Upload.SmallFile(index: index, bytes: bytes)])
            } else {
                let start = needs.begun[index] ?? 0
                try await upload.open(index, at: start)
                for offset in stride(from: Int(start), to: bytes.count, by: 100_000) {
                    try await upload.write(Array(bytes[offset..<min(offset + 100_000, bytes.count)]))
                }
                sent -= Int(start)
                try await upload.close()
            }
            sent += bytes.count
        }
        return sent
    }

    private func contents(_ fixture: StoreFixture, _ version: Version) async throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for entry in try await fixture.store.entries(of: version.id, recursive: true) where entry.kind == .file {
            let stream = try await fixture.store.readFile(version.id, path: entry.path).1
            found[entry.path] = try await stream.collect(upTo: 1 << 30)
        }
        return found
    }

    private func files(_ seed: UInt64) -> [(String, [UInt8])] {
        var random = SeededGenerator(seed: seed)
        return [
            ("a/empty", []), ("a/tiny", Array("tiny".utf8)), ("a/text", random.text(20_000)),
            ("b/large", random.bytes(600_000)), ("b/twin", Array("tiny".utf8)), ("c", random.text(70_000)),
        ]
    }

    @Test("publish what was named, byte for byte, and ask for nothing a second time")
    func unchanged() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let files = files(1)
        let first = try await fixture.store.beginUpload(.tree, scope: fixture.scope)
        let sent = try await send(first, files)
        // The twin is asked for once.
        #expect(sent == files.reduce(0) { $0 + $1.1.count } - 4)
        let version = try await fixture.store.publish(try await first.finish(), fixture.draft())
        #expect(try await contents(fixture, version) == Dictionary(uniqueKeysWithValues: files))

        let second = try await fixture.store.beginUpload(.tree, scope: fixture.scope, basis: [version.id])
        #expect(try await second.offer(files.map { entry($0.0, $0.1) }) == UploadNeeds())
        let again = try await fixture.store.publish(try await second.finish(), fixture.draft())
        #expect(again.contentID == version.contentID)
        #expect(try await contents(fixture, again) == Dictionary(uniqueKeysWithValues: files))
    }

    @Test("need no content that moved to another path, and copy what a changed file kept")
    func changed() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var files = files(2)
        let first = try await fixture.store.beginUpload(.tree, scope: fixture.scope)
        try await send(first, files)
        let version = try await fixture.store.publish(try await first.finish(), fixture.draft())

        let old = files[3].1
        files[3].1.replaceSubrange(300_000..<300_004, with: [1, 2, 3, 4, 5])
        files[2].0 = "z/renamed"
        let upload = try await fixture.store.beginUpload(.tree, scope: fixture.scope, basis: [version.id])
        let needs = try await upload.offer(files.map { entry($0.0, $0.1) })
        #expect(needs.files == [3])
        #expect(needs.similar == [3])
        let pieces = try await upload.pieces(of: 3)
        #expect(pieces.reduce(0) { $0 + $1.byteCount } == old.count)

        var known: [UploadPiece: Int64] = [:]
        var offset: Int64 = 0
        for piece in pieces {
            known[piece] = offset
            offset += Int64(piece.byteCount)
        }
        var cutter = PieceCutter(seed: upload.seed)
        var steps: [(UploadPiece, [UInt8])] = []
        files[3].1.withUnsafeBytes { cutter.feed($0) { steps.append(($0, Array($1))) } }
        cutter.finish { steps.append(($0, Array($1))) }
        try await upload.open(3, at: 0)
        var sent = 0
        for (piece, bytes) in steps {
            if let place = known[piece] {
                try await upload.copy(place..<place + Int64(piece.byteCount))
            } else {
                try await upload.write(bytes)
                sent += bytes.count
            }
        }
        try await upload.close()
        #expect(sent > 0 && sent <= 300_000)
        let next = try await fixture.store.publish(try await upload.finish(), fixture.draft())
        #expect(try await contents(fixture, next) == Dictionary(uniqueKeysWithValues: files))
    }

    @Test("ask for content that only others have, however well its hash is known")
    func noOracle() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 3)
        let secret = random.bytes(300_000)
        _ = try await fixture.publish(secret, artifact: "secret")
        let upload = try await fixture.store.beginUpload(.blob, scope: fixture.scope)
        let needs = try await upload.offer([entry("", secret)])
        #expect(needs.files == [0] && needs.similar.isEmpty && needs.begun.isEmpty)
        await #expect(throws: StoreError.self) { _ = try await upload.finish() }
        try await upload.open(0, at: 0)
        try await upload.write(Array(repeating: 0, count: secret.count))
        await #expect(throws: StoreError.self) { try await upload.close() }
        await #expect(throws: StoreError.self) { _ = try await upload.finish() }
    }

    @Test("go on where they stopped, also within a file")
    func resumed() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let files = files(4)
        let upload = try await fixture.store.beginUpload(.tree, scope: fixture.scope)
        let needs = try await upload.offer(files.map { entry($0.0, $0.1) })
        #expect(needs.files == [0, 1, 2, 3, 5])
        try await upload.receive([Upload.SmallFile(index: 2, bytes: files[2].1)])
        try await upload.open(3, at: 0)
        try await upload.write(Array(files[3].1.prefix(400_000)))

        try await upload.restart()
        let rest = try await send(upload, files)
        #expect(rest == 0 + 4 + 200_000 + 70_000)
        let version = try await fixture.store.publish(try await upload.finish(), fixture.draft())
        #expect(try await contents(fixture, version) == Dictionary(uniqueKeysWithValues: files))
        #expect(version.number == 1)
    }

    @Test("find the earlier state of a release under a name that differs in numbers only")
    func releases() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 8)
        let old = random.bytes(200_000)
        let first = try await fixture.store.beginUpload(.tree, scope: fixture.scope)
        try await send(first, [("lib-1.2.3/app-1.2.3.jar", old), ("lib-1.2.3/123", random.bytes(100_000))])
        let version = try await fixture.store.publish(try await first.finish(), fixture.draft())
        let upload = try await fixture.store.beginUpload(.tree, scope: fixture.scope, basis: [version.id])
        let new = old + [1]
        let needs = try await upload.offer([
            entry("lib-1.10.0/app-1.10.0.jar", new), entry("lib-1.10.0/4", random.bytes(100_000)),
            entry("other/app-1.2.3.jar", random.bytes(100_000)),
        ])
        #expect(needs.files == [0, 1, 2])
        #expect(needs.similar == [0])
        try await upload.open(0, at: 0)
        try await upload.copy(0..<200_000)
        try await upload.write([1])
        try await upload.close()
        #expect(try await upload.needs().files == [1, 2])
    }

    @Test("may rely on a version under another key, which is stored once more")
    func otherDomain() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 5)
        let bytes = random.bytes(400_000)
        let version = try await fixture.publish(bytes)
        let upload = try await fixture.store.beginUpload(
            .blob, scope: fixture.scope, keyID: "other", basis: [version.id])
        #expect(try await upload.offer([entry("", bytes)]).files == [])
        let copy = try await fixture.store.publish(try await upload.finish(), fixture.draft("copy"))
        #expect(copy.keyID == "other" && copy.contentID == version.contentID)
        #expect(copy.newStoredBytes > 400_000)
        #expect(try await fixture.read(copy) == bytes)
    }

    @Test("survive a collection between naming and publishing")
    func collected() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let files = files(6)
        let first = try await fixture.store.beginUpload(.tree, scope: fixture.scope)
        try await send(first, files)
        let version = try await fixture.store.publish(try await first.finish(), fixture.draft())
        first.abandon()
        let upload = try await fixture.store.beginUpload(.tree, scope: fixture.scope, basis: [version.id])
        _ = try await upload.offer(files.map { entry($0.0, $0.1) })
        try await fixture.store.delete([version.id])
        _ = try await fixture.store.collect()
        let next = try await fixture.store.publish(try await upload.finish(), fixture.draft())
        #expect(try await contents(fixture, next) == Dictionary(uniqueKeysWithValues: files))
    }

    @Test("cut equal content into equal pieces, however it is fed", arguments: [1, 7, 4096, 300_000])
    func pieces(_ size: Int) throws {
        var random = SeededGenerator(seed: 7)
        let bytes = random.bytes(size == 1 ? 90_000 : 700_000)
        func cut(_ seed: [UInt8], by size: Int) -> [UploadPiece] {
            var cutter = PieceCutter(seed: seed)
            var pieces: [UploadPiece] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                bytes[start..<min(start + size, bytes.count)].withUnsafeBytes {
                    cutter.feed($0) { piece, _ in pieces.append(piece) }
                }
            }
            cutter.finish { piece, _ in pieces.append(piece) }
            return pieces
        }
        let seed = random.bytes(32)
        #expect(cut(seed, by: size) == cut(seed, by: bytes.count))
        #expect(cut(seed, by: size) != cut(random.bytes(32), by: size))
    }

    /// A clock that is ten seconds further each time somebody looks.
    private func hurriedClock() -> @Sendable () -> Date {
        let time = Mutex(Date())
        return {
            time.withLock { time in
                time = time.addingTimeInterval(10)
                return time
            }
        }
    }

    @Test("go on at the last checkpoint after a crash, under their own name only")
    func crash() async throws {
        let clock = hurriedClock()
        let first = try await StoreFixture(now: clock)
        defer { first.remove() }
        var random = SeededGenerator(seed: 71)
        let whole = [("a", random.bytes(3_000_000)), ("b", random.bytes(3_000_000)), ("c", random.bytes(6_000_000))]
        let upload = try await first.store.beginUpload(.tree, scope: first.scope, name: "mine")
        let needs = try await upload.offer(whole.map { entry($0.0, $0.1) })
        #expect(needs.files == [0, 1, 2])
        for (index, file) in whole.enumerated() {
            try await upload.open(index, at: 0)
            // All but the end of the last one.
            let end = index < 2 ? file.1.count : 5_000_000
            for start in stride(from: 0, to: end, by: 500_000) {
                try await upload.write(Array(file.1[start..<min(start + 500_000, end)]))
            }
            if index < 2 { try await upload.close() }
        }
        let second = try await first.reopened(now: clock)
        let entries = whole.map { entry($0.0, $0.1) }
        let stranger = try await second.store.beginUpload(.tree, scope: second.scope, name: "another's")
        #expect(try await stranger.offer(entries).files == [0, 1, 2])
        let next = try await second.store.beginUpload(.tree, scope: second.scope, name: "mine")
        let rest = try await next.offer(entries)
        #expect(!rest.files.contains(0))
        let begun = try #require(rest.begun[2])
        #expect(begun >= 1_000_000 && begun <= 5_000_000)
        for index in rest.files {
            let start = Int(rest.begun[index] ?? 0)
            try await next.open(index, at: Int64(start))
            try await next.write(Array(whole[index].1[start...]))
            try await next.close()
        }
        let version = try await second.store.publish(try await next.finish(), second.draft())
        try await next.forget()
        #expect(try await contents(second, version) == Dictionary(uniqueKeysWithValues: whole))
        let left = try await second.catalog.read { try $0.rows("SELECT upload FROM store_upload_parts").count }
        #expect(left == 0)
        _ = try await second.store.collect()
        #expect(try await contents(second, version) == Dictionary(uniqueKeysWithValues: whole))
    }

    @Test("ask again for what a collection took after a crash")
    func collectedAfterCrash() async throws {
        let clock = hurriedClock()
        let first = try await StoreFixture(now: clock, configure: { $0.dataPackBytes = 1 << 20 })
        defer { first.remove() }
        var random = SeededGenerator(seed: 72)
        let bytes = random.bytes(6_000_000)
        let upload = try await first.store.beginUpload(.blob, scope: first.scope, name: "mine")
        _ = try await upload.offer([entry("", bytes)])
        try await upload.open(0, at: 0)
        for start in stride(from: 0, to: 5_500_000, by: 500_000) {
            try await upload.write(Array(bytes[start..<start + 500_000]))
        }
        let second = try await first.reopened(now: clock, configure: { $0.dataPackBytes = 1 << 20 })
        for _ in 0..<3 { _ = try await second.store.collect() }
        let next = try await second.store.beginUpload(.blob, scope: second.scope, name: "mine")
        let needs = try await next.offer([entry("", bytes)])
        #expect(needs.files == [0] && needs.begun.isEmpty)
        try await next.open(0, at: 0)
        try await next.write(bytes)
        try await next.close()
        let version = try await second.store.publish(try await next.finish(), second.draft(), once: "request")
        let again = try await second.store.publish(try await next.finish(), second.draft(), once: "request")
        #expect(version.id == again.id && again.number == 1)
        #expect(try await second.read(version) == bytes)
    }

    @Test("take no absolute paths: a tree has none") func absolute() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        let error = await #expect(throws: StoreError.self) {
            try await tree.addFile(Array("/etc/passwd".utf8), mode: 0o644, [1])
        }
        #expect(error?.code == .invalid)
        #expect(error?.message.contains("absolute") == true)
    }
}
