import Catalog
import Cryptography
import Foundation
import Synchronization
import Testing

@testable import KeyHierarchy

/// Stops everything at the n-th step: each write of the database before and after its commit, and each replacement of the
/// root file before and after it.
private final class StepCounter: Sendable {
    struct PowerFailure: Error {}

    private let state: Mutex<(count: Int, limit: Int)>

    init(limit: Int) { state = Mutex((0, limit)) }

    var hasFailed: Bool { state.withLock { $0.count >= $0.limit } }

    func step() throws {
        let isOn = state.withLock { state in
            state.count += 1
            return state.count < state.limit
        }
        guard isOn else { throw PowerFailure() }
    }
}

@Suite struct CrashPointTests {
    /// Keys of several kinds, and what was sealed with them.
    private struct Furniture: Sendable {
        var managed: KMSKeyReference
        var own: KMSKey
        var blobs: [(blob: [UInt8], plain: SecretBytes)]
        var domain: DedupDomain
        var storage: StorageKey
        var secret: [UInt8]
        var signature: InstanceSignature?
    }

    private static func furnish(_ keys: KeyHierarchy) async throws -> Furniture {
        let managed = try await keys.resolveKey(nil, in: home)
        let own = try await keys.createKey(NewKMSKey(policy: "{}"), in: home)
        var blobs: [(blob: [UInt8], plain: SecretBytes)] = []
        for reference in [managed, KMSKeyReference(scope: home, keyID: own.keyID)] {
            let made = try await keys.generateDataKey(under: reference, context: ["a": "b"])
            blobs.append((made.blob, made.plaintext))
        }
        return Furniture(
            managed: managed, own: own, blobs: blobs, domain: try await keys.dedupDomain(for: .key(managed)),
            storage: try await keys.storageKey(),
            secret: try await keys.sealServiceSecret([4, 5, 6], name: "x"))
    }

