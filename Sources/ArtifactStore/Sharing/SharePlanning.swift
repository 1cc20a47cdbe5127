import Foundation
import KeyHierarchy

extension ArtifactStore {
    /// The hierarchy behind the store's keys. Sharing needs records and other people's keys, which keys in memory lack.
    var hierarchy: KeyHierarchy {
        get throws(StoreError) {
            guard let keys = keys as? KeyHierarchyKeys else {
                throw StoreError.invalid("versions can be shared only where their keys come from a key hierarchy")
            }
            return keys.hierarchy
        }
    }

    /// Works out how a version can be shared. Changes nothing.
    ///
    /// - Throws: `StoreError` with `.invalid` when the draft makes no sense; `KeyError` with `accessDenied` when a key of
    ///   another account does not exist or is not told about.
    public func planShare(of version: Version, _ draft: ShareDraft) async throws -> SharePlan {
        let owner = version.draft.scope
        try check(draft, version)
        let hierarchy = try hierarchy
        let ownerKey = try KeyHierarchyKeys.reference(StoreKeyReference(id: version.keyID, arn: version.keyARN))
        let key = try await recipientKey(draft, owner, ownerKey, hierarchy)
        let mechanism: ArtifactShare.Mechanism
        if key.keyARN != ownerKey.keyARN {
            mechanism = .rewrap
        } else {
            mechanism = draft.recipient == owner ? .policy : .grant
        }
        var share = ArtifactShare(
            shareID: UUID().uuidString.lowercased(), owner: owner, version: version.id.rawValue,
            repository: version.draft.repository, artifact: version.draft.artifact, number: version.number,
            recipient: draft.recipient, pipeline: draft.pipeline, mechanism: mechanism, keyARN: key.keyARN,
            purpose: draft.purpose, createdBy: draft.createdBy, createdAt: now().milliseconds,
            notAfter: draft.notAfter?.milliseconds)
        if mechanism == .grant { share.contextPairs = try Self.constraint(version) }
        return SharePlan(share: share, permissions: Self.permissions(share, version), key: key)
    }

    private func check(_ draft: ShareDraft, _ version: Version) throws {
        guard version.deletedAt == nil else { throw StoreError.notFound("version \(version.id) is deleted") }
        let account = draft.recipient.account
        guard account.utf8.count == 12, account.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw StoreError.invalid("an account has twelve digits; \(account) has not")
        }
        guard !draft.recipient.region.isEmpty, draft.recipient.region.utf8.count <= 64 else {
            throw StoreError.invalid("a share needs the recipient's Region")
        }
        if draft.recipient == version.draft.scope, draft.pipeline == nil {
            throw StoreError.invalid("the version belongs to this account and Region; name a pipeline to share it with")
        }
        if let pipeline = draft.pipeline, pipeline.isEmpty || pipeline.utf8.count > 100 {
            throw StoreError.invalid("a pipeline's name has 1 to 100 characters")
        }
        if let end = draft.notAfter, end <= now() {
            throw StoreError.invalid("the share would end at \(end.formatted(.iso8601)), which is over")
        }
        guard draft.purpose.utf8.count <= 1024 else {
            throw StoreError.invalid("a share's purpose has at most 1,024 bytes")
        }
    }

    /// The key that is to open the version for the recipient.
    private func recipientKey(
        _ draft: ShareDraft, _ owner: AccountRegion, _ ownerKey: KMSKeyReference, _ hierarchy: KeyHierarchy
    ) async throws -> KMSKeyReference {
        guard let keyID = draft.keyID else {
            if draft.recipient == owner { return ownerKey }
            if draft.recipient.account == owner.account {
                // Another Region of the owner's: its default key there, which nobody else can use either.
                return try await hierarchy.resolveKey(nil, in: draft.recipient)
            }
            let key = try await hierarchy.key(ownerKey.scope, ownerKey.keyID)
            guard key.manager == "CUSTOMER" else {
                throw StoreError.invalid(
                    "the version is under \(ownerKey.keyARN), which is managed by the service and cannot be shared "
                        + "with another account; name a key of theirs, by its ARN, to wrap the data key under")
            }
            return ownerKey
        }
        let isForeign = draft.recipient.account != owner.account
        if isForeign, !keyID.hasPrefix("arn:") || keyID.contains(":alias/aws/") {
            throw StoreError.invalid("a key of another account is named by the ARN of a customer managed key")
        }
        let found: KMSKeyReference
        do {
            found = try await hierarchy.resolveKey(keyID, in: draft.recipient)
        } catch let error as KeyError where isForeign && error.code == .notFound {
            throw KeyError(.accessDenied, "\(keyID) does not exist, or nothing allows its use from \(owner.account)")
        }
        guard found.scope == draft.recipient else {
            throw StoreError.invalid(
                "\(found.keyARN) is not a key of account \(draft.recipient.account) in \(draft.recipient.region)")
        }
        return found
    }

    /// What a grant shall demand of the context of a version that has one of its own, such as an object's.
    private static func constraint(_ version: Version) throws -> [String: String]? {
        guard let own = version.draft.encryptionContext else { return nil }
        guard own.count <= 8, own.allSatisfy({ $0.key.utf8.count + $0.value.utf8.count <= 384 }) else {
            throw StoreError.invalid(
                "the version's encryption context is too long for a grant; name a key of the recipient's to wrap its "
                    + "data key under")
        }
        return own
    }

    /// What whoever makes the share must be allowed to do with the keys.
    private static func permissions(_ share: ArtifactShare, _ version: Version) -> [KeyPermission] {
        let context = DataKeyBinding(version).context
        switch share.mechanism {
        case .policy: return []
        case .rewrap:
            return [
                KeyPermission(operation: "ReEncryptFrom", keyARN: version.keyARN, context: context),
                KeyPermission(operation: "ReEncryptTo", keyARN: share.keyARN, context: share.wrapContext),
            ]
        case .grant:
            return [
                KeyPermission(
                    operation: "CreateGrant", keyARN: version.keyARN, context: context,
                    conditions: [
                        "kms:GrantOperations": ["Decrypt"], "kms:GrantIsForAWSResource": ["true"],
                        "kms:GrantConstraintType": ["EncryptionContextSubset"],
                        "kms:GranteePrincipal": [
                            "arn:\(share.recipient.partition):iam::\(share.recipient.account):root"
                        ],
                    ])
            ]
        }
    }
}
