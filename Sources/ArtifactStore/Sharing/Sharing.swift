import Catalog
import Cryptography
import Foundation
public import KeyHierarchy

extension ArtifactStore {
    /// How often a change of a version's envelope is tried again when another one came first.
    private static let attemptsMax = 16

    /// Carries out a plan whose permissions were checked: wraps 32 bytes for the recipient, records the share and keeps the
    /// version for as long. Nothing of the content is read or written.
    ///
    /// - Throws: `StoreError` with `.keyUnavailable` while the owner's key cannot be used; what the recipient's key answers.
    public func share(_ plan: SharePlan) async throws -> ArtifactShare {
        let hierarchy = try hierarchy
        guard let id = VersionID(plan.share.version) else { throw StoreError.invalid("the plan names no version") }
        let ownerKey = try await hierarchy.key(plan.key.scope, plan.key.keyID)
        let share = try await changeEnvelope(of: id) { row, binding, wrapped in
            let dataKey = try await keys.openDataKey(wrapped, of: binding)
            var changed = wrapped
            if plan.share.mechanism == .rewrap {
                let envelope = try await envelope(wrapped, dataKey, binding, row, hierarchy)
                changed = try await hierarchy.addRecipient(
                    to: envelope, plan.key, context: plan.share.wrapContext, notAfter: plan.share.end)
            }
            return EnvelopeChange(wrapped: changed) { [pinRecords] transaction in
                guard
                    try transaction.row(
                        "SELECT id FROM store_versions WHERE id = ? AND deleted_at IS NULL", id.rawValue) != nil
                else { throw StoreError.notFound("version \(id) is deleted") }
                var share = plan.share
                if share.mechanism == .grant {
                    share.grantID = try hierarchy.recordGrant(for: share, on: ownerKey, in: transaction)
                }
                try hierarchy.record(share, action: "create", in: transaction)
                let pin = Pin(
                    version: id, name: share.pinName, kind: .use, owner: share.createdBy,
                    reason: "shared with \(share.recipientText)" + (share.purpose.isEmpty ? "" : ": \(share.purpose)"),
                    createdAt: Date(timeIntervalSince1970: Double(share.createdAt) / 1000), expiresAt: share.end)
                try Self.set(pin, pinRecords, transaction)
                return share
            }
        }
        if share.mechanism == .grant { hierarchy.forgetGrants(of: share.keyARN) }
        return share
    }

    /// A version's envelope; one is made for versions of earlier releases, which have a bare ciphertext.
    func envelope(
        _ wrapped: [UInt8], _ dataKey: SecretBytes, _ binding: DataKeyBinding, _ row: Row, _ hierarchy: KeyHierarchy
    ) async throws -> [UInt8] {
        if ArtifactKeyEnvelope.isEnvelope(wrapped) { return wrapped }
        let key = StoreKeyReference(id: try row.string("key_id"), arn: try row.string("key_arn"))
        return try await hierarchy.envelope(
            around: dataKey, artifactID: binding.artifactID, for: try KeyHierarchyKeys.reference(key),
            context: binding.context)
    }

    /// What a change of a version's envelope comes to.
    struct EnvelopeChange<T: Sendable>: Sendable {
        /// The new form of the data key.
        var wrapped: [UInt8]
        /// The manifest, where it was sealed anew.
        var root: [UInt8]?
        /// What belongs to the same transaction.
        var also: @Sendable (Transaction) throws -> T
    }

    /// Changes a version's envelope in one transaction with whatever goes with it. `make` works on what is stored; when that
    /// was changed meanwhile, it works again.
    func changeEnvelope<T: Sendable>(
        of id: VersionID, _ make: (Row, DataKeyBinding, [UInt8]) async throws -> EnvelopeChange<T>
    ) async throws -> T {
        for _ in 0..<Self.attemptsMax {
            let row = try await row(id)
            let wrapped = try row.bytes("data_key")
            let change = try await make(row, DataKeyBinding(id, try VersionRow.draft(row)), wrapped)
            let root = try change.root ?? row.bytes("root")
            let before = try row.bytes("root")
            let result = try await catalog.write { transaction -> T? in
                let changed = try transaction.execute(
                    """
                    UPDATE store_versions SET data_key = ?, root = ?, revision = revision + 1
                    WHERE id = ? AND data_key = ? AND root = ?
                    """, change.wrapped, root, id.rawValue, wrapped, before)
                guard changed == 1 else { return nil }
                return try change.also(transaction)
            }
            if let result { return result }
        }
        throw StoreError(.conflict, "the keys of version \(id) keep being changed by others; try again")
    }

    /// Opens a version's data key for the recipient of a share, as the share is recorded now.
    func dataKey(
        _ wrapped: [UInt8], of binding: DataKeyBinding, under keyARN: String, through share: ArtifactShare
    ) async throws -> SecretBytes {
        let hierarchy = try hierarchy
        guard let current = try await hierarchy.share(share.shareID), current.version == binding.version.rawValue,
            current.owner == binding.scope
        else { throw StoreError.notFound("there is no share \(share.shareID) of version \(binding.version)") }
        try requireActive(current)
        guard current.mechanism == .rewrap else {
            guard current.keyARN == keyARN else {
                throw StoreError(
                    .keyUnavailable,
                    "the version is under another key since share \(share.shareID) was made; share anew")
            }
            return try await keys.openDataKey(wrapped, of: binding)
        }
        return try await KeyHierarchyKeys(hierarchy: hierarchy).openDataKey(
            wrapped, of: binding, context: current.wrapContext)
    }

    /// Refuses a share that has ended.
    public func requireActive(_ share: ArtifactShare) throws {
        if let revocation = share.revocation {
            let at = Date(timeIntervalSince1970: Double(revocation.at) / 1000)
            throw StoreError(.keyUnavailable, "share \(share.shareID) ended at \(at.formatted(.iso8601))")
        }
        guard share.isActive(at: now()) else {
            throw StoreError(.keyUnavailable, "the time of share \(share.shareID) is over")
        }
    }
}
