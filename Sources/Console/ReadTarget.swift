import AccessControl
import ArtifactStore
import Foundation
import KeyHierarchy

/// A version that a request may read, with the share through which it does.
struct ReadTarget: Sendable {
    let text: ReferenceText
    let version: Version
    /// Nil for the account's own.
    let share: ArtifactShare?
}

extension NativeRequest {
    /// The version and path that the parameter `ref`, or another one, names: of the caller's own, or shared with it.
    ///
    /// - Parameter reads: whether its content is about to be read, for which the key's policy is asked. Of what is shared
    ///   nothing is told to who may not use the key.
    func target(_ parameter: String = "ref", reads: Bool = true) async throws -> ReadTarget {
        let raw = try require(parameter)
        let text = try ReferenceText(raw)
        guard text.share != nil || text.isOfAnother(than: scope.account) else {
            try authorise("GetArtifact", raw)
            let version = try await references.version(text)
            if reads { try await requireKey(version.readPermission) }
            return ReadTarget(text: text, version: version, share: nil)
        }
        let shared = try await sharedVersion(text)
        try await requireKey(shared.permission)
        return ReadTarget(text: text, version: shared.version, share: shared.share)
    }

    private func sharedVersion(_ text: ReferenceText) async throws -> SharedVersion {
        let store = services.store
        if let id = text.share {
            try authorise("GetArtifact", "share:\(id)")
            return try await store.sharedVersion(id, with: scope)
        }
        let found: SharedVersion
        do {
            found = try await store.sharedVersion(
                of: text.account ?? "",
                VersionReference(repository: text.repository, artifact: text.artifact, which: text.which), with: scope)
        } catch let error as StoreError {
            // Whoever may not read what was shared is not told what was.
            try authorise("GetArtifact", "share:*")
            throw error
        }
        try authorise("GetArtifact", "share:\(found.share.shareID)")
        return found
    }

    /// Throws `AccessDenied` unless the policy of a key, or a grant on it, lets the caller use it, as it would be asked through
    /// S3. A key that is gone cannot be used.
    func requireKey(_ permission: KeyPermission) async throws {
        // A job's credentials name what it may read; that its account may use the key is another question.
        let caller =
            principal.grant == nil
            ? principal : Principal.root(account: principal.account, accessKeyID: principal.accessKeyID)
        do {
            try await services.requireKeyPermission(permission, caller, request)
        } catch let error as KeyError where error.code == .notFound {
            throw StoreError(.keyUnavailable, error.message)
        }
    }

    /// Throws `AccessDenied` unless the caller may put something under a key.
    func requireWriting(_ key: StoreKeyReference, _ name: UploadName) async throws {
        try await requireKey(
            KeyPermission(
                operation: "GenerateDataKey", keyARN: key.arn,
                context: [
                    "coffer:account": scope.account, "coffer:region": scope.region,
                    "coffer:repository": name.repository, "coffer:artifact": name.artifact,
                ]))
    }

    /// A version as whoever reads it may see it: of a shared one neither tags nor how much of it was stored already.
    func item(_ target: ReadTarget) async throws -> VersionItem {
        var item = try await item(target.version)
        guard let share = target.share else { return item }
        item.tags = []
        item.storedBytes = nil
        item.keyARN = share.keyARN
        return item
    }
}
