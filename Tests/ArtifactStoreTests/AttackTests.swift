import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import ArtifactStore

/// Attacks on records, manifests and sharing by somebody who writes to the packs or the database.
@Suite struct AttackTests {
    private func domain(_ id: UInt8, epoch: UInt32 = 1) -> DomainContext {
        DomainContext(
            StoreDomain(
                id: Array(repeating: id, count: 16), epoch: epoch, idKey: .random(count: 32),
                chunkKey: .random(count: 32), cutKey: .random(count: 32)))
    }

    private func seal(_ bytes: [UInt8], _ ref: Ref, _ domain: RecordDomain, _ worker: Worker) throws -> [UInt8] {
        try bytes.withUnsafeBytes {
            try RecordCipher.seal($0, key: ref.key, id: ref.id, domain: domain, compress: false, worker: worker) {
                Array($0.record)
            }
        }
    }

    private func open(
        _ record: [UInt8], _ key: RecordKey, _ id: RecordID, _ domain: RecordDomain, _ worker: Worker
    ) throws -> [UInt8] {
        var record = record
        return try record.withUnsafeMutableBytes {
            try RecordCipher.open($0, key: key, id: id, domain: domain, worker: worker) { try $0.plaintext(worker) }
        }
    }

    private func ref(_ bytes: [UInt8], _ domain: DomainContext) -> Ref {
        let digest = SHA256.digest(bytes)
        return Ref(
            count: bytes.count, digest: digest, id: domain.recordID(digest, count: Int64(bytes.count)),
            key: domain.recordKey(digest, count: Int64(bytes.count)), crc: 0)
    }

