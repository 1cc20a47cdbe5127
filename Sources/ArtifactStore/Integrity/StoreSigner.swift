public import Cryptography
import Foundation
public import KeyHierarchy
import Synchronization

/// Signs what the store states, and vouches for its rows. Calls neither suspend nor touch the disk, except where async.
public protocol StoreSigner: Sendable {
    /// The instance's id, in hexadecimal.
    func instanceID() throws -> String
    /// Signs with the current key, or with the one of `version`.
    func sign(_ message: [UInt8], version: UInt32?) throws -> InstanceSignature
    /// Whether a signature is the instance's.
    func isValid(_ signature: InstanceSignature, on message: [UInt8]) throws -> Bool
    /// The current signing key's version and public half.
    func publicKey() throws -> (version: UInt32, spki: [UInt8])
    /// Makes a new signing key current.
    func rotateKey() async throws
    /// The length of the security journal and the code of its last entry.
    func journalHead() async throws -> (size: Int64, code: [UInt8])
    /// Keeps how far the log has come where a restored database cannot reach.
    func writeHighWaterMark(logSize: Int64, logHead: [UInt8]) async throws
    /// The mark as it was written last.
    func highWaterMark() async throws -> HighWaterMark?
    /// What is wrong with the security journal, compared with a mark.
    func journalProblem(against mark: HighWaterMark) async throws -> String?
    /// Checks every record of keys, aliases, grants and shares.
    func verifyRecords() async throws -> RecordVerification
    /// The keys of the codes of the store's own rows, the current one first.
    func rowKeys() throws -> [SecretBytes]
    /// Makes a new row key current, and the codes of the hierarchy's own rows anew under it. Returns its version and how many
    /// there were.
    func rotateRowKey() async throws -> (version: UInt32, rows: Int)
    /// Destroys all row keys but the current one. Returns their versions.
    func destroyOldRowKeys() async throws -> [UInt32]
}

/// The instance's own signatures and records.
struct HierarchySigner: StoreSigner {
    let hierarchy: KeyHierarchy

    func sign(_ message: [UInt8], version: UInt32?) throws -> InstanceSignature {
        try hierarchy.signAsInstance(message, version: version)
    }

    func isValid(_ signature: InstanceSignature, on message: [UInt8]) throws -> Bool {
        try hierarchy.isInstanceSignature(signature, on: message)
    }

    func publicKey() throws -> (version: UInt32, spki: [UInt8]) { try hierarchy.instancePublicKey() }
    func instanceID() throws -> String { try hierarchy.instanceID() }
    func rotateKey() async throws { _ = try await hierarchy.rotateSigningKey() }
    func journalHead() async throws -> (size: Int64, code: [UInt8]) { try await hierarchy.journalHead() }
    func highWaterMark() async throws -> HighWaterMark? { try await hierarchy.highWaterMark() }
    func verifyRecords() async throws -> RecordVerification { try await hierarchy.verifyRecords() }
    func rowKeys() throws -> [SecretBytes] { try hierarchy.rowAuthenticationKeys("store") }

    func rotateRowKey() async throws -> (version: UInt32, rows: Int) {
        let report = try await hierarchy.rotateRowKey()
        return (report.version, report.rewrapped)
    }

    func destroyOldRowKeys() async throws -> [UInt32] {
        let old = try hierarchy.rowKeyVersions().dropLast()
        for version in old { try await hierarchy.destroyRowKey(version: version) }
        return Array(old)
    }

    func writeHighWaterMark(logSize: Int64, logHead: [UInt8]) async throws {
        try await hierarchy.writeHighWaterMark(logSize: logSize, logHead: logHead)
    }

    func journalProblem(against mark: HighWaterMark) async throws -> String? {
        try await hierarchy.journalProblem(against: mark)
    }
}

/// Signs with keys that live in memory only: for tests and benchmarks of the store by itself.
package final class EphemeralSigner: StoreSigner {
    private let keys: Mutex<[AsymmetricPrivateKey]>
    private let mark = Mutex<HighWaterMark?>(nil)
    private let rows = Mutex([SecretBytes.random(count: 32)])
    private let id = Hex.encode(SecureRandom.bytes(16))

    package init() throws {
        let first = try AsymmetricPrivateKey.generate(.ed25519)
        keys = Mutex([first])
    }

    package func instanceID() throws -> String { id }

    package func sign(_ message: [UInt8], version: UInt32?) throws -> InstanceSignature {
        let all = keys.withLock { $0 }
        let index = version.map { Int($0) - 1 } ?? all.count - 1
        guard all.indices.contains(index) else { throw StoreError(.keyUnavailable, "there is no such signing key") }
        return InstanceSignature(
            keyVersion: UInt32(index + 1), bytes: try all[index].sign(.message(message), .ed25519))
    }

    package func isValid(_ signature: InstanceSignature, on message: [UInt8]) throws -> Bool {
        let all = keys.withLock { $0 }
        guard (1...all.count).contains(Int(signature.keyVersion)) else { return false }
        return try all[Int(signature.keyVersion) - 1].publicKey().isValid(
            signature: signature.bytes, for: .message(message), .ed25519)
    }

    package func publicKey() throws -> (version: UInt32, spki: [UInt8]) {
        let all = keys.withLock { $0 }
        return (UInt32(all.count), try all[all.count - 1].subjectPublicKeyInfo())
    }

    package func rotateKey() async throws {
        let next = try AsymmetricPrivateKey.generate(.ed25519)
        keys.withLock { $0.append(next) }
    }

    package func journalHead() async throws -> (size: Int64, code: [UInt8]) { (0, []) }

    package func writeHighWaterMark(logSize: Int64, logHead: [UInt8]) async throws {
        let new = HighWaterMark(
            logSize: logSize, logHead: Hex.encode(logHead), journalSize: 0, journalHead: "", at: Date())
        mark.withLock { $0 = new }
    }

    package func highWaterMark() async throws -> HighWaterMark? { mark.withLock { $0 } }
    package func journalProblem(against mark: HighWaterMark) async throws -> String? { nil }
    package func verifyRecords() async throws -> RecordVerification { RecordVerification() }
    package func rowKeys() throws -> [SecretBytes] { rows.withLock { $0 } }

    package func rotateRowKey() async throws -> (version: UInt32, rows: Int) {
        let next = SecretBytes.random(count: 32)
        return rows.withLock { rows in
            rows.insert(next, at: 0)
            return (UInt32(rows.count), 0)
        }
    }

    package func destroyOldRowKeys() async throws -> [UInt32] {
        rows.withLock { rows in
            let count = rows.count
            rows.removeLast(count - 1)
            return Array(1..<UInt32(count))
        }
    }
}
