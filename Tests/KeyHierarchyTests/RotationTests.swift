import Catalog
import Cryptography
import Foundation
import Testing

@testable import KeyHierarchy

@Suite struct RotationTests {
    /// Keys in a Region, a data key under each, and the hierarchy.
    private static func furnished(_ bench: Workbench, keys count: Int = 3) async throws -> (
        KeyHierarchy, [(key: KMSKeyReference, plain: SecretBytes, blob: [UInt8])]
    ) {
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        var made: [(key: KMSKeyReference, plain: SecretBytes, blob: [UInt8])] = []
        for index in 0..<count {
            var key = try await keys.resolveKey(nil, in: home)
            if index > 0 {
                key = KMSKeyReference(
                    scope: home, keyID: try await keys.createKey(NewKMSKey(policy: "{}"), in: home).keyID)
            }
            let data = try await keys.generateDataKey(under: key, context: ["a": "b"])
            made.append((key, data.plaintext, data.blob))
        }
        return (keys, made)
    }

    @Test("A rotated keyring seals every backing key anew, and the old key can then be destroyed")
    func keyring() async throws {
        let bench = try Workbench()
        let (keys, made) = try await Self.furnished(bench)
        let before = try await bench.catalog.read { try $0.rows("SELECT sealed FROM key_backing") }
        let report = try await keys.rotateKeyring(region: home.region)
        #expect(report.version == 2)
        #expect(report.rewrapped == before.count)
        let layers = try await keys.layers().filter { $0.layer == .keyring }
        #expect(layers.map(\.state) == [.decryptOnly, .active])
        #expect(layers.map(\.uses) == [0, before.count])

        await #expect(throws: KeyError.self) { try await keys.destroyKeyringKey(region: home.region, version: 2) }
        await #expect(throws: KeyError.self) { try await keys.destroyKeyringKey(region: home.region, version: 7) }
        try await keys.destroyKeyringKey(region: home.region, version: 1)
        await #expect(throws: KeyError.self) { try await keys.destroyKeyringKey(region: home.region, version: 1) }
        let gone = try await bench.catalog.read {
            try $0.row("SELECT sealed, state FROM key_keyring WHERE version = 1")
        }
        #expect(try gone?.bytes("sealed") == [])

        let later = try await bench.reopened()
        for (_, plain, blob) in made {
            let opened = try await later.decryptDataKey(blob, context: ["a": "b"])
            #expect(constantTimeEqual(opened, plain))
        }
        #expect(try await later.rotateKeyring(region: home.region).version == 3)
        _ = try await later.rotateRoot()
        let last = try await bench.reopened()
        #expect(constantTimeEqual(try await last.decryptDataKey(made[0].blob, context: ["a": "b"]), made[0].plain))
    }

    @Test("A keyring key that still seals something is not destroyed")
    func keyringInUse() async throws {
        let bench = try Workbench()
        let (keys, _) = try await Self.furnished(bench)
        let old = try await bench.catalog.read { try $0.row("SELECT * FROM key_backing LIMIT 1") }
        let row = try #require(old)
        let (account, keyID, sealed) = (try row.string("account"), try row.string("key_id"), try row.bytes("sealed"))
        _ = try await keys.rotateKeyring(region: home.region)
        // As a rotation leaves it that a crash interrupted.
        try await bench.catalog.write {
            _ = try $0.execute(
                "UPDATE key_backing SET sealed = ? WHERE account = ? AND key_id = ?", sealed, account, keyID)
        }
        await #expect(throws: KeyError.self) { try await keys.destroyKeyringKey(region: home.region, version: 1) }
        let later = try await bench.reopened()
        try await later.maintain()
        try await later.destroyKeyringKey(region: home.region, version: 1)
    }

    @Test("A Region without keys has no keyring to rotate")
    func noKeyring() async throws {
        let bench = try Workbench()
        let (keys, _) = try await Self.furnished(bench, keys: 1)
        let error = await #expect(throws: KeyError.self) { try await keys.rotateKeyring(region: "mars-north-1") }
        #expect(error?.code == .notFound)
    }

