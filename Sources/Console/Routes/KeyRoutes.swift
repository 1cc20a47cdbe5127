import AWSProtocol
import ArtifactStore
import KeyHierarchy

/// `/-/v1/keys…`: the keys between the root key and the KMS keys, and their rotation.
enum KeyRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/keys": list, "POST /-/v1/keys/rotate": rotate, "POST /-/v1/keys/destroy": destroy,
        "POST /-/v1/keys/retire": retire,
    ]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("ListKeyLayers")
        return try .json(try await request.services.keys.layers().map(KeyLayerAnswer.init))
    }

    @Sendable static func rotate(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("RotateKeyLayer")
        let keys = request.services.keys
        switch try layer(request) {
        case .keyring:
            let region = request.scope.region
            let report = try await keys.rotateKeyring(region: region)
            return try .json(
                Done(
                    "keyring of \(region): version \(report.version) is current; \(report.rewrapped) backing keys "
                        + "are sealed under it"))
        case .storage:
            let report = try await request.services.store.rotateStorageKey(destroyingOld: request.isSet("destroy-old"))
            return try .json(
                Done(
                    "storage key: version \(report.version) is current; \(report.packs) packs and "
                        + "\(report.versions) versions are sealed under it" + Self.destroyed(report.destroyed)))
        case .service:
            return try .json(Done("service key: version \(try await keys.rotateServiceKey()) is current"))
        case .signing:
            let version = try await request.services.store.rotateSigningKey()
            return try .json(Done("signing key: version \(version) is current, certified by the one before"))
        case .row:
            let report = try await request.services.store.rotateRowKey(destroyingOld: request.isSet("destroy-old"))
            return try .json(
                Done(
                    "row key: version \(report.version) is current; \(report.rows) rows have codes under it"
                        + Self.destroyed(report.destroyed)))
        case .journal:
            let version = try await keys.rotateJournalKey()
            return try .json(Done("journal key: version \(version) is current, certified by the one before"))
        case .token: return try .json(Done("token key: version \(try await keys.rotateTokenKey()) is current"))
        case .dedup: return try .json(Done(try await rotateDomains(request)))
        }
    }

    @Sendable static func destroy(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("DestroyKeyLayer")
        guard let version = UInt32(try request.require("version")) else {
            throw NativeError(400, "InvalidParameter", "`version` is a number")
        }
        switch try layer(request) {
        case .keyring:
            let region = request.scope.region
            try await request.services.keys.destroyKeyringKey(region: region, version: version)
            return try .json(Done("keyring of \(region): version \(version) is destroyed"))
        case .storage:
            let report = try await request.services.store.rewrapStorageKeys(destroyingOld: true)
            return try .json(Done("storage key: version \(report.version) is current" + destroyed(report.destroyed)))
        case .token:
            try await request.services.keys.destroyTokenKey(version: version)
            return try .json(Done("token key: version \(version) is destroyed"))
        case let other: throw refusal("destroy", other)
        }
    }

    /// Destroys epochs of dedup domains that nothing needs.
    @Sendable static func retire(_ request: NativeRequest) async throws -> ServiceResponse {
        try await request.authoriseOperator("DestroyKeyLayer")
        let report = try await request.services.store.retireDomainEpochs(immediately: request.isSet("now"))
        return try .json(
            Done(
                "dedup epochs: \(report.destroyed.count) destroyed, \(report.waiting.count) unused and destroyed by a "
                    + "look a day later, \(report.needed.count) still needed"))
    }

    private static func layer(_ request: NativeRequest) throws -> KeyLayerItem.Layer {
        let word = try request.require("layer")
        guard let layer = KeyLayerItem.Layer(rawValue: word) else {
            throw NativeError(
                400, "InvalidParameter",
                "`layer` is one of \(KeyLayerItem.Layer.allCases.map(\.rawValue).joined(separator: ", ")), not \(word)")
        }
        return layer
    }

    private static func refusal(_ verb: String, _ layer: KeyLayerItem.Layer) -> NativeError {
        NativeError(400, "InvalidParameter", "the \(layer.rawValue) layer has no versions to \(verb) by themselves")
    }

    private static func destroyed(_ versions: [UInt32]) -> String {
        versions.isEmpty ? "" : "; destroyed: version \(versions.map(String.init).joined(separator: ", "))"
    }

    /// New epochs for all domains of a KMS key, or for all domains.
    private static func rotateDomains(_ request: NativeRequest) async throws -> String {
        let keys = request.services.keys
        var arn: String?
        if let key = request.value("key") { arn = try await keys.resolveKey(key, in: request.scope).keyARN }
        var count = 0
        for epoch in try await keys.dedupEpochs() where epoch.state == .active && (arn == nil || epoch.keyARN == arn) {
            guard let domain = epoch.domain else { continue }
            _ = try await keys.rotateDedupDomain(id: domain)
            count += 1
        }
        return "dedup: \(count) domains began a new epoch; what is stored stays in its epoch until it is re-encrypted"
    }
}

extension KeyLayerAnswer {
    init(_ item: KeyLayerItem) {
        self.init(
            layer: item.layer.rawValue, name: item.name, version: Int(item.version), state: item.state.rawValue,
            created: item.createdAt, uses: item.uses, unusedSince: item.unusedSince)
    }
}