    @Test("a record moved to another id, domain or epoch, or under another's key, does not open") func moved() throws {
        let worker = try Worker(level: 1)
        let home = domain(1)
        let (one, two) = ([UInt8](repeating: 1, count: 500), [UInt8](repeating: 2, count: 500))
        let (first, second) = (ref(one, home), ref(two, home))
        let record = try seal(one, first, home.records, worker)
        #expect(try open(record, first.key, first.id, home.records, worker) == one)
        let epoch = RecordDomain(id: home.id, epoch: 2)
        let elsewhere = RecordDomain(id: Array(repeating: 9, count: 16), epoch: 1)
        #expect(throws: FormatError.self) { try open(record, first.key, second.id, home.records, worker) }
        #expect(throws: FormatError.self) { try open(record, second.key, first.id, home.records, worker) }
        #expect(throws: FormatError.self) { try open(record, second.key, second.id, home.records, worker) }
        #expect(throws: FormatError.self) { try open(record, first.key, first.id, epoch, worker) }
        #expect(throws: FormatError.self) { try open(record, first.key, first.id, elsewhere, worker) }
        for index in record.indices {
            var changed = record
            changed[index] ^= 1 << (index % 8)
            #expect(throws: (any Error).self, "byte \(index)") {
                try open(changed, first.key, first.id, home.records, worker)
            }
        }
        for count in 0..<record.count {
            #expect(throws: (any Error).self) {
                try open(Array(record[..<count]), first.key, first.id, home.records, worker)
            }
        }
    }

    @Test("a record forged by somebody who holds its key is refused: its content is not what its name says")
    func forgedByHolder() async throws {
        var fixture = try await StoreFixture()
        let folder = fixture.folder
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let content = Array("the true content, which everybody expects".utf8) + [UInt8](repeating: 7, count: 200)
        let version = try await fixture.publish(content)
        let opened = try await fixture.store.open(version.id)
        let ref = try #require(try everyRef(opened.root, opened.context).first)
        let other = content.enumerated().map { $0 == 4 ? $1 ^ 1 : $1 }
        let forged = try seal(other, ref, opened.context.domain, try Worker(level: 1))
        let held = try open(forged, ref.key, ref.id, opened.context.domain, try Worker(level: 1))
        #expect(held == other, "the forgery itself is a valid record under the key")
        let ring = fixture.store.storageKeys
        try await fixture.catalog.write { transaction in
            let row = try #require(try transaction.row("SELECT * FROM store_commits"))
            let commit = try JournalRow(row, ring)
            let records = commit.records.map { record in
                guard record.id == ref.id else { return record }
                var record = record
                (record.record, record.codec, record.encodedBytes) = (forged, .stored, other.count)
                return record
            }
            try transaction.execute("DELETE FROM store_commits")
            try JournalRow(commit.commit, records, ring).insert(transaction)
        }
        fixture = try await fixture.reopened()
        let refused = await #expect(throws: StoreError.self) { try await fixture.read(version) }
        #expect(refused?.code == .integrity)
    }

    @Test("a record that lies about its lengths is refused before anything is inflated") func lyingLengths() throws {
        let home = domain(3)
        let worker = try Worker(level: 1)
        let bytes = [UInt8](repeating: 0, count: 10_000)
        let ref = ref(bytes, home)
        // A frame as a holder of the key would make it: codec, plain length, encoded length, payload.
        func frame(_ codec: UInt8, plain: UInt32, encoded: UInt32, _ payload: [UInt8]) throws -> [UInt8] {
            try FrameForger.seal(codec, plain, encoded, payload, ref.key, ref.id, home)
        }
        let deflated = try bytes.withUnsafeBytes { input -> [UInt8] in
            try RecordCipher.seal(
                input, key: ref.key, id: ref.id, domain: home.records, compress: true, worker: worker
            ) { Array($0.record) }
        }
        #expect(try open(deflated, ref.key, ref.id, home.records, worker) == bytes)
        let honest = try frame(0, plain: 100, encoded: 100, [UInt8](repeating: 1, count: 100))
        #expect(try open(honest, ref.key, ref.id, home.records, worker).count == 100)
        for (codec, plain, encoded) in [
            (0, 100, 4_000_000_000), (0, 4_000_000_000, 100), (0, 99, 100), (1, 4_000_000_000, 100), (1, 100, 101),
            (2, 100, 100), (255, 0, 0), (1, 200_000, 100),
        ] as [(UInt8, UInt32, UInt32)] {
            let lying = try frame(codec, plain: plain, encoded: encoded, [UInt8](repeating: 1, count: 100))
            #expect(throws: (any Error).self, "codec \(codec), plain \(plain), encoded \(encoded)") {
                try open(lying, ref.key, ref.id, home.records, worker)
            }
        }
    }

    @Test("a manifest truncated, lengthened, renumbered or of another version does not open") func manifests() throws {
        let key = SecretBytes.random(count: 32)
        let version = VersionID()
        let sealed = try RootManifest.seal([1, 2, 3, 4], dataKey: key, version: version, number: 7)
        #expect(try RootManifest.open(sealed, dataKey: key, version: version, number: 7) == [1, 2, 3, 4])
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1 << (index % 8)
            #expect(throws: (any Error).self, "byte \(index)") {
                try RootManifest.open(changed, dataKey: key, version: version, number: 7)
            }
        }
        for count in 0..<sealed.count {
            #expect(throws: (any Error).self) {
                try RootManifest.open(Array(sealed[..<count]), dataKey: key, version: version, number: 7)
            }
        }
        // Another segment behind the last, as if the stream went on; and the only one twice.
        #expect(throws: (any Error).self) {
            try RootManifest.open(sealed + [UInt8](repeating: 0, count: 32), dataKey: key, version: version, number: 7)
        }
        #expect(throws: (any Error).self) {
            try RootManifest.open(sealed + sealed[104...], dataKey: key, version: version, number: 7)
        }
        #expect(throws: FormatError.self) {
            try RootManifest.open(sealed, dataKey: key, version: VersionID(), number: 7)
        }
        #expect(throws: FormatError.self) { try RootManifest.open(sealed, dataKey: key, version: version, number: 8) }
        #expect(throws: FormatError.self) {
            try RootManifest.open(sealed, dataKey: .random(count: 32), version: version, number: 7)
        }
        // The last flag cleared: the same bytes sealed as a segment that others follow are not accepted as the end.
        let open = try FrameForger.manifestWithoutLastFlag([1, 2, 3, 4], key, version, number: 7)
        #expect(throws: FormatError.self) { try RootManifest.open(open, dataKey: key, version: version, number: 7) }
    }

    @Test("the same content in two domains of one store shares no id, no key, no cut and no stored byte")
    func disjointDomains() async throws {
        let fixture = try await KeyedFixture()
        let other = AccountRegion(account: "222233334444", region: "eu-west-1")
        var random = SeededGenerator(seed: 77)
        let bytes = random.text(900_000)
        func publish(_ scope: AccountRegion) async throws -> Version {
            let ingest = try await fixture.store.beginIngest(scope: scope)
            return try await fixture.store.publish(
                try await ingest.addBlob(bytes),
                VersionDraft(scope: scope, repository: "web", artifact: "app", createdBy: "t"))
        }
        let (one, two) = (try await publish(fixture.scope), try await publish(other))
        #expect(one.contentID == two.contentID)
        var sets: [[Ref]] = []
        for version in [one, two] {
            let opened = try await fixture.store.open(version.id)
            sets.append(try await fixture.store.pool.run { try everyRef(opened.root, opened.context) })
        }
        #expect(Set(sets[0].map(\.id)).isDisjoint(with: sets[1].map(\.id)))
        #expect(Set(sets[0].map(\.key)).isDisjoint(with: sets[1].map(\.key)))
        func cuts(_ refs: [Ref]) -> Set<Int> {
            var offset = 0
            return Set(
                refs.filter { $0.crc != 0 }.dropLast().map {
                    offset += $0.count
                    return offset
                })
        }
        #expect(cuts(sets[0]).count > 3)
        #expect(cuts(sets[0]).isDisjoint(with: cuts(sets[1])))
        // Nobody learns from what it costs that another account has the content: the second pays in full. So it is for
        // whoever tries every PIN in a known letter.
        #expect(Double(two.newStoredBytes) > Double(one.newStoredBytes) * 0.9)
        let guess = try await publish(other)
        #expect(guess.newStoredBytes < two.newStoredBytes / 10, "within one account it is stored once")
        // Nor does the database: what looks versions up by content is keyed, and the rows' cuts are in sealed roots.
        let rows = try await fixture.catalog.read {
            try $0.rows("SELECT roots FROM store_versions ORDER BY created_at")
        }
        #expect(try rows[0].bytes("roots") != rows[1].bytes("roots"))
    }

    @Test("a key of another account protects nothing of an account that its policy does not name")
    func foreignKeys() async throws {
        let fixture = try await KeyedFixture()
        let theirs = AccountRegion(account: "222233334444", region: "eu-west-1")
        let key = try await fixture.keys.createKey(NewKMSKey(policy: "{}"), in: theirs)
        let refused = await #expect(throws: StoreError.self) {
            try await fixture.store.beginIngest(scope: fixture.scope, keyID: key.arn)
        }
        #expect(refused?.code == .keyUnavailable)
        await #expect(throws: StoreError.self) {
            try await fixture.store.beginIngest(
                scope: fixture.scope, keyID: "arn:aws:kms:eu-west-1:222233334444:alias/aws/s3")
        }
        #expect(try await fixture.keys.alias(theirs, "alias/aws/s3") == nil)
    }

    @Test("stored lengths are padded: contents that differ by little cannot be told apart by their records")
    func padding() {
        var sizes: Set<Int> = []
        for count in 60_000..<61_000 { sizes.insert(RecordCipher.recordBytes(encodedBytes: count)) }
        #expect(sizes.count <= 3)
        for count in stride(from: 1000, to: 1 << 20, by: 997) {
            let padded = RecordCipher.recordBytes(encodedBytes: count)
            #expect(padded >= count + RecordCipher.overhead)
            #expect(Double(padded) <= Double(count + RecordCipher.overhead) * 1.12)
        }
    }

    @Test("collections, deletions and shares side by side: whoever was given a share can read, or was refused it")
    func collectionRacesShare() async throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let bench = try await SharingBench(bytes: 1000)
        for round in 0..<12 {
            let content = random.bytes(100_000)
            let version = try await bench.fixture.publish(content, artifact: "race", keyID: bench.ownerKey.keyID)
            let plan = try await bench.store.planShare(
                of: version,
                ShareDraft(recipient: bench.recipient, keyID: bench.recipientKey.arn, createdBy: "owner"))
            async let made = try? bench.store.share(plan)
            async let deleted: Void? = try? bench.store.delete([version.id])
            async let collected = try? bench.store.collect()
            let (share, _, _) = await (made, deleted, collected)
            bench.clock.advance(3 * 86_400)
            _ = try? await bench.store.collect()
            bench.clock.advance(3 * 86_400)
            _ = try? await bench.store.collect()
            if let share {
                let bytes = try await bench.store.read(version.id, through: share).collect(upTo: 1 << 20)
                #expect(bytes == content, "round \(round)")
            } else {
                await #expect(throws: StoreError.self) { try await bench.fixture.read(version) }
            }
        }
    }
}

