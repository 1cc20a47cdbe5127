import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

/// What keeps a restored copy of everything, the mark beside the root key included, from going unnoticed.
@Suite struct WitnessTests {
    /// A store with a witness, whose database and mark can be put back together.
    private static func witnessed() async throws -> (fixture: StoreFixture, file: FilePath) {
        let fixture = try await StoreFixture()
        let file = fixture.folder.appending("witness")
        return (try await again(fixture, file), file)
    }

    private static func again(_ fixture: StoreFixture, _ file: FilePath) async throws -> StoreFixture {
        try fixture.catalog.close()
        return try await fixture.reopened(configure: { $0.witnesses = [WitnessFile(file)] })
    }

    /// The same instance behind a database as it was before `change`, with a mark that knows of nothing later.
    private static func putBack(
        _ fixture: StoreFixture, _ file: FilePath, after change: (StoreFixture) async throws -> Void
    ) async throws -> StoreFixture {
        let database = fixture.folder.appending("catalog.db").string
        let mark = try await fixture.store.versionLog.signer.highWaterMark()
        try fixture.catalog.close()
        let copy = try Data(contentsOf: URL(fileURLWithPath: database))
        let later = try await fixture.reopened(configure: { $0.witnesses = [WitnessFile(file)] })
        try await change(later)
        try await later.store.close()
        try later.catalog.close()
        try copy.write(to: URL(fileURLWithPath: database))
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: database + suffix) }
        let restored = try await later.reopened(configure: { $0.witnesses = [WitnessFile(file)] })
        if let mark, let head = Hex.decode(mark.logHead) {
            try await restored.store.versionLog.signer.writeHighWaterMark(logSize: mark.logSize, logHead: head)
        }
        return restored
    }

    @Test("A database put back together with its mark is noticed, until somebody says that it was meant")
    func rollback() async throws {
        let (fixture, file) = try await Self.witnessed()
        defer { fixture.remove() }
        _ = try await fixture.publish([1])
        try await fixture.store.close()
        #expect(try await fixture.store.rollbackProblem() == nil)
        let restored = try await Self.putBack(fixture, file) { _ = try await $0.publish([2], artifact: "late") }
        let problem = try #require(try await restored.store.rollbackProblem())
        #expect(problem.contains("the version log has 1 entries; the witness \(file) saw 2"), "\(problem)")
        #expect(try await restored.store.verify().problems == [problem])

        try await restored.store.acknowledgeRollback(problem, by: "test")
        #expect(try await restored.store.rollbackProblem() == nil)
        _ = try await restored.publish([3], artifact: "after")
        try await restored.store.close()
        #expect(try await restored.store.rollbackProblem() == nil)
        #expect(try await restored.store.verify().problems == [])

        // Old lines added once more change nothing.
        let lines = try String(contentsOfFile: file.string, encoding: .utf8)
        try (lines + lines).write(toFile: file.string, atomically: false, encoding: .utf8)
        #expect(try await restored.store.rollbackProblem() == nil)
        // Nor does the head that superseded, written in other letters, supersede what came after it.
        let id = try restored.store.versionLog.signer.instanceID()
        let newest = try #require(try await WitnessFile(file).newest(of: id))
        let superseding = try #require(lines.split(separator: "\n").first { $0.contains("\"supersedes\":true") })
        let signature = try #require(superseding.firstMatch(of: /"signature":"([0-9a-f]+)"/)).1
        let again = superseding.replacing(signature, with: signature.uppercased())
        try (lines + again + "\n").write(toFile: file.string, atomically: false, encoding: .utf8)
        #expect(try await WitnessFile(file).newest(of: id) == newest)
        #expect(newest.supersedes == false)
    }

    @Test("Another history of the same length is noticed")
    func fork() async throws {
        let (fixture, file) = try await Self.witnessed()
        defer { fixture.remove() }
        _ = try await fixture.publish([1])
        try await fixture.store.recordHead()
        let restored = try await Self.putBack(fixture, file) { _ = try await $0.publish([2], artifact: "late") }
        _ = try await restored.publish([3], artifact: "other")
        #expect(try await restored.store.rollbackProblem()?.contains("is not the one that the witness") == true)
    }

    @Test(
        "A witness that has gone, or keeps what this instance did not sign, is named; other instances' lines say nothing"
    )
    func altered() async throws {
        let (fixture, file) = try await Self.witnessed()
        defer { fixture.remove() }
        _ = try await fixture.publish([1])
        try await fixture.store.close()
        let store = fixture.store
        let lines = try String(contentsOfFile: file.string, encoding: .utf8)
        func problem(_ text: String) async throws -> String? {
            try text.write(toFile: file.string, atomically: false, encoding: .utf8)
            return try await store.rollbackProblem()
        }
        let id = try store.versionLog.signer.instanceID()
        let stranger = lines.replacing(id, with: String(id.reversed())).replacing("\"size\":1", with: "\"size\":900")
        #expect(try await problem("remark\n" + stranger + "\n" + lines + "{\"torn") == nil)
        #expect(
            try await problem(lines.replacing("\"size\":1", with: "\"size\":9"))?.contains("no key of this database")
                == true)
        #expect(try await problem("")?.contains("has nothing about this instance") == true)
        try FileManager.default.removeItem(atPath: file.string)
        #expect(try await store.rollbackProblem()?.contains("has nothing about this instance") == true)
        let lost = WitnessFile(file.appending("none"))
        await #expect(throws: StoreError.self) { try await lost.newest(of: id) }
    }

    @Test("What a crash left of a line does not spoil the next, and a witness out of reach holds nothing up")
    func torn() async throws {
        let (fixture, file) = try await Self.witnessed()
        defer { fixture.remove() }
        _ = try await fixture.publish([1])
        try "{\"instance\":\"".write(toFile: file.string, atomically: false, encoding: .utf8)
        try await fixture.store.recordHead()
        #expect(try await fixture.store.rollbackProblem() == nil)
        let id = try fixture.store.versionLog.signer.instanceID()
        #expect(try await WitnessFile(file).newest(of: id)?.size == 1)

        // Within the next quarter of an hour it is told only at the end.
        _ = try await fixture.publish([2])
        try await fixture.store.recordHead()
        #expect(try await WitnessFile(file).newest(of: id)?.size == 1)
        try await fixture.store.close()
        #expect(try await WitnessFile(file).newest(of: id)?.size == 2)

        try fixture.catalog.close()
        let away = fixture.folder.appending("away/witness")
        let later = try await fixture.reopened(configure: { $0.witnesses = [WitnessFile(away)] })
        _ = try await later.publish([3])
        try await later.store.close()
    }
}
