import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct DirectoryIngestTests {
    @Test("a directory of more files than are held as values is the tree that it is when given file by file")
    func large() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let disk = fixture.folder.appending("in").string
        try FileManager.default.createDirectory(atPath: disk + "/sub/deep", withIntermediateDirectories: true)
        let tree = try await fixture.store.beginIngest(scope: fixture.scope).openTree()
        for index in 0..<9500 {
            let name = (index % 100 == 0 ? "sub/deep/" : "") + "file-\(index &* 7919 % 9500)"
            let bytes = index % 50 == 0 ? Array(repeating: UInt8(index % 256), count: 100) : [UInt8(index % 256)]
            #expect(FileManager.default.createFile(atPath: disk + "/" + name, contents: Data(bytes)))
            chmod(disk + "/" + name, 0o644)
            try await tree.addFile(Array(name.utf8), mode: 0o644, bytes)
        }
        for folder in ["sub", "sub/deep"] {
            chmod(disk + "/" + folder, 0o755)
            try await tree.addDirectory(Array(folder.utf8), mode: 0o755)
        }
        let staged = try await fixture.store.beginIngest(scope: fixture.scope).addDirectory(FilePath(disk))
        let given = try await tree.finish()
        #expect(staged.contentID == given.contentID)
        #expect(staged.root.encode() == given.root.encode())
        #expect(staged.fileCount == 9500 && staged.logicalBytes == given.logicalBytes)
    }

    @Test("names are listed in bytewise order, whatever they are") func names() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/names-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var random = SeededGenerator(seed: 4)
        var expected = [Array("...".utf8), Array(".a".utf8), Array(repeating: UInt8(0x78), count: 255)]
        for index in 0..<1200 { expected.append(Array("\(random.next())".utf8) + [UInt8(0x80 + index % 128)]) }
        for name in expected {
            let path = Array(folder.utf8) + [0x2F] + name + [0]
            close(open(path.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY, 0o600))
        }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        let listed = try PackedNames(in: descriptor, path: folder)
        #expect((0..<listed.count).map { listed[$0] } == expected.sorted { $0.lexicographicallyPrecedes($1) })
    }
}
