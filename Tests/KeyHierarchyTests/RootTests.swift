import Cryptography
import Foundation
import Testing

@testable import KeyHierarchy

@Suite struct RootTests {
    @Test("A new root opens unattended, and with its recovery passphrase after the key file is lost")
    func recovery() async throws {
        let bench = try Workbench()
        let first = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let recovery = try #require(first.takeRecoveryPassphrase())
        #expect(first.takeRecoveryPassphrase() == nil)
        let sealed = try await first.sealServiceSecret(Array("secret".utf8), name: "x")

        let second = try await bench.reopened()
        #expect(!second.isSealed)
        #expect(
            try await second.openServiceSecret(sealed, name: "x").withUnsafeBytes { Array($0) } == Array("secret".utf8))

        try FileManager.default.removeItem(atPath: bench.location.keyFile)
        let third = try await bench.reopened()
        #expect(third.isSealed)
        await #expect(throws: KeyError.self) { try await third.storageKey() }
        await #expect(throws: RootError.wrongPassphrase) { try await third.unseal(passphrase: "wrong passphrase") }
        try await third.unseal(passphrase: recovery)
        #expect(try await third.openServiceSecret(sealed, name: "x").count == 6)
        third.seal()
        await #expect(throws: KeyError.self) { try await third.openServiceSecret(sealed, name: "x") }
    }

    @Test("A second root is refused")
    func once() async throws {
        let bench = try Workbench()
        _ = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        await #expect(throws: RootError.alreadyInitialised(bench.location.rootFile)) {
            try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        }
    }

    @Test(
        "Files that others may read, symbolic links and hard links are refused", arguments: ["root.key", "root.cfrs"])
    func strictFiles(name: String) async throws {
        let bench = try Workbench()
        _ = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let path = bench.directory + "/" + name
        func expectRefusal(_ word: String) async {
            let error = await #expect(throws: RootError.self) { try await bench.reopened() }
            #expect(error?.description.contains(word) == true)
        }
        for mode in [0o640, 0o604, 0o660, 0o644] {
            try bench.mode(path, mode)
            await expectRefusal("mode")
        }
        try bench.mode(path, 0o600)
        try FileManager.default.linkItem(atPath: path, toPath: path + ".second")
        await expectRefusal("hard links")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path + ".second")
        await expectRefusal("symbolic link")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        await expectRefusal("regular")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: path + ".second", toPath: path)
        #expect(try await !bench.reopened().isSealed)
    }

    @Test("Any change to the sealed root is noticed")
    func alteredRoot() async throws {
        let bench = try Workbench()
        _ = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let original = try Data(contentsOf: URL(fileURLWithPath: bench.location.rootFile))
        for index in original.indices {
            var changed = original
            changed[index] ^= 1 << (index % 8)
            try changed.write(to: URL(fileURLWithPath: bench.location.rootFile))
            try bench.mode(bench.location.rootFile, 0o600)
            do {
                // A slot that no longer opens leaves it sealed; nothing else may come of a change.
                #expect(try await bench.reopened().isSealed)
            } catch is RootError {}
        }
    }

    @Test("A stripped slot and a cheaper key stretching are noticed")
    func strippedSlot() async throws {
        let bench = try Workbench()
        _ = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let (file, bytes) = try Root.load(bench.location)
        var stripped = file
        stripped.slots.removeLast()
        let forged = stripped.encode(root: .random(count: 32))
        try Data(forged).write(to: URL(fileURLWithPath: bench.location.rootFile))
        try bench.mode(bench.location.rootFile, 0o600)
        await #expect(throws: RootError.altered) { try await bench.reopened() }
        // N of the recovery slot, lowered in place.
        var cheaper = bytes
        let marker: [UInt8] = [0, 0, 0, 0, 0, 0, 0x80, 0]
        let at = try #require((0..<(cheaper.count - 8)).first { Array(cheaper[$0..<($0 + 8)]) == marker })
        cheaper[at + 6] = 0x01
        try Data(cheaper).write(to: URL(fileURLWithPath: bench.location.rootFile))
        try bench.mode(bench.location.rootFile, 0o600)
        await #expect(throws: RootError.altered) { try await bench.reopened() }
    }

    @Test("Slots are added and removed, but never the last for recovery")
    func slots() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        try await keys.addRootSlot(.passphrase("correct horse", cost: 1 << 15), label: "ops")
        try await keys.addRootSlot(.file(path: bench.directory + "/second.key"), label: "second")
        await #expect(throws: RootError.self) {
            try await keys.addRootSlot(.passphrase("correct horse", cost: 1 << 15), label: "ops")
        }
        await #expect(throws: RootError.self) {
            try await keys.addRootSlot(.passphrase("correct horse", cost: 1024), label: "weak")
        }
        await #expect(throws: RootError.self) {
            try await keys.addRootSlot(.passphrase("short", cost: 1 << 15), label: "weak")
        }
        #expect(try keys.rootStatus().slots.map(\.label) == ["unattended", "recovery", "ops", "second"])
        try FileManager.default.removeItem(atPath: bench.location.keyFile)
        #expect(try await !bench.reopened().isSealed, "the second file opens it")
        try await keys.removeRootSlot(label: "second")
        let sealed = try await bench.reopened()
        #expect(sealed.isSealed)
        // NFC: the same passphrase typed in decomposed form.
        try await keys.addRootSlot(.passphrase("caf\u{E9} au lait", cost: 1 << 15), label: "accent")
        try await sealed.unseal(passphrase: "cafe\u{301} au lait")
        try await keys.removeRootSlot(label: "ops")
        try await keys.removeRootSlot(label: "accent")
        await #expect(throws: RootError.self) { try await keys.removeRootSlot(label: "recovery") }
    }

    @Test("Rotation of the root keeps every secret, and an interrupted one is finished by the next start")
    func rotation() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let old = try #require(keys.takeRecoveryPassphrase())
        let sealed = try await keys.sealServiceSecret([1, 2, 3], name: "n")
        let reference = try await keys.resolveKey(nil, in: home)
        let (plain, blob) = try await keys.generateDataKey(under: reference, context: [:])
        let recovery = try await keys.rotateRoot()
        #expect(recovery != old)
        #expect(try keys.rootStatus().generation == 2)
        #expect(try !keys.rootStatus().rotationUnfinished)
        let after = try await bench.reopened()
        #expect(constantTimeEqual(try await after.decryptDataKey(blob, context: [:]), plain))
        #expect(try await after.openServiceSecret(sealed, name: "n").count == 3)

        // The process dies right after the root file was replaced.
        let root = try after.unsealed().root
        _ = try Root.rotate(root, bench.location)
        #expect(try after.rootStatus().rotationUnfinished)
        let resumed = try await bench.reopened()
        #expect(try !resumed.rootStatus().rotationUnfinished)
        #expect(try resumed.rootStatus().generation == 3)
        #expect(constantTimeEqual(try await resumed.decryptDataKey(blob, context: [:]), plain))
        await #expect(throws: RootError.wrongPassphrase) { try await resumed.unseal(passphrase: old) }
    }

    @Test("scrypt reproduces RFC 7914 §12 and refuses excessive memory")
    func scrypt() throws {
        let key = try Scrypt.derive(
            passphrase: SecretBytes(copying: Array("pleaseletmein".utf8)), salt: Array("SodiumChloride".utf8),
            cost: 16384,
            blockSize: 8, parallelism: 1, count: 64)
        #expect(
            key.withUnsafeBytes { Hex.encode($0) }
                == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")
        #expect(throws: CryptographyError.self) {
            try Scrypt.derive(
                passphrase: key, salt: [], cost: 1 << 40, blockSize: 8, parallelism: 1, count: 32)
        }
    }
}
