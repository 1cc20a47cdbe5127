import Catalog
import Cryptography
import Foundation
import Testing

@testable import KeyHierarchy

@Suite struct KeyHierarchyTests {
    @Test("The default key is made once, found by every form of its name, and survives a restart")
    func defaultKey() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        async let a = keys.resolveKey(nil, in: home)
        async let b = keys.resolveKey("alias/aws/s3", in: home)
        let (first, second) = try await (a, b)
        #expect(first == second)
        #expect(first.aliasName == "alias/aws/s3")
        #expect(first.keyARN == "arn:aws:kms:us-east-1:000000000000:key/\(first.keyID)")
        for form in [first.keyID, first.keyARN, try #require(first.aliasARN)] {
            #expect(try await keys.resolveKey(form, in: home).keyID == first.keyID)
        }
        #expect(try await bench.reopened().resolveKey(nil, in: home) == first)
        let elsewhere = AccountRegion(account: home.account, region: "eu-west-1")
        #expect(try await keys.resolveKey(nil, in: elsewhere).keyID != first.keyID)
        for missing in ["alias/none", SecureRandom.uuid(), "alias/aws/nothing"] {
            let error = await #expect(throws: KeyError.self) { try await keys.resolveKey(missing, in: home) }
            #expect(error?.code == .notFound)
        }
        let error = await #expect(throws: KeyError.self) { try await keys.resolveKey("arn:aws:s3:::bucket", in: home) }
        #expect(error?.code == .invalidARN)
    }

    @Test("Data keys open with their context only, after a restart too")
    func dataKeys() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let reference = try await keys.resolveKey(nil, in: home)
        let context = ["aws:s3:arn": "arn:aws:s3:::b/k"]
        let (plain, blob) = try await keys.generateDataKey(under: reference, context: context)
        #expect(blob.count == 32 + CiphertextBlob.overheadBytes)
        let later = try await bench.reopened()
        #expect(constantTimeEqual(try await later.decryptDataKey(blob, context: context), plain))
        for wrong in [[:], ["aws:s3:arn": "arn:aws:s3:::b/K"], ["a": "b"]] {
            let error = await #expect(throws: KeyError.self) { try await later.decryptDataKey(blob, context: wrong) }
            #expect(error?.code == .invalidCiphertext)
        }
    }

    @Test("Dedup domains: one a scope, unrelated across scopes, stable across restarts, new secrets an epoch")
    func domains() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let reference = try await keys.resolveKey(nil, in: home)
        async let one = keys.dedupDomain(for: .key(reference))
        async let other = keys.dedupDomain(for: .key(reference))
        let (domain, same) = try await (one, other)
        #expect(domain.id == same.id)
        #expect(constantTimeEqual(domain.idKey, same.idKey))
        let account = try await keys.dedupDomain(for: .account(home))
        let pipeline = try await keys.dedupDomain(for: .pipeline("p", reference))
        #expect(Set([domain.id, account.id, pipeline.id]).count == 3)
        #expect(!constantTimeEqual(domain.chunkKey, pipeline.chunkKey))
        let later = try await bench.reopened()
        for known in [domain, account, pipeline] {
            let found = try await later.dedupDomain(id: known.id, epoch: 1)
            #expect(constantTimeEqual(found.chunkKey, known.chunkKey))
        }
        let next = try await later.rotateDedupDomain(for: .key(reference))
        #expect(next.id == domain.id && next.epoch == 2)
        #expect(!constantTimeEqual(next.idKey, domain.idKey))
        #expect(try await later.dedupDomain(for: .key(reference)).epoch == 2)
        #expect(constantTimeEqual(try await later.dedupDomain(id: domain.id, epoch: 1).idKey, domain.idKey))
    }

    @Test("Storage keys are stable and found by version")
    func storageKeys() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let current = try await keys.storageKey()
        let later = try await bench.reopened()
        #expect(constantTimeEqual(try await later.storageKey(version: current.version).key, current.key))
        await #expect(throws: KeyError.self) { try await later.storageKey(version: 99) }
    }

    @Test("Altered, old and re-inserted records are refused")
    func tampering() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let reference = try await keys.resolveKey(nil, in: home)
        let keyID = reference.keyID
        let old = try await bench.catalog.read { try $0.row("SELECT * FROM key_record WHERE kind = 'key'") }
        let oldDocument = try #require(old).string("document")
        let oldMAC = try #require(old).bytes("mac")
        let oldSequence = try #require(old).int64("sequence")

        func expectTampered(_ what: Comment) async throws {
            let error = await #expect(throws: KeyError.self, what) { try await bench.reopened().key(home, keyID) }
            #expect(error?.code == .tampered)
        }
        _ = try await bench.catalog.write {
            try $0.execute(
                "UPDATE key_record SET document = replace(document, 'Enabled', 'Disabled') WHERE kind = 'key'")
        }
        try await expectTampered("a changed document")

        // A legitimate change, then the old row put back.
        _ = try await bench.catalog.write {
            try $0.execute("UPDATE key_record SET document = ? WHERE kind = 'key'", oldDocument)
        }
        let state = try keys.unsealed()
        var key = try await bench.reopened().key(home, keyID)
        key.state = .disabled
        let changed = key
        try await bench.catalog.write { try state.records.save(changed, action: "disable", $0) }
        _ = try await bench.catalog.write {
            try $0.execute(
                "UPDATE key_record SET document = ?, mac = ?, sequence = ? WHERE kind = 'key'", oldDocument, oldMAC,
                oldSequence)
        }
        try await expectTampered("an old row")
        _ = try await bench.catalog.write { try $0.execute("DELETE FROM key_record WHERE kind = 'key'") }
        try await expectTampered("a missing row")

        #expect(try await bench.catalog.read { try state.records.verifyJournal($0) } == 3)
        _ = try await bench.catalog.write {
            try $0.execute("UPDATE key_journal SET action = 'enable' WHERE action = 'disable'")
        }
        await #expect(throws: KeyError.self) { try await bench.catalog.read { try state.records.verifyJournal($0) } }
    }
}
