import Catalog
import Cryptography
import Foundation
import Testing

@testable import KeyHierarchy

@Suite struct HighWaterTests {
    @Test("The mark survives restarts and rotations of the root, and is refused when it was altered")
    func mark() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        #expect(try await keys.highWaterMark() == nil)
        _ = try await keys.resolveKey(nil, in: home)
        try await keys.writeHighWaterMark(logSize: 7, logHead: [1, 2, 3])
        let mark = try #require(try await bench.reopened().highWaterMark())
        #expect(mark.logSize == 7 && mark.logHead == "010203" && mark.journalSize > 0)
        _ = try await keys.rotateRoot()
        let later = try await bench.reopened()
        #expect(try await later.highWaterMark() == mark)
        #expect(try await later.journalProblem(against: mark) == nil)

        let path = bench.directory + "/highwater.cfse"
        let original = try Data(contentsOf: URL(fileURLWithPath: path))
        for index in stride(from: 0, to: original.count, by: 11) {
            var changed = original
            changed[index] ^= 4
            try changed.write(to: URL(fileURLWithPath: path))
            try bench.mode(path, 0o600)
            await #expect(throws: KeyError.self) { try await later.highWaterMark() }
        }
    }

    @Test("A journal that is behind the mark, or another one, is noticed")
    func journal() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        _ = try await keys.resolveKey(nil, in: home)
        try await keys.writeHighWaterMark(logSize: 0, logHead: [])
        let mark = try #require(try await keys.highWaterMark())
        try await bench.catalog.write {
            _ = try $0.execute("UPDATE key_journal SET chain = ? WHERE sequence = ?", [1], mark.journalSize)
        }
        #expect(try await keys.journalProblem(against: mark)?.contains("is not the one") == true)
        try await bench.catalog.write {
            _ = try $0.execute("DELETE FROM key_journal WHERE sequence = ?", mark.journalSize)
        }
        #expect(try await keys.journalProblem(against: mark)?.contains("entries; it had") == true)
    }

    @Test("Every way to tamper with a record is named")
    func records() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let key = try await keys.resolveKey(nil, in: home)
        let clean = try await keys.verifyRecords()
        #expect(clean.problems == [] && clean.records == 2 && clean.entries >= 2)
        _ = try await keys.rotateKeyring(region: home.region)
        _ = try await keys.rotateSigningKey()
        #expect(try await keys.verifyRecords().problems == [])

        func row(_ kind: String) async throws -> Row {
            try #require(try await bench.catalog.read { try $0.row("SELECT * FROM key_record WHERE kind = ?", kind) })
        }
        let alias = try await row("alias")
        let (id, document) = (try alias.string("id"), try alias.string("document"))
        try await bench.catalog.write { _ = try $0.execute("UPDATE key_record SET document = '{}' WHERE id = ?", id) }
        #expect(try await keys.verifyRecords().problems.contains { $0.contains(id) && $0.contains("altered") })
        try await bench.catalog.write {
            _ = try $0.execute("UPDATE key_record SET document = ? WHERE id = ?", document, id)
        }
        #expect(try await keys.verifyRecords().problems == [])
        try await bench.catalog.write { _ = try $0.execute("DELETE FROM key_record WHERE id = ?", key.keyID) }
        #expect(
            try await keys.verifyRecords().problems.contains { $0.contains(key.keyID) && $0.contains("is missing") })
        try await bench.catalog.write { _ = try $0.execute("UPDATE key_journal SET action = 'x' WHERE sequence = 1") }
        #expect(try await keys.verifyRecords().problems.contains { $0.contains("does not follow") })
    }

    @Test("Signatures of older signing keys stay valid; altered ones and other messages are not")
    func signatures() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let first = try keys.signAsInstance([1, 2, 3])
        #expect(try await keys.rotateSigningKey() == 2)
        let second = try keys.signAsInstance([1, 2, 3])
        #expect(second.keyVersion == 2)
        let later = try await bench.reopened()
        for signature in [first, second] {
            #expect(try later.isInstanceSignature(signature, on: [1, 2, 3]))
            #expect(try !later.isInstanceSignature(signature, on: [1, 2]))
            let other = InstanceSignature(keyVersion: 3 - signature.keyVersion, bytes: signature.bytes)
            #expect(try !later.isInstanceSignature(other, on: [1, 2, 3]))
        }
        let key = try AsymmetricPublicKey(subjectPublicKeyInfo: try later.instancePublicKey(version: 1).spki)
        #expect(try key.isValid(signature: first.bytes, for: .message([1, 2, 3]), .ed25519))
    }
}
