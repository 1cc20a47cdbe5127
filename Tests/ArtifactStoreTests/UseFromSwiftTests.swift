import ArtifactStore
import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Synchronization
import SystemPackage
import Testing

/// What the page "Use the store from Swift" shows, compiled and run. No `@testable`: it is what other packages can do.
@Suite("Use the store from Swift")
struct UseFromSwiftTests {
    private func folder() throws -> FilePath {
        let folder = FilePath(NSTemporaryDirectory()).appending("use-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            atPath: folder.appending("site").string, withIntermediateDirectories: true)
        try Data("<h1>hello</h1>\n".utf8).write(to: URL(fileURLWithPath: folder.appending("site/index.html").string))
        try Data(repeating: 7, count: 200_000).write(to: URL(fileURLWithPath: folder.appending("site/large").string))
        return folder
    }

    @Test("as the page shows it")
    func page() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let (directory, site, target) = (folder.appending("builds"), folder.appending("site"), folder.appending("out"))
        let said = Mutex<[String]>([])
        let kept = Mutex<String?>(nil)
        func report(_ text: String) { said.withLock { $0.append(text) } }
        func keep(_ passphrase: String) { kept.withLock { $0 = passphrase } }

        let local = try await LocalStore.open(directory)
        if let passphrase = local.recoveryPassphrase { keep(passphrase) }
        let store = local.store
        let scope = AccountRegion(account: "000000000000", region: "us-east-1")

        let ingest = try await store.beginIngest(scope: scope)
        let content = try await ingest.addDirectory(site)
        let draft = VersionDraft(
            scope: scope, repository: "web", artifact: "app", createdBy: "nightly", tags: ["green"],
            attributes: ["commit": "4f2a9c1"])
        let version = try await store.publish(content, draft)
        report("\(version.fileCount) files, \(version.logicalBytes) bytes, \(version.newStoredBytes) of them new")

        let green = VersionReference(repository: "web", artifact: "app", which: "green")
        let found = try await store.resolve(green, in: scope)
        for entry in try await store.entries(of: found.id, recursive: true) where entry.kind == .file {
            report("\(entry.path)  \(entry.size)  \(entry.contentID?.hex ?? "")")
        }
        let page = try await store.readFile(found.id, path: "index.html").stream.collect(upTo: 1 << 20)
        let written = try await store.materialise(found.id, to: target)
        let zip = try await store.zip(found.id)
        for try await piece in try zip.stream(range: 0..<4) {
            report("a ZIP of \(zip.byteCount) bytes begins with \(piece)")
        }

        try await store.pin(found.id, name: "release-1", owner: "mara", reason: "shipped to customers")
        try await store.setRetention(RetentionRule(newest: 10), repository: "web", artifact: "app", in: scope)
        _ = try await store.applyRetention()
        let collected = try await store.collect()
        report("\(collected.bytesFreed) bytes freed")
        let checked = try await store.scrub(.deep)
        report("\(checked.damage.count) damaged places")
        try await local.close()

        #expect(version.number == 1 && found.id == version.id && found.draft.attributes == ["commit": "4f2a9c1"])
        #expect(page == Array("<h1>hello</h1>\n".utf8))
        #expect(written.files == 2 && written.bytes == 200_015)
        #expect(FileManager.default.contentsEqual(atPath: site.string, andPath: target.string))
        let lines = said.withLock { $0 }
        #expect(lines.first?.hasPrefix("2 files, 200015 bytes, ") == true)
        #expect(lines.contains { $0.hasSuffix("begins with [80, 75, 3, 4]") } && lines.last == "0 damaged places")
        #expect(kept.withLock { $0 }?.isEmpty == false)
    }

    @Test("the page shows nothing that is not run here")
    func pageIsTested() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appendingPathComponent("Sources/ArtifactStore/ArtifactStore.docc/UsingTheStore.md"),
            encoding: .utf8)
        let source = try String(contentsOfFile: #filePath, encoding: .utf8)
        func lines(_ text: some StringProtocol) -> [String] {
            text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let run = Set(lines(source))
        let blocks = page.components(separatedBy: "```swift\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
        #expect(blocks.count == 4)
        for line in blocks.flatMap({ lines($0) }) { #expect(run.contains(line), "not run: \(line)") }
    }

    @Test("a database that was put back is refused, until somebody says that it was on purpose")
    func rollback() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let scope = AccountRegion(account: "000000000000", region: "us-east-1")
        let (directory, files) = (folder.appending("builds"), FileManager.default)
        func publish(_ local: LocalStore, _ bytes: [UInt8]) async throws -> Version {
            let ingest = try await local.store.beginIngest(scope: scope)
            return try await local.store.publish(
                try await ingest.addBlob(bytes),
                VersionDraft(scope: scope, repository: "web", artifact: "app", createdBy: "test"))
        }
        let first = try await LocalStore.open(directory)
        let kept = try await publish(first, [1, 2, 3])
        try await first.close()
        let names = try files.contentsOfDirectory(atPath: directory.string).filter { $0.hasPrefix("catalog.sqlite") }
        for name in names {
            try files.copyItem(atPath: directory.appending(name).string, toPath: folder.appending(name).string)
        }
        let second = try await LocalStore.open(directory)
        _ = try await publish(second, [4, 5, 6])
        try await second.close()

        for name in try files.contentsOfDirectory(atPath: directory.string) where name.hasPrefix("catalog.sqlite") {
            try files.removeItem(atPath: directory.appending(name).string)
        }
        for name in names {
            try files.copyItem(atPath: folder.appending(name).string, toPath: directory.appending(name).string)
        }
        let refused = await #expect(throws: StoreError.self) { _ = try await LocalStore.open(directory) }
        #expect(refused?.code == .integrity)
        #expect(refused?.message.contains("acceptsRollback") == true)
        let accepted = try await LocalStore.open(directory, acceptsRollback: true)
        #expect(try await accepted.store.read(kept.id).collect(upTo: 10) == [1, 2, 3])
        try await accepted.close()
        try await LocalStore.open(directory).close()
    }

    @Test("a directory is one process's at a time, and opens again with what was published")
    func reopened() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let scope = AccountRegion(account: "000000000000", region: "us-east-1")
        let directory = folder.appending("builds")
        let first = try await LocalStore.open(directory)
        await #expect(throws: StoreError.self) { _ = try await LocalStore.open(directory) }
        let ingest = try await first.store.beginIngest(scope: scope)
        let version = try await first.store.publish(
            try await ingest.addBlob([1, 2, 3]),
            VersionDraft(scope: scope, repository: "web", artifact: "app", createdBy: "test"))
        let passphrase = try #require(first.recoveryPassphrase)
        try await first.close()

        let second = try await LocalStore.open(directory)
        #expect(second.recoveryPassphrase == nil)
        #expect(try await second.store.read(version.id).collect(upTo: 10) == [1, 2, 3])
        try await second.close()

        // Without its key file the root stays sealed, and says what opens it.
        try FileManager.default.removeItem(atPath: directory.appending("root/root.key").string)
        await #expect(throws: StoreError.self) { _ = try await LocalStore.open(directory) }
        let third = try await LocalStore.open(directory, passphrase: passphrase)
        #expect(try await third.store.read(version.id).collect(upTo: 10) == [1, 2, 3])
        try await third.close()
    }
}