    @Test("A new storage key is current at once and after a restart; a destroyed one is gone for good")
    func storage() async throws {
        let bench = try Workbench()
        let (keys, _) = try await Self.furnished(bench, keys: 1)
        let first = try await keys.storageKey()
        let second = try await keys.rotateStorageKey()
        #expect(second.version == first.version + 1)
        #expect(!constantTimeEqual(first.key, second.key))
        #expect(constantTimeEqual(try await keys.storageKey(version: 1).key, first.key))
        await #expect(throws: KeyError.self) { try await keys.destroyStorageKey(version: 2) }
        try await keys.destroyStorageKey(version: 1)
        for hierarchy in [keys, try await bench.reopened()] {
            #expect(try await hierarchy.storageKey().version == 2)
            #expect(try await hierarchy.storageKeyVersions() == [2])
            await #expect(throws: KeyError.self) { try await hierarchy.storageKey(version: 1) }
        }
        #expect(try await bench.reopened().rotateStorageKey().version == 3)
    }

    @Test("Whoever learnt an old row key makes no code for a record after its destruction")
    func rowKey() async throws {
        let bench = try Workbench()
        let (keys, _) = try await Self.furnished(bench, keys: 3)
        let old = try keys.unsealed().keys.current(.row).key
        let covered = { (row: Row) throws -> [UInt8] in
            var writer = ByteWriter()
            for name in ["kind", "scope", "id", "document"] { writer.appendPrefixed(Array(try row.string(name).utf8)) }
            writer.append(UInt64(bitPattern: try row.int64("sequence")))
            return writer.bytes
        }
        #expect(try await keys.rotateRowKey().rewrapped >= 3)
        #expect(try await keys.verifyRecords().problems == [])
        await #expect(throws: KeyError.self) { try await keys.destroyRowKey(version: 2) }
        // A code that only the old key explains keeps that key from being destroyed.
        let row = try #require(
            try await bench.catalog.read { try $0.row("SELECT * FROM key_record ORDER BY id LIMIT 1") })
        let (id, mac) = (try row.string("id"), try row.bytes("mac"))
        let forged = HMACSHA256.code(key: old, try covered(row)).bytes
        try await bench.catalog.write { _ = try $0.execute("UPDATE key_record SET mac = ? WHERE id = ?", forged, id) }
        await #expect(throws: KeyError.self) { try await keys.destroyRowKey(version: 1) }
        try await bench.catalog.write { _ = try $0.execute("UPDATE key_record SET mac = ? WHERE id = ?", mac, id) }
        try await keys.destroyRowKey(version: 1)
        for hierarchy in [keys, try await bench.reopened()] {
            #expect(try await hierarchy.verifyRecords().problems == [])
            #expect(try hierarchy.rowKeyVersions() == [2])
        }
        try await bench.catalog.write { _ = try $0.execute("UPDATE key_record SET mac = ? WHERE id = ?", forged, id) }
        #expect(try await keys.verifyRecords().problems.count == 1)
    }

    @Test("Whoever learnt an old journal key can neither go on with the journal nor rewrite what it held")
    func journalKey() async throws {
        let bench = try Workbench()
        let (keys, _) = try await Self.furnished(bench, keys: 2)
        #expect(try await keys.rotateJournalKey() == 2)
        _ = try await keys.createKey(NewKMSKey(policy: "{}"), in: home)
        for hierarchy in [keys, try await bench.reopened()] {
            #expect(try await hierarchy.verifyRecords().problems == [])
        }
        let size = try await keys.journalHead().size
        let entries = try await bench.catalog.read { try $0.rows("SELECT * FROM key_journal ORDER BY sequence") }
        let certificate = try #require(try entries.first { try $0.string("action") == "rotate" })
        #expect(try certificate.string("scope") == "journal" && size > certificate.int64("sequence"))
        // As if the rotation had never been: what follows was made under a key that nothing names.
        let sequence = try certificate.int64("sequence")
        try await bench.catalog.write {
            _ = try $0.execute("UPDATE key_journal SET action = 'noted' WHERE sequence = ?", sequence)
        }
        #expect(try await keys.verifyRecords().problems.isEmpty == false)
        try await bench.catalog.write {
            _ = try $0.execute("UPDATE key_journal SET action = 'rotate' WHERE sequence = ?", sequence)
        }
        #expect(try await keys.verifyRecords().problems == [])
    }

    @Test("Tokens stay valid over a rotation of the token key, until the old one is destroyed")
    func tokenKey() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let key = try await keys.createKey(NewKMSKey(policy: "{}"), in: home)
        let draft = KMSGrant(
            grantID: Hex.encode(SecureRandom.bytes(32)), scope: home, keyID: key.keyID,
            granteePrincipal: "arn:aws:iam::000000000000:role/r",
            retiringPrincipal: nil, issuingAccount: "arn:aws:iam::000000000000:root", operations: ["Decrypt"],
            contextSubset: nil, contextEquals: nil, name: nil, createdAt: 0)
        let (grant, token) = try await keys.createGrant(draft)
        let marker = try keys.marker("x", for: "ListKeys")
        #expect(try await keys.rotateTokenKey() == 2)
        #expect(try keys.grantID(ofToken: token) == grant.grantID)
        #expect(try keys.open(marker: marker, for: "ListKeys") == "x")
        await #expect(throws: KeyError.self) { try await keys.destroyTokenKey(version: 2) }
        try await keys.destroyTokenKey(version: 1)
        #expect(throws: KeyError.self) { try keys.grantID(ofToken: token) }
        #expect(throws: KeyError.self) { try keys.open(marker: marker, for: "ListKeys") }
        // Under the name of the grant a new one is given for the asking.
        #expect(try keys.grantID(ofToken: try await keys.createGrant(draft).token).count == 64)
    }

    @Test("Secrets of services stay readable over a rotation of the service key")
    func service() async throws {
        let bench = try Workbench()
        let (keys, _) = try await Self.furnished(bench, keys: 1)
        let sealed = try await keys.sealServiceSecret([1, 2, 3], name: "x")
        #expect(try await keys.rotateServiceKey() == 2)
        let after = try await keys.sealServiceSecret([4], name: "x")
        #expect(try SealedEnvelope.keyVersion(of: after) == 2)
        let later = try await bench.reopened()
        #expect(try await later.openServiceSecret(sealed, name: "x").withUnsafeBytes { Array($0) } == [1, 2, 3])
    }

    @Test("An epoch of a dedup domain is rotated, noted as unused, and destroyed")
    func epochs() async throws {
        let bench = try Workbench()
        let (keys, made) = try await Self.furnished(bench, keys: 1)
        let first = try await keys.dedupDomain(for: .key(made[0].key))
        #expect(try await keys.rotateDedupDomain(id: first.id) == 2)
        let second = try await keys.dedupDomain(for: .key(made[0].key))
        #expect(second.id == first.id && second.epoch == 2)
        #expect(!constantTimeEqual(second.idKey, first.idKey))
        #expect(constantTimeEqual(try await keys.dedupDomain(id: first.id, epoch: 1).idKey, first.idKey))

        await #expect(throws: KeyError.self) { try await keys.destroyDedupEpoch(id: first.id, epoch: 2) }
        #expect(try await keys.noteDedupEpoch(id: first.id, epoch: 2, isUnused: true) == nil)
        let since = try await keys.noteDedupEpoch(id: first.id, epoch: 1, isUnused: true)
        #expect(since != nil)
        #expect(try await keys.noteDedupEpoch(id: first.id, epoch: 1, isUnused: true) == since)
        #expect(try await keys.noteDedupEpoch(id: first.id, epoch: 1, isUnused: false) == nil)
        try await keys.destroyDedupEpoch(id: first.id, epoch: 1)
        for hierarchy in [keys, try await bench.reopened()] {
            await #expect(throws: KeyError.self) { try await hierarchy.dedupDomain(id: first.id, epoch: 1) }
            #expect(try await hierarchy.dedupDomain(for: .key(made[0].key)).epoch == 2)
        }
        let states = try await keys.dedupEpochs().map(\.state)
        #expect(states == [.destroyed, .active])
    }

    @Test("After the rotation of a KMS key its dedup secrets are wrapped under the new material")
    func rewrapDomains() async throws {
        let bench = try Workbench()
        let (keys, made) = try await Self.furnished(bench, keys: 1)
        let reference = made[0].key
        let domain = try await keys.dedupDomain(for: .key(reference))
        try await keys.rotateOnDemand(reference.scope, reference.keyID)
        #expect(try await keys.rewrapDedupDomains(reference.scope, keyID: reference.keyID) == 1)
        #expect(try await keys.rewrapDedupDomains(reference.scope, keyID: reference.keyID) == 0)
        let later = try await bench.reopened()
        #expect(constantTimeEqual(try await later.dedupDomain(id: domain.id, epoch: 1).idKey, domain.idKey))
    }
}
