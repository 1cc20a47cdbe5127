import Foundation
import Glibc
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct OpenFilesTests {
    /// Sets the limit of this process.
    private static func limit(to count: Int) -> Bool {
        var limits = rlimit(rlim_cur: rlim_t(count), rlim_max: rlim_t(OpenFiles.current.ceiling))
        return setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0
    }

    @Test("a thousand packs are read and written within 256 open files, most of which others have taken")
    func manyPacks() async throws {
        await #expect(processExitsWith: .success) {
            let folder = FilePath(NSTemporaryDirectory()).appending("packs-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(atPath: folder.string) }
            #expect(OpenFilesTests.limit(to: 256))
            let backend = try LocalDirectoryBackend(directory: folder)
            var random = SeededGenerator(seed: 74)
            let names = (0..<1000).map { _ in UUID().uuidString.lowercased().filter { $0 != "-" } }
            for name in names {
                try backend.create(name)
                try Array(name.utf8).withUnsafeBytes { try backend.append(name, at: 0, $0) }
            }
            func readAll(_ count: Int) throws {
                for _ in 0..<count {
                    let name = names[Int(random.next() % 1000)]
                    var bytes = [UInt8](repeating: 0, count: name.utf8.count)
                    try bytes.withUnsafeMutableBytes { try backend.read(name, at: 0, into: $0) }
                    #expect(String(decoding: bytes, as: UTF8.self) == name)
                }
            }
            try readAll(3000)
            // Connections that take what the packs had thought to have.
            var others: [Int32] = []
            let free = 256 - (OpenFiles.inUse ?? 0)
            for _ in 0..<max(0, free - 2) {
                let taken = dup(0)
                if taken >= 0 { others.append(taken) }
            }
            try readAll(3000)
            while true {
                let taken = dup(0)
                if taken < 0 { break }
                others.append(taken)
            }
            // Not one is left: packs that are open make room for each other.
            try readAll(3000)
            try backend.create("ab\(names[0])")
            for other in others { close(other) }
            try readAll(100)
        }
    }

    @Test("the limit on open files is raised as far as is allowed and sensible, and never lowered") func raising() async
    {
        await #expect(processExitsWith: .success) {
            let before = OpenFiles.current
            #expect(OpenFilesTests.limit(to: 128))
            OpenFiles.raise(to: 200)
            #expect(OpenFiles.current == OpenFiles(limit: min(200, before.ceiling), ceiling: before.ceiling))
            OpenFiles.raise(to: 150)
            #expect(OpenFiles.current.limit == min(200, before.ceiling))
            OpenFiles.raise()
            #expect(OpenFiles.current.limit == min(OpenFiles.plenty, before.ceiling))
        }
    }
}
