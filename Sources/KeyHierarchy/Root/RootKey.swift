import Cryptography
import Foundation

/// The opened root: the key itself, in memory only, and the file that seals it.
final class RootKey: Sendable {
    let instance: [UInt8]
    let generation: UInt32
    let secret: SecretBytes
    /// The root before, while records may still be wrapped under it.
    let previous: (generation: UInt32, secret: SecretBytes)?

    init(file: RootFile, secret: SecretBytes) throws {
        instance = file.instance
        generation = file.generation
        self.secret = secret
        previous = try file.carried.map { carried in
            let name = RootFile.carriedName(instance: file.instance, generation: carried.generation)
            return (
                carried.generation, try SealedEnvelope.open(carried.sealed, under: secret, type: .root, name: name)
            )
        }
    }

    /// The root of a generation that records may be wrapped under.
    func secret(generation wanted: UInt32) -> SecretBytes? {
        if wanted == generation { return secret }
        return previous.flatMap { $0.generation == wanted ? $0.secret : nil }
    }
}

/// Operations on the root file. None of them needs the database, except that a rotation is finished by the next start.
public enum Root {
    private static let rootBytes = 32

    /// Makes a root with an unattended `file` slot and a recovery slot. Returns the recovery passphrase: show it once.
    static func initialise(_ location: RootLocation) throws -> (RootKey, recovery: String) {
        guard !SecureFile.exists(location.rootFile) else { throw RootError.alreadyInitialised(location.rootFile) }
        let root = SecretBytes.random(count: rootBytes)
        let instance = SecureRandom.bytes(16)
        let fileKey = try existingOrNewKeyFile(location.keyFile)
        let recovery = recoveryPassphrase()
        // The passphrase carries 160 random bits; the least cost suffices for it.
        let parameters = ScryptParameters(cost: ScryptParameters.costMin)
        let file = RootFile(
            instance: instance, generation: 1,
            slots: [
                try RootSlot(
                    label: "unattended", kind: .file(path: location.keyFile), keyEncryptionKey: fileKey, root: root,
                    instance: instance, generation: 1),
                try RootSlot(
                    label: "recovery", kind: .passphrase(parameters),
                    keyEncryptionKey: try parameters.derive(recovery), root: root, instance: instance, generation: 1),
            ])
        try file.encode(root: root).withUnsafeBytes { try SecureFile.write(location.rootFile, $0, exclusive: true) }
        return (try RootKey(file: file, secret: root), recovery)
    }

    /// What the file says about itself, unauthenticated.
    public static func status(_ location: RootLocation) throws -> RootStatus {
        let (file, _) = try load(location)
        return RootStatus(
            instance: Hex.encode(file.instance), generation: file.generation,
            slots: file.slots.map { slot in
                let detail =
                    switch slot.kind {
                    case .file(let path): path
                    case .environment(let variable): variable
                    case .passphrase(let parameters): "scrypt, N = \(parameters.cost)"
                    }
                return .init(label: slot.label, type: slot.kind.name, detail: detail)
            }, rotationUnfinished: file.carried != nil)
    }

    /// Opens the root with the slots that need nobody: key files and environment variables.
    ///
    /// Throws `refused` for a key file that must not be used, and `sealed` when a passphrase is needed.
    static func unsealUnattended(_ location: RootLocation) throws -> RootKey {
        let (file, bytes) = try load(location)
        var reasons: [String] = []
        for slot in file.slots {
            let key: SecretBytes
            switch slot.kind {
            case .passphrase: continue
            case .file(let path):
                // The configured path wins: a data directory may have been moved.
                let candidates = path == location.keyFile ? [path] : [location.keyFile, path]
                guard let found = candidates.first(where: SecureFile.exists) else {
                    reasons.append("slot \(slot.label): \(candidates.joined(separator: " and ")) not found")
                    continue
                }
                key = try SecureFile.read(found, maxBytes: 4096)
            case .environment(let variable):
                guard let text = getenv(variable), let bytes = Base64.decode(String(cString: text)) else {
                    reasons.append("slot \(slot.label): \(variable) does not hold base64")
                    continue
                }
                key = SecretBytes(consuming: bytes)
            }
            do {
                let secret = try slot.open(key, instance: file.instance, generation: file.generation)
                try file.verify(bytes, root: secret)
                return try RootKey(file: file, secret: secret)
            } catch is KeyFormatError {
                reasons.append("slot \(slot.label): its key does not fit")
            }
        }
        throw RootError.sealed(reasons.isEmpty ? "a passphrase is needed" : reasons.joined(separator: "; "))
    }

    /// Opens the root with a passphrase.
    static func unseal(_ location: RootLocation, passphrase: String) throws -> RootKey {
        let (file, bytes) = try load(location)
        for slot in file.slots {
            guard case .passphrase(let parameters) = slot.kind else { continue }
            let key = try parameters.derive(passphrase)
            guard let secret = try? slot.open(key, instance: file.instance, generation: file.generation) else {
                continue  // Not this slot's passphrase; the next may fit.
            }
            try file.verify(bytes, root: secret)
            return try RootKey(file: file, secret: secret)
        }
        throw RootError.wrongPassphrase
    }

    static func load(_ location: RootLocation) throws -> (RootFile, [UInt8]) {
        let bytes = try SecureFile.read(location.rootFile).disclosing()
        do { return (try RootFile(decoding: bytes), bytes) } catch { throw RootError.malformed(error.reason) }
    }

    static func store(_ file: RootFile, root: SecretBytes, _ location: RootLocation) throws {
        try location.crashPoint?()
        try file.encode(root: root).withUnsafeBytes { try SecureFile.write(location.rootFile, $0) }
        try location.crashPoint?()
    }

    /// The key in a file that an operator (or a service manager) prepared, or 32 new bytes written there.
    static func existingOrNewKeyFile(_ path: String) throws -> SecretBytes {
        if SecureFile.exists(path) {
            let key = try SecureFile.read(path, maxBytes: 4096)
            guard key.count == rootBytes else {
                throw RootError.refused(path, "it holds \(key.count) bytes; a key has exactly \(rootBytes)")
            }
            return key
        }
        let key = SecretBytes.random(count: rootBytes)
        try key.withUnsafeBytes { try SecureFile.write(path, $0, exclusive: true) }
        return key
    }

    /// 160 random bits in groups of Crockford's base 32, easy to write down.
    static func recoveryPassphrase() -> String {
        let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        let characters = SecureRandom.bytes(32).map { alphabet[Int($0 & 31)] }
        return stride(from: 0, to: 32, by: 4).map { String(characters[$0..<($0 + 4)]) }.joined(separator: "-")
    }
}
