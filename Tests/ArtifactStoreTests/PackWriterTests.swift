import Cryptography
import Foundation
import SystemPackage
import Testing

@testable import ArtifactStore

@Suite struct PackWriterTests {
    @Test func `a record that crosses a digest span is read back before and after a flush`() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("pack-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let index = try ChunkIndex(directory: directory, tailMaximum: 1000)
        let backend = try LocalDirectoryBackend(directory: FilePath(directory + "/packs"))
        let writer = try PackWriter(
            number: 1, id: [UInt8](repeating: 7, count: 16), packClass: .data, limit: 32 << 20,
            storageKey: (1, SecretBytes.random(count: 32)), backend: backend)
        var records: [(Location, [UInt8])] = []
        func expectAll() throws {
            for (location, bytes) in records {
                var target = [UInt8](repeating: 0, count: bytes.count)
                try target.withUnsafeMutableBytes { target in
                    guard try !writer.readBuffered(at: Int(location.offset), into: target) else { return }
                    try backend.read(writer.name, at: Int64(location.offset), into: target)
                }
                #expect(target == bytes)
            }
        }
        for round in 0..<12 {
            let bytes = SecureRandom.bytes(300_000)
            let location = try bytes.withUnsafeBytes { raw in
                try writer.append(
                    raw, id: raw.prefix(16).withUnsafeBytes { RecordID($0) }, kind: .chunk, codec: .stored,
                    plainBytes: bytes.count, encodedBytes: bytes.count, check: 0, reach: [], index: index)
            }
            records.append((try #require(location), bytes))
            try expectAll()
            if round == 6 {
                _ = try writer.flush()
                try expectAll()
            }
        }
    }
}
