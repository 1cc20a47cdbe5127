package import Catalog
import Cryptography
import Foundation
import Synchronization

extension KeyHierarchy {
    /// A share by its id, whoever made it; nil when there is none. Ended ones are found too.
    ///
    /// Throws `tampered` when its record was altered, put back or removed.
    public func share(_ id: String) async throws -> ArtifactShare? {
        let state = try unsealed()
        return try await catalog.read { try Self.share(id, state, $0) }
    }

    private static func share(_ id: String, _ state: Unsealed, _ transaction: Transaction) throws -> ArtifactShare? {
        let row =
            try transaction.row("SELECT scope FROM key_record WHERE kind = 'share' AND id = ?", id)
            ?? transaction.row("SELECT scope FROM key_journal WHERE kind = 'share' AND id = ? LIMIT 1", id)
        guard let row else { return nil }
        return try state.records.find(ArtifactShare.self, scope: row.string("scope"), id: id, transaction)
    }

    /// The shares that an account made in a Region, in the order of their ids.
    public func shares(by owner: AccountRegion) async throws -> [ArtifactShare] {
        let state = try unsealed()
        return try await catalog.read { transaction in
            try state.records.list(
                ArtifactShare.self, scope: owner.recordScope, after: "", limit: .max, transaction)
        }
    }

    /// The shares that an account received in a Region, in the order of their ids.
    public func shares(with recipient: AccountRegion) async throws -> [ArtifactShare] {
        let state = try unsealed()
        return try await catalog.read { transaction in
            try state.records.matching(ArtifactShare.self, aux: ArtifactShare.aux(recipient), transaction)
        }
    }

    /// The shares of a version, ended ones included.
    public func shares(ofVersion version: String) async throws -> [ArtifactShare] {
        let state = try unsealed()
        return try await catalog.read { transaction in
            try state.records.children(
                ArtifactShare.self, of: ArtifactShare.parent(ofVersion: version), transaction)
        }
    }

    /// All shares of the instance, ended ones included: for upkeep and previews.
    package func allShares() async throws -> [ArtifactShare] {
        let state = try unsealed()
        return try await catalog.read { transaction in
            try transaction.rows("SELECT DISTINCT scope FROM key_record WHERE kind = 'share' ORDER BY scope").flatMap {
                try state.records.list(
                    ArtifactShare.self, scope: try $0.string("scope"), after: "", limit: .max, transaction)
            }
        }
    }

    // MARK: Inside a transaction of the store's

    /// A share as the transaction sees it.
    package func share(_ id: String, in transaction: Transaction) throws -> ArtifactShare? {
        try Self.share(id, try unsealed(), transaction)
    }

    /// Stores a share and journals the change.
    package func record(_ share: ArtifactShare, action: String, in transaction: Transaction) throws {
        try unsealed().records.save(share, action: action, transaction)
    }

    /// Makes the grant that goes with a share and returns its id. `forgetGrants(of:)` follows the commit.
    package func recordGrant(for share: ArtifactShare, on key: KMSKey, in transaction: Transaction) throws -> String {
        let records = try unsealed().records
        try KeyStateRules.check(.createGrant, key)
        guard try records.countChildren(kind: KMSGrant.kind, of: key.arn, transaction) < KMSLimits.grantsPerKey else {
            throw KeyError(.limitExceeded, "A key has at most \(KMSLimits.grantsPerKey) grants.")
        }
        let partition = key.scope.partition
        let grant = KMSGrant(
            grantID: Hex.encode(SecureRandom.bytes(32)), scope: key.scope, keyID: key.keyID,
            granteePrincipal: "arn:\(partition):iam::\(share.recipient.account):root", retiringPrincipal: nil,
            issuingAccount: "arn:\(partition):iam::\(share.owner.account):root", operations: ["Decrypt"],
            contextSubset: share.grantConstraint, contextEquals: nil, name: share.pinName, createdAt: share.createdAt)
        try records.save(grant, action: "create", transaction)
        return grant.grantID
    }

    /// Ends the grant that went with a share, if it is still there. `forgetGrants(of:)` follows the commit.
    package func deleteGrant(of share: ArtifactShare, in transaction: Transaction) throws {
        guard let grantID = share.grantID else { return }
        let records = try unsealed().records
        let scope = try Self.owner(ofKeyARN: share.keyARN)
        if let grant = try records.find(KMSGrant.self, scope: scope.recordScope, id: grantID, transaction) {
            try records.delete(grant, transaction)
        }
    }

    /// Lets the next reader see which grants there are.
    package func forgetGrants(of keyARN: String) {
        guard let keyID = keyARN.split(separator: "/").last else { return }
        caches.withLock { $0.drop(keyID: String(keyID)) }
    }

    private static func owner(ofKeyARN arn: String) throws -> AccountRegion {
        try KeyIdentifier(parsing: arn, in: AccountRegion(account: "", region: "")).scope
    }
}
