import Foundation
import SystemPackage
import Testing

@testable import CofferServer

@Suite("The data directory")
struct DataDirectoryTests {
    private func scratch() -> String {
        NSTemporaryDirectory() + "coffer-data-\(UUID().uuidString)"
    }

    @Test("is made with its parents and belongs to one process at a time")
    func lock() throws {
        let base = scratch()
        defer { try? FileManager.default.removeItem(atPath: base) }
        let path = base + "/deep/data"
        do {
            let first = try DataDirectory(path, create: true)
            #expect(first.isFresh)
            let error = #expect(throws: StartupError.self) { try DataDirectory(path, create: true) }
            #expect(error?.kind == .held)
            #expect(error?.description.contains("\(getpid())") == true)
            withExtendedLifetime(first) {}
        }
        _ = try DataDirectory(path, create: true)
    }

    @Test("is not opened for maintenance when there is nothing in it")
    func missing() {
        let error = #expect(throws: StartupError.self) { try DataDirectory(scratch(), create: false) }
        #expect(error?.kind == .notADataDirectory)
    }

    @Test("is not made in a directory that holds something else")
    func strangers() throws {
        let path = scratch()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try "hello".write(toFile: path + "/letter.txt", atomically: true, encoding: .utf8)
        let error = #expect(throws: StartupError.self) { try DataDirectory(path, create: true) }
        #expect(error?.description.contains("letter.txt") == true)
    }

    @Test("replaces small files whole, readable by their owner alone")
    func replace() throws {
        let path = scratch()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try DataDirectory.replace(FilePath(path), with: Array("one".utf8))
        try DataDirectory.replace(FilePath(path), with: Array("two".utf8))
        #expect(try DataDirectory.contents(of: FilePath(path)) == Array("two".utf8))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        #expect(try DataDirectory.contents(of: FilePath(path + "-none")) == nil)
    }
}
