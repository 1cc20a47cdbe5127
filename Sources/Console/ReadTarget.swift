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
    func target(_ parameter: String = "ref") async throws -> ReadTarget {
        let raw = try require(parameter)
        let text = try ReferenceText(raw)
        guard let id = text.share else {
            try authorise("GetArtifact", raw)
            return ReadTarget(text: text, version: try await references.version(text), share: nil)
        }
        let resource = "share:\(id)"
        try authorise("GetArtifact", resource)
        guard let share = try await services.keys.share(id), share.recipient == scope,
            let versionID = VersionID(share.version)
        else {
            throw NativeError(
                404, "NoSuchShare",
                "there is no share \(id) for account \(scope.account) in \(scope.region)")
        }
        try services.store.requireActive(share)
        let version = try await services.store.version(versionID)
        let context = share.mechanism == .rewrap ? share.wrapContext : DataKeyBinding(version).context
        // A job's credentials name the share itself; that its account may use the key is another question.
        let caller =
            principal.grant == nil
            ? principal : Principal.root(account: principal.account, accessKeyID: principal.accessKeyID)
        try await services.requireKeyPermission(
            KeyPermission(operation: "Decrypt", keyARN: share.keyARN, context: context), caller, request)
        return ReadTarget(text: text, version: version, share: share)
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
