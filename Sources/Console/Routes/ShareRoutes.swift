import AWSProtocol
import AccessControl
import ArtifactStore
import Foundation
import KeyHierarchy

/// `/-/v1/shares` and `/-/v1/share`: versions made readable for other pipelines, accounts and Regions.
enum ShareRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/shares": list, "POST /-/v1/shares": create, "DELETE /-/v1/share": revoke,
    ]

    @Sendable static func create(_ request: NativeRequest) async throws -> ServiceResponse {
        let asked: ShareRequest = try await request.decode()
        try request.authorise("ShareArtifact", asked.reference)
        let text = try ReferenceText(asked.reference)
        guard text.path == nil else {
            throw NativeError(400, "InvalidReference", "a share is of a whole version; leave out the path")
        }
        let version = try await request.references.version(text)
        let draft = ShareDraft(
            recipient: AccountRegion(
                account: asked.account ?? request.scope.account, region: asked.region ?? request.scope.region),
            pipeline: asked.pipeline, keyID: asked.key, notAfter: asked.notAfter, purpose: asked.purpose ?? "",
            createdBy: request.principal.arn)
        let plan: SharePlan
        do {
            plan = try await request.services.store.planShare(of: version, draft)
            for permission in plan.permissions {
                try await request.services.requireKeyPermission(permission, request.principal, request.request)
            }
        } catch let error as KeyError
            where error.code == .accessDenied && draft.recipient.account != request.scope.account
        {
            // Whether the other account has such a key is not told.
            throw NativeError(
                403, "AccessDenied",
                "kms:ReEncryptTo on \(draft.keyID ?? version.keyARN) is not allowed to \(request.principal.arn), or there "
                    + "is no such key; kms:ReEncryptFrom or kms:CreateGrant is needed on \(version.keyARN)")
        }
        let share = try await request.services.store.share(plan)
        return try .json(ShareItem(share, of: version, at: Date()), status: 201)
    }

    /// The caller's shares, those of one version, or with `received` those made for it; ended ones with `all`.
    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ListShares")
        let keys = request.services.keys
        let time = Date()
        let shares: [ArtifactShare]
        if request.isSet("received") {
            shares = try await keys.shares(with: request.scope)
        } else if request.value("ref") != nil {
            let version = try await request.reference().version
            shares = try await keys.shares(ofVersion: version.id.rawValue)
        } else {
            shares = try await keys.shares(by: request.scope)
        }
        let shown = shares.filter { request.isSet("all") || $0.isActive(at: time) }
        var items: [ShareItem] = []
        for share in shown.sorted(by: { $0.createdAt > $1.createdAt }) {
            items.append(ShareItem(share, of: try await version(of: share, request), at: time))
        }
        return try .json(items)
    }

    @Sendable static func revoke(_ request: NativeRequest) async throws -> ServiceResponse {
        let id = try request.require("id")
        try request.authorise("ShareArtifact", "share:\(id)")
        guard let share = try await request.services.keys.share(id), share.owner == request.scope else {
            throw NativeError(404, "NoSuchShare", "account \(request.scope.account) has made no share \(id)")
        }
        let word = request.value("depth") ?? "1"
        guard let depth = Int(word).flatMap(RevocationDepth.init(rawValue:)) else {
            throw NativeError(400, "InvalidParameter", "`depth` is 1, 2 or 3, not \(word)")
        }
        let ended = try await request.services.store.revokeShare(
            id, depth: depth, by: request.principal.arn, reason: request.value("reason") ?? "")
        return try .json(ShareItem(ended, of: try await version(of: ended, request), at: Date()))
    }

    /// The version of a share; nil when it was deleted for good.
    static func version(of share: ArtifactShare, _ request: NativeRequest) async throws -> Version? {
        guard let id = VersionID(share.version) else { return nil }
        do {
            return try await request.services.store.version(id)
        } catch let error as StoreError where error.code == .notFound {
            return nil
        }
    }
}
