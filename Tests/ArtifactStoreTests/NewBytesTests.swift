import Cryptography
import Testing

@testable import ArtifactStore

@Suite struct NewBytesTests {
    /// Publishes a directory and answers its version with what the store has grown by.
    private static func publish(_ fixture: StoreFixture, _ name: String, _ files: [String: [UInt8]]) async throws
        -> (version: Version, growth: Int64)
    {
        let before = try await fixture.store.statistics().storedBytes
        let version = try await fixture.publish(directory: try fixture.directory(name, files))
        return (version, try await fixture.store.statistics().storedBytes - before)
    }

    @Test("a change inside a small directory, all of which its version holds, is new bytes") func inlined() async throws
    {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        let (first, _) = try await Self.publish(fixture, "a", ["note": Array("one".utf8)])
        let (second, growth) = try await Self.publish(fixture, "b", ["note": Array("two".utf8)])
        for version in [first, second] {
            #expect(version.newStoredBytes > 3 && version.newStoredBytes < 400, "\(version.newStoredBytes)")
        }
        #expect(second.newStoredBytes == growth)
        #expect(try await fixture.store.exclusiveBytes(of: second.id) == growth)
    }

    @Test("new bytes are what the journal grows by") func journal() async throws {
        let fixture = try await StoreFixture()
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 71)
        var files: [String: [UInt8]] = [:]
        for index in 0..<60 { files["folder/\(index)"] = random.bytes(300) }
        let (first, firstGrowth) = try await Self.publish(fixture, "a", files)
        // The manifests of both name records besides what they hold themselves.
        #expect(first.newStoredBytes > 60 * 300)
        #expect((0..<400).contains(firstGrowth - first.newStoredBytes), "\(firstGrowth) \(first.newStoredBytes)")
        files["folder/7"] = random.bytes(300)
        let (second, growth) = try await Self.publish(fixture, "b", files)
        #expect(second.newStoredBytes > 300 && second.newStoredBytes < first.newStoredBytes)
        #expect((0..<400).contains(growth - second.newStoredBytes), "\(growth) \(second.newStoredBytes)")
        #expect(abs(try await fixture.store.exclusiveBytes(of: second.id) - second.newStoredBytes) < 400)
        let (same, sameGrowth) = try await Self.publish(fixture, "c", files)
        #expect(same.newStoredBytes < 400 && sameGrowth < 400)
    }

    @Test("content that two threads come upon at once is counted once", arguments: [0, 1 << 20])
    func racing(inlineCommitBytes: Int) async throws {
        let fixture = try await StoreFixture(configure: { $0.inlineCommitBytes = inlineCommitBytes })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 72)
        let bytes = random.bytes(2000)
        var files: [String: [UInt8]] = [:]
        for index in 0..<200 { files["\(index)"] = bytes }
        let (version, growth) = try await Self.publish(fixture, "a", files)
        if inlineCommitBytes > 0 { #expect(version.newStoredBytes <= growth, "\(version.newStoredBytes) \(growth)") }
        #expect(version.newStoredBytes > 2000 && version.newStoredBytes < 60_000, "\(version.newStoredBytes)")
    }

    @Test("new bytes are what packs grow by but for their own framing") func packed() async throws {
        let fixture = try await StoreFixture(configure: {
            $0.inlineCommitBytes = 0
            $0.openDataPacks = 1
        })
        defer { fixture.remove() }
        var random = SeededGenerator(seed: 73)
        let (first, firstGrowth) = try await Self.publish(fixture, "a", ["big": random.bytes(400_000)])
        let (second, growth) = try await Self.publish(fixture, "b", ["big": random.bytes(300_000), "x": [1]])
        for (version, growth) in [(first, firstGrowth), (second, growth)] {
            #expect((0..<3000).contains(growth - version.newStoredBytes), "\(growth) \(version.newStoredBytes)")
        }
    }
}