/// Makes what only a holder of keys could: well-sealed records and manifests with false contents.
enum FrameForger {
    static func seal(
        _ codec: UInt8, _ plain: UInt32, _ encoded: UInt32, _ payload: [UInt8], _ key: RecordKey, _ id: RecordID,
        _ domain: DomainContext
    ) throws -> [UInt8] {
        var frame: [UInt8] = [codec]
        frame.appendBig(plain)
        frame.appendBig(encoded)
        frame += payload
        let secret = key.withUnsafeBytes { SecretBytes(copying: Array($0)) }
        var epoch: [UInt8] = []
        epoch.appendBig(domain.epoch)
        let material = Derivation.secret(secret, "chunk", [domain.id, epoch, id.bytes], count: 64)
        var header = Array("CFC1".utf8)
        header.appendBig(UInt32(RecordCipher.headerBytes + frame.count + AES256GCM.tagBytes))
        let nonce = SecureRandom.bytes(12)
        header += nonce
        material.slice(32..<64).withUnsafeBytes { header.append(contentsOf: $0) }
        let associated = header + domain.id + epoch + id.bytes
        return header
            + (try frame.withUnsafeBytes {
                try AES256GCM.seal(key: material.slice(0..<32), nonce: nonce, additionalData: associated, $0)
            })
    }

    static func manifestWithoutLastFlag(
        _ root: [UInt8], _ dataKey: SecretBytes, _ version: VersionID, number: Int
    ) throws -> [UInt8] {
        let honest = try RootManifest.seal(root, dataKey: dataKey, version: version, number: number)
        let salt = Array(honest[32..<64])
        let material = Derivation.secret(
            dataKey, "manifest", [Array(honest[8..<24]), Array(honest[24..<32]), salt], count: 64)
        let header = Array(honest[..<104])
        return header
            + (try root.withUnsafeBytes {
                try AES256GCM.seal(
                    key: material.slice(0..<32), nonce: [UInt8](repeating: 0, count: 12), additionalData: header, $0)
            })
    }
}