    private static func check(
        _ keys: KeyHierarchy, _ furniture: Furniture, blobs: Int = 2, storage: Bool = true, _ comment: Comment
    ) async throws {
        for (blob, plain) in furniture.blobs.prefix(blobs) {
            #expect(constantTimeEqual(try await keys.decryptDataKey(blob, context: ["a": "b"]), plain), comment)
        }
        let domain = furniture.domain
        #expect(
            constantTimeEqual(try await keys.dedupDomain(id: domain.id, epoch: domain.epoch).idKey, domain.idKey),
            comment)
        if storage {
            let key = try await keys.storageKey(version: furniture.storage.version).key
            #expect(constantTimeEqual(key, furniture.storage.key), comment)
        }
        let secret = try await keys.openServiceSecret(furniture.secret, name: "x")
        #expect(secret.withUnsafeBytes { Array($0) } == [4, 5, 6], comment)
        #expect(try await keys.verifyRecords().problems == [], comment)
    }

    /// Runs `work` with a crash at every step in turn. After each one the hierarchy is opened again: what could be opened
    /// before can be opened, and `resume` ends where an undisturbed run ends.
    private func atEveryStep(
        _ what: String, now: @escaping @Sendable () -> Date = { Date() },
        prepare: (KeyHierarchy, Furniture) async throws -> Void = { _, _ in },
        work: (KeyHierarchy, Furniture) async throws -> Void,
        check: (KeyHierarchy, Furniture, Comment) async throws -> Void = { try await Self.check($0, $1, $2) },
        finally: (KeyHierarchy, Furniture) async throws -> Void
    ) async throws {
        var limit = 1
        while true {
            let bench = try Workbench()
            let counter = StepCounter(limit: limit)
            let armed = Mutex(false)
            var location = bench.location
            location.crashPoint = { if armed.withLock({ $0 }) { try counter.step() } }
            let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: location, now: now)
            let furniture = try await Self.furnish(keys)
            try await prepare(keys, furniture)
            bench.catalog.observe { _ in try counter.step() }
            armed.withLock { $0 = true }
            var failure: (any Error)?
            do { try await work(keys, furniture) } catch { failure = error }
            bench.catalog.observe(nil)
            armed.withLock { $0 = false }
            guard counter.hasFailed else {
                if let failure { throw failure }
                try await finally(keys, furniture)
                #expect(limit > 2, "\(what) has no steps to speak of")
                return
            }
            let comment: Comment = "\(what), stopped at step \(limit)"
            let later = try await KeyHierarchy.open(catalog: bench.catalog, root: bench.location, now: now)
            #expect(!later.isSealed, comment)
            try await check(later, furniture, comment)
            try await later.maintain()
            try await work(later, furniture)
            try await finally(later, furniture)
            let last = try await KeyHierarchy.open(catalog: bench.catalog, root: bench.location, now: now)
            try await finally(last, furniture)
            limit += 1
        }
    }

    @Test("A rotation of a keyring may stop at any step")
    func keyring() async throws {
        try await atEveryStep(
            "rotation of a keyring",
            work: { keys, _ in
                let version = try await keys.rotateKeyring(region: home.region).version
                for item in try await keys.layers()
                where item.layer == .keyring && item.version < version && item.state == .decryptOnly {
                    try await keys.destroyKeyringKey(region: home.region, version: item.version)
                }
            },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, "at the end")
                let live = try await keys.layers().filter { $0.layer == .keyring && $0.state != .destroyed }
                #expect(live.count == 1)
            })
    }

    @Test("A rotation of the root may stop at any step")
    func root() async throws {
        try await atEveryStep(
            "rotation of the root", work: { keys, _ in _ = try await keys.rotateRoot() },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, "at the end")
                let status = try keys.rootStatus()
                #expect(status.generation >= 2 && !status.rotationUnfinished)
            })
    }

    @Test("A rotation of the storage, service and signing keys may stop at any step")
    func instanceKeys() async throws {
        try await atEveryStep(
            "rotation of instance keys",
            work: { keys, _ in
                _ = try await keys.rotateStorageKey()
                _ = try await keys.rotateServiceKey()
                _ = try await keys.rotateSigningKey()
            },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, "at the end")
                for layer in [KeyLayerItem.Layer.storage, .service, .signing] {
                    let states = try await keys.layers().filter { $0.layer == layer }.map(\.state)
                    #expect(
                        states.count >= 2 && states.last == .active
                            && states.dropLast().allSatisfy { $0 == .decryptOnly })
                }
                let signature = try keys.signAsInstance([1])
                let isValid = try keys.isInstanceSignature(signature, on: [1])
                #expect(isValid)
            })
    }

    @Test("A rotation of the row, journal and token keys may stop at any step")
    func codeKeys() async throws {
        try await atEveryStep(
            "rotation of the keys of codes",
            work: { keys, _ in
                _ = try await keys.rotateRowKey()
                for version in try keys.rowKeyVersions().dropLast() { try await keys.destroyRowKey(version: version) }
                _ = try await keys.rotateJournalKey()
                _ = try await keys.rotateTokenKey()
                _ = try await keys.createKey(NewKMSKey(policy: "{}"), in: home)
            },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, "at the end")
                let layers = try await keys.layers()
                let rows = layers.filter { $0.layer == .row }.map(\.state)
                #expect(rows.count >= 2 && rows.last == .active && rows.dropLast().allSatisfy { $0 == .destroyed })
                for layer in [KeyLayerItem.Layer.journal, .token] {
                    let states = layers.filter { $0.layer == layer }.map(\.state)
                    #expect(
                        states.count >= 2 && states.last == .active
                            && states.dropLast().allSatisfy { $0 == .decryptOnly })
                }
            })
    }

    @Test("The destruction of a storage key may stop at any step")
    func destruction() async throws {
        try await atEveryStep(
            "destruction of a storage key", prepare: { keys, _ in _ = try await keys.rotateStorageKey() },
            work: { keys, _ in
                for version in try await keys.storageKeyVersions().dropLast() {
                    try await keys.destroyStorageKey(version: version)
                }
                _ = try await keys.rotateKeyring(region: home.region)
            }, check: { try await Self.check($0, $1, storage: false, $2) },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, storage: false, "at the end")
                let versions = try await keys.storageKeyVersions()
                let current = try await keys.storageKey().version
                #expect(versions == [2] && current == 2)
            })
    }

    @Test("A new epoch, and the re-wrap of a domain's secrets after the rotation of its KMS key, may stop at any step")
    func domains() async throws {
        try await atEveryStep(
            "rotation of a dedup domain",
            work: { keys, furniture in
                _ = try await keys.rotateDedupDomain(id: furniture.domain.id)
                try await keys.rotateOnDemand(furniture.managed.scope, furniture.managed.keyID)
                _ = try await keys.rewrapDedupDomains(furniture.managed.scope, keyID: furniture.managed.keyID)
            },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, "at the end")
                let epoch = try await keys.dedupDomain(for: .key(furniture.managed)).epoch
                let left = try await keys.rewrapDedupDomains(furniture.managed.scope, keyID: furniture.managed.keyID)
                #expect(epoch >= 2 && left == 0)
            })
    }

    @Test("The deletion of a KMS key may stop at any step: all of it is there, or nothing")
    func deletion() async throws {
        let clock = Mutex(Date())
        try await atEveryStep(
            "deletion of a KMS key", now: { clock.withLock { $0 } },
            work: { keys, furniture in
                if let key = try? await keys.key(home, furniture.own.keyID), key.state != .pendingDeletion {
                    _ = try await keys.scheduleDeletion(home, furniture.own.keyID, days: 7)
                }
                clock.withLock { $0 += 8 * 86_400 }
                try await keys.maintain()
            },
            check: { keys, furniture, comment in
                try await Self.check(keys, furniture, blobs: 1, comment)
                // Whatever state it is in, it is whole: with its material, or gone with it.
                let material = try await keys.catalog.read { transaction in
                    try transaction.row(
                        "SELECT COUNT(*) AS n FROM key_backing WHERE key_id = ?", furniture.own.keyID)?.int("n")
                }
                let record = try await keys.catalog.read { transaction in
                    try transaction.row("SELECT id FROM key_record WHERE id = ?", furniture.own.keyID)
                }
                #expect(material == (record == nil ? 0 : 1), comment)
            },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, blobs: 1, "at the end")
                await #expect(throws: KeyError.self) { try await keys.key(home, furniture.own.keyID) }
                await #expect(throws: KeyError.self) {
                    try await keys.decryptDataKey(furniture.blobs[1].blob, context: ["a": "b"])
                }
            })
    }

    @Test("The import of key material, and its deletion, may stop at any step")
    func importing() async throws {
        let imported = Mutex<[String: (key: KMSKey, material: SecretBytes)]>([:])
        try await atEveryStep(
            "import",
            prepare: { keys, furniture in
                let key = try await keys.createKey(NewKMSKey(origin: "EXTERNAL", policy: "{}"), in: home)
                imported.withLock { $0[furniture.own.keyID] = (key, .random(count: 32)) }
            },
            work: { keys, furniture in
                let (made, material) = try #require(imported.withLock { $0[furniture.own.keyID] })
                let key = try await keys.key(home, made.keyID)
                let parameters = try await keys.importParameters(
                    key, algorithm: "RSAES_OAEP_SHA_256", wrappingSpec: "RSA_2048")
                let wrapping = try AsymmetricPublicKey(subjectPublicKeyInfo: parameters.publicKey)
                let encrypted = try wrapping.encryptOAEP(material, hash: .sha256)
                _ = try await keys.importMaterial(
                    MaterialImport(
                        token: parameters.token, encrypted: encrypted, validTo: nil,
                        expirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", isNew: false, description: nil,
                        expectedMaterialID: nil), key)
                let reference = KMSKeyReference(scope: home, keyID: key.keyID)
                let data = try await keys.generateDataKey(under: reference, context: [:])
                let current = try await keys.key(home, made.keyID)
                _ = try await keys.deleteMaterial(current, materialID: nil)
                await #expect(throws: KeyError.self) { try await keys.decryptDataKey(data.blob, context: [:]) }
            },
            finally: { keys, furniture in
                try await Self.check(keys, furniture, "at the end")
                let (made, _) = try #require(imported.withLock { $0[furniture.own.keyID] })
                let state = try await keys.key(home, made.keyID).state
                #expect(state == .pendingImport)
            })
    }
}
