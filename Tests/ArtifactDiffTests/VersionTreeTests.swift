import Archives
import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactDiff

@Suite("Comparing stored versions")
struct VersionTreeTests {
    /// A store in a folder of its own.
    private final class Fixture: Sendable {
        let folder: String
        let store: ArtifactStore
        let scope = AccountRegion(account: "111122223333", region: "eu-west-1")

        init() async throws {
            folder = NSTemporaryDirectory() + "/diff-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let catalog = try Catalog(path: folder + "/catalog.db", migrations: StoreSchema.migrations)
            var configuration = StoreConfiguration(directory: FilePath(folder))
            configuration.threads = 2
            store = try await ArtifactStore(
                configuration: configuration, catalog: catalog, keys: EphemeralStoreKeys())
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func publish(blob: [UInt8]) async throws -> Version {
            let ingest = try await store.beginIngest(scope: scope)
            return try await store.publish(try await ingest.addBlob(blob), draft)
        }

        func publish(_ files: [String: MemoryFile]) async throws -> Version {
            let ingest = try await store.beginIngest(scope: scope)
            let tree = try await ingest.openTree()
            for (path, file) in files.sorted(by: { $0.key < $1.key }) {
                switch file.kind {
                case .file: try await tree.addFile(bytes(path), mode: file.mode, file.content)
                case .symlink: try await tree.addSymlink(bytes(path), target: file.content)
                case .directory: try await tree.addDirectory(bytes(path))
                }
            }
            return try await store.publish(try await tree.finish(), draft)
        }

        private var draft: VersionDraft {
            VersionDraft(scope: scope, repository: "web", artifact: "app", createdBy: "test")
        }

        func diff(_ old: Version, _ new: Version, path: String? = nil) async throws -> DiffReport {
            try await ArtifactDiffer.compare(
                old: VersionTree.open(store, old, path: path), new: VersionTree.open(store, new, path: path),
                options: DiffOptions(detail: .lines))
        }
    }

    private func zip(_ members: [(String, String)]) throws -> [UInt8] {
        var builder = ZipBuilder()
        for (name, content) in members { try builder.add(file: name, bytes(content)) }
        return try builder.archive()
    }

    private func found(_ report: DiffReport) -> [String] {
        report.changes.map { "\($0.status.rawValue) \($0.path)" }
    }

    @Test("directories are compared by id and content")
    func trees() async throws {
        let fixture = try await Fixture()
        var files: [String: MemoryFile] = [
            "bin/tool": .text("#!\n", mode: 0o755), "doc/a": .text("one\n"), "doc/b": .text("two\n"),
            "link": .link("doc/a"),
        ]
        let old = try await fixture.publish(files)
        files["doc/b"] = .text("TWO\n")
        files["link"] = .link("doc/b")
        files["bin/tool"]?.mode = 0o644
        let new = try await fixture.publish(files)
        let report = try await fixture.diff(old, new)
        #expect(found(report) == ["modeChanged bin/tool", "changed doc/b", "changed link"])
        #expect(try await fixture.diff(old, old).isEqual)
        #expect(found(try await fixture.diff(old, new, path: "doc")) == ["changed b"])
        #expect(found(try await fixture.diff(old, new, path: "doc/b")) == ["changed b"])
        await #expect(throws: StoreError.self) { try await VersionTree.open(fixture.store, old, path: "nothing") }
    }

    @Test("files below directories that were pruned count as identical")
    func identicalBelowPrunedDirectories() async throws {
        let fixture = try await Fixture()
        var files: [String: MemoryFile] = [
            "kept/a": .text("1\n"), "kept/deep/b": .text("2\n"), "kept/link": .link("a"), "top": .text("3\n"),
            "gone": .text("4\n"),
        ]
        let old = try await fixture.publish(files)
        files["gone"] = nil
        files["new/c"] = .text("something else\n")
        let summary = try await fixture.diff(old, try await fixture.publish(files)).summary
        #expect(summary.prunedDirectories == 1)
        #expect(summary.added == 1 && summary.removed == 1 && summary.identical == 4)
    }

    @Test("uploaded zips are compared member by member, also against a directory")
    func zips() async throws {
        let fixture = try await Fixture()
        let old = try await fixture.publish(blob: zip([("a/x", "one\n"), ("b", "same\n")]))
        let new = try await fixture.publish(blob: zip([("a/x", "two\n"), ("b", "same\n")]))
        let report = try await fixture.diff(old, new)
        #expect(found(report) == ["changed a/x"] && report.summary.identical == 1)
        #expect(found(try await fixture.diff(old, new, path: "a")) == ["changed x"])
        let tree = try await fixture.publish(["a/x": .text("one\n"), "b": .text("same\n")])
        #expect(try await fixture.diff(old, tree).isEqual)
    }

    @Test("archives inside a directory are opened by a place in them")
    func inner() async throws {
        let fixture = try await Fixture()
        let old = try await fixture.publish(["lib.jar": .file(zip([("m/a", "1\n"), ("m/b", "2\n")]))])
        let new = try await fixture.publish(["lib.jar": .file(zip([("m/a", "1\n"), ("m/b", "3\n")]))])
        #expect(found(try await fixture.diff(old, new, path: "lib.jar!")) == ["changed m/b"])
        #expect(found(try await fixture.diff(old, new, path: "lib.jar!m")) == ["changed b"])
        guard case .archive(let archive)? = try await fixture.diff(old, new).changes.first?.content else {
            Issue.record("the archive is opened while comparing, too")
            return
        }
        #expect(archive.changes.map(\.path) == ["m/b"])
    }

    @Test("other bytes are compared as one file")
    func blobs() async throws {
        let fixture = try await Fixture()
        let old = try await fixture.publish(blob: bytes("a\nb\n"))
        let new = try await fixture.publish(blob: bytes("a\nc\n"))
        #expect(found(try await fixture.diff(old, new)) == ["changed app"])
    }

    @Test("ranges are read through blocks, whatever is asked for")
    func rangeSource() async throws {
        let content = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let source = RangeSource(byteCount: Int64(content.count)) {
            Array(content[Int($0.lowerBound)..<Int($0.upperBound)])
        }
        var random = SeededGenerator(8)
        for _ in 0..<60 {
            let start = Int.random(in: 0...content.count, using: &random)
            let count = Int.random(in: 0...min(1_500_000, content.count - start), using: &random)
            let got = try await source.read(at: Int64(start), count: count)
            #expect(got.elementsEqual(content[start..<(start + count)]))
        }
        await #expect(throws: ArchiveError.self) { try await source.read(at: 2_499_999, count: 2) }
    }
}
