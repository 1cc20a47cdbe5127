import Cryptography
import Foundation

/// Changes to the slots, and rotation of the root key itself.
extension Root {
    /// What a new slot is opened by.
    public enum NewSlot: Sendable {
        /// 32 random bytes in a file, made when missing.
        case file(path: String)
        /// A passphrase of at least eight characters, stretched by scrypt with the given N.
        case passphrase(String, cost: UInt64 = 1 << 17)
        /// Base64 of 32 bytes in an environment variable: for development only.
        case environment(variable: String)
    }

    /// Adds a slot. `root` proves that the caller has opened the root.
    static func addSlot(_ new: NewSlot, label: String, _ root: RootKey, _ location: RootLocation) throws {
        var (file, bytes) = try load(location)
        try file.verify(bytes, root: root.secret)
        guard !label.isEmpty, label.utf8.count <= 64, !file.slots.contains(where: { $0.label == label }) else {
            throw RootError.invalid("a slot's label has 1 to 64 bytes and is unique; \(label) is not")
        }
        let kind: RootSlot.Kind
        let key: SecretBytes
        switch new {
        case .file(let path):
            kind = .file(path: path)
            key = try existingOrNewKeyFile(path)
        case .environment(let variable):
            guard let text = getenv(variable), let value = Base64.decode(String(cString: text)), value.count == 32
            else {
                throw RootError.invalid("\(variable) does not hold base64 of 32 bytes")
            }
            kind = .environment(variable: variable)
            key = SecretBytes(consuming: value)
        case .passphrase(let passphrase, let cost):
            guard passphrase.count >= 8 else { throw RootError.invalid("a passphrase has at least eight characters") }
            guard cost >= ScryptParameters.costMin, cost & (cost - 1) == 0 else {
                throw RootError.invalid("N is a power of two and at least \(ScryptParameters.costMin)")
            }
            let parameters = ScryptParameters(cost: cost)
            kind = .passphrase(parameters)
            key = try parameters.derive(passphrase)
        }
        file.slots.append(
            try RootSlot(
                label: label, kind: kind, keyEncryptionKey: key, root: root.secret, instance: file.instance,
                generation: file.generation))
        try store(file, root: root.secret, location)
    }

    /// Removes a slot; the last one and the last recovery slot stay.
    static func removeSlot(_ label: String, _ root: RootKey, _ location: RootLocation) throws {
        var (file, bytes) = try load(location)
        try file.verify(bytes, root: root.secret)
        guard let index = file.slots.firstIndex(where: { $0.label == label }) else {
            throw RootError.invalid(
                "there is no slot \(label); the slots are \(file.slots.map(\.label).joined(separator: ", "))")
        }
        file.slots.remove(at: index)
        guard !file.slots.isEmpty else {
            throw RootError.invalid("the last slot cannot be removed: all data would be lost")
        }
        guard file.slots.contains(where: { if case .passphrase = $0.kind { true } else { false } }) else {
            throw RootError.invalid("the last passphrase slot cannot be removed: add another for recovery first")
        }
        try store(file, root: root.secret, location)
    }

    /// Replaces the root key. Slots whose key is at hand are enrolled again; passphrase slots go, and a new recovery
    /// passphrase is returned. Records are re-wrapped by `KeyHierarchy`; until then the file carries the previous root.
    static func rotate(_ root: RootKey, _ location: RootLocation) throws -> (RootKey, recovery: String) {
        let (file, bytes) = try load(location)
        try file.verify(bytes, root: root.secret)
        guard file.carried == nil else { throw RootError.invalid("a rotation is unfinished; start the server once") }
        let secret = SecretBytes.random(count: 32)
        let generation = file.generation + 1
        var slots: [RootSlot] = []
        for slot in file.slots {
            let key: SecretBytes
            switch slot.kind {
            case .passphrase: continue
            case .file(let path):
                guard let found = [location.keyFile, path].first(where: SecureFile.exists) else { continue }
                key = try SecureFile.read(found, maxBytes: 4096)
            case .environment(let variable):
                guard let text = getenv(variable), let value = Base64.decode(String(cString: text)) else { continue }
                key = SecretBytes(consuming: value)
            }
            slots.append(
                try RootSlot(
                    label: slot.label, kind: slot.kind, keyEncryptionKey: key, root: secret, instance: file.instance,
                    generation: generation))
        }
        let recovery = recoveryPassphrase()
        let parameters = ScryptParameters(cost: ScryptParameters.costMin)
        slots.append(
            try RootSlot(
                label: "recovery", kind: .passphrase(parameters), keyEncryptionKey: try parameters.derive(recovery),
                root: secret, instance: file.instance, generation: generation))
        var next = RootFile(instance: file.instance, generation: generation, slots: slots)
        next.carried = (
            file.generation,
            try SealedEnvelope.seal(
                root.secret, under: secret, keyVersion: generation, type: .root,
                name: RootFile.carriedName(instance: file.instance, generation: file.generation))
        )
        try store(next, root: secret, location)
        return (try RootKey(file: next, secret: secret), recovery)
    }

    /// Drops the previous root from the file once every record is under the new one.
    static func finishRotation(_ root: RootKey, _ location: RootLocation) throws {
        var (file, bytes) = try load(location)
        try file.verify(bytes, root: root.secret)
        file.carried = nil
        try store(file, root: root.secret, location)
    }
}

extension KeyHierarchy {
    /// Adds a slot that opens the root.
    public func addRootSlot(_ slot: Root.NewSlot, label: String) async throws {
        let root = try unsealed().root
        let location = location
        try await offPool { try Root.addSlot(slot, label: label, root, location) }
    }

    /// Removes a slot.
    public func removeRootSlot(label: String) async throws {
        let root = try unsealed().root
        let location = location
        try await offPool { try Root.removeSlot(label, root, location) }
    }

    /// Replaces the root key and re-wraps what it seals. Returns the new recovery passphrase: show it once. Passphrase
    /// slots have to be added again.
    public func rotateRoot() async throws -> String {
        let root = try unsealed().root
        let location = location
        let (next, recovery) = try await offPool { try Root.rotate(root, location) }
        try await use(next)
        return recovery
    }
}
