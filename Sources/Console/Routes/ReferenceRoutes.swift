import AWSProtocol
import AccessControl
import ArtifactStore
import Foundation

/// `/-/v1/pin…`, `/-/v1/retention` and the deletion of versions: what is kept, why, and what is not.
enum ReferenceRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/pins": pins, "PUT /-/v1/pin": pin, "DELETE /-/v1/pin": unpin,
        "DELETE /-/v1/artifact": delete, "POST /-/v1/artifact/undelete": undelete,
        "GET /-/v1/retention": rules, "PUT /-/v1/retention": setRule, "DELETE /-/v1/retention": removeRule,
    ]

    // MARK: Pins

    @Sendable static func pins(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ListPins", request.value("ref") ?? "*")
        let store = request.services.store
        let one = request.value("ref") == nil ? nil : try await request.reference().version.id
        var items: [PinItem] = []
        for pin in try await store.pins(of: one) {
            let version = try await store.version(pin.version)
            guard version.draft.scope == request.scope else { continue }
            let item = try await request.item(version)
            items.append(
                PinItem(
                    reference: item.reference, version: item.id, name: pin.name, kind: pin.kind.rawValue,
                    owner: pin.owner, reason: pin.reason, created: pin.createdAt, expires: pin.expiresAt))
        }
        return try .json(items)
    }

    @Sendable static func pin(_ request: NativeRequest) async throws -> ServiceResponse {
        let wanted: PinRequest = try await request.decode()
        try request.authorise(wanted.isHold ? "HoldArtifact" : "PinArtifact", try request.require("ref"))
        if let seconds = wanted.seconds, seconds < 1 {
            throw NativeError(400, "InvalidParameter", "a pin lasts at least one second, not \(seconds)")
        }
        let version = try await request.reference().version
        let current = try await request.services.store.pins(of: version.id).first { $0.name == wanted.name }
        if let current, current.kind != .pin, !(wanted.isHold && current.kind == .hold) {
            throw NativeError(
                409, "PinExists",
                "\(wanted.name) is a \(current.kind.rawValue) on this version already; take another name")
        }
        try await request.services.store.pin(
            version.id, name: wanted.name, kind: wanted.isHold ? .hold : .pin, owner: request.principal.arn,
            reason: wanted.reason, expiresAt: wanted.seconds.map { Date().addingTimeInterval(Double($0)) })
        return try .json(Done("\(wanted.name) keeps \(try await request.item(version).reference)"))
    }

    @Sendable static func unpin(_ request: NativeRequest) async throws -> ServiceResponse {
        let name = try request.require("name")
        let liftsHold = request.isSet("hold")
        try request.authorise(liftsHold ? "LiftHold" : "UnpinArtifact", try request.require("ref"))
        let version = try await request.reference().version
        guard try await request.services.store.unpin(version.id, name: name, liftingHold: liftsHold) else {
            throw NativeError(404, "NoSuchPin", "the version has no pin \(name)")
        }
        return try .json(Done("\(name) keeps \(try await request.item(version).reference) no longer"))
    }

    // MARK: Deletion

    @Sendable static func delete(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("DeleteArtifact", try request.require("ref"))
        let version = try await request.reference().version
        let item = try await request.item(version)
        try await request.services.store.delete([version.id])
        let end = Date().addingTimeInterval(Double(request.services.store.configuration.undeleteSeconds))
        return try .json(
            Done(
                "\(item.reference) is deleted; until \(end.formatted(.iso8601)) "
                    + "`coffer artifact undelete \(item.id)` brings it back"))
    }

    @Sendable static func undelete(_ request: NativeRequest) async throws -> ServiceResponse {
        let text = try request.require("id")
        try request.authorise("UndeleteArtifact", text)
        let id = if let id = VersionID(text) { id } else { try await deleted(text, request) }
        let version = try await request.services.store.version(id)
        guard version.draft.scope == request.scope else {
            throw StoreError(.notFound, "there is no version \(id)")
        }
        try await request.services.store.undelete(id)
        return try .json(Done("\(try await request.item(version).reference) is back"))
    }

    /// The id of a deleted version by the name that its deletion told.
    private static func deleted(_ text: String, _ request: NativeRequest) async throws -> VersionID {
        guard let name = try? ReferenceText(text), let artifact = name.artifact else {
            throw NativeError(
                400, "InvalidParameter",
                "\(text) is neither REPOSITORY/ARTIFACT@NUMBER nor the id of a version; `coffer artifact list --deleted` "
                    + "shows deleted versions")
        }
        var filter = VersionFilter(scope: request.scope, repository: name.repository, artifact: artifact)
        filter.includesDeleted = true
        var after: String?
        repeat {
            let page = try await request.services.store.versions(filter, after: after, limit: 1000)
            for version in page.versions where version.deletedAt != nil {
                if try await request.item(version).reference == text { return version.id }
            }
            after = page.next
        } while after != nil
        throw StoreError(.notFound, "there is no deleted version \(text)")
    }

    // MARK: Retention

    @Sendable static func rules(_ request: NativeRequest) async throws -> ServiceResponse {
        try request.authorise("ListRetention")
        let found = try await request.services.store.retentionRules(in: request.scope)
        return try .json(
            found.map { item in
                RetentionItem(
                    repository: item.repository, artifact: item.artifact, newest: item.rule.newest,
                    ageSeconds: item.rule.ageSeconds, stage: item.rule.stage)
            })
    }

    @Sendable static func setRule(_ request: NativeRequest) async throws -> ServiceResponse {
        let item: RetentionItem = try await request.decode()
        try request.authorise("PutRetention", "\(item.repository)/\(item.artifact)")
        try await request.services.store.setRetention(
            RetentionRule(newest: item.newest, ageSeconds: item.ageSeconds, stage: item.stage),
            repository: item.repository, artifact: item.artifact, in: request.scope)
        return try .json(item)
    }

    @Sendable static func removeRule(_ request: NativeRequest) async throws -> ServiceResponse {
        let name = try request.require("name")
        try request.authorise("DeleteRetention", name)
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw NativeError(
                400, "InvalidParameter", "a rule is named by its artifact, PIPELINE/ARTIFACT, not \(name)")
        }
        let store = request.services.store
        let hasRule = try await store.retentionRules(in: request.scope).contains {
            $0.repository == parts[0] && $0.artifact == parts[1]
        }
        guard hasRule else { throw NativeError(404, "NoSuchRule", "\(name) has no retention rule") }
        try await store.setRetention(nil, repository: parts[0], artifact: parts[1], in: request.scope)
        return try .json(Done("all versions of \(name) are kept from now on"))
    }
}
