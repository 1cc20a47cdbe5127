import AWSProtocol
import AccessControl
import Foundation
import KeyHierarchy

/// Making, describing and ending keys; tags.
extension KMSOperations {
    func createKey(_ input: Shapes.CreateKeyInput, _ request: ServiceRequest) async throws -> Shapes.CreateKeyOutput {
        let call = try KMSCall(request)
        try authorizer.authorize(call, "CreateKey")
        if let spec = input.keySpec, let old = input.customerMasterKeySpec, spec != old {
            throw KeyError(.validation, "You cannot specify both KeySpec and CustomerMasterKeySpec.")
        }
        if input.customKeyStoreId != nil { throw Self.noKeyStore }
        if input.xksKeyId != nil { throw KeyError(.unsupported, "External key stores are not supported.") }
        let spec = input.keySpec ?? input.customerMasterKeySpec ?? "SYMMETRIC_DEFAULT"
        if input.keyUsage == nil, spec != "SYMMETRIC_DEFAULT", KeySpecs.kinds[spec] != nil {
            throw KeyError(
                .validation, "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
        }
        let tags = try Self.tags(input.tags)
        if !tags.isEmpty { try authorizer.authorize(call, "TagResource") }
        var new = NewKMSKey(
            policy: KeyPolicy.standard(account: call.principal.account, partition: call.scope.partition))
        new.spec = spec
        new.usage = input.keyUsage ?? "ENCRYPT_DECRYPT"
        new.origin = input.origin ?? "AWS_KMS"
        new.isMultiRegion = input.multiRegion ?? false
        new.description = input.description ?? ""
        new.tags = tags
        try KeyHierarchy.validate(new)
        if let policy = input.policy {
            let draft = KMSKey(
                keyID: "*", scope: call.scope, spec: new.spec, usage: new.usage, origin: new.origin,
                manager: "CUSTOMER",
                state: .enabled, description: "", createdAt: 0, policy: policy)
            _ = try KeyPolicy(parsing: policy)
            if input.bypassPolicyLockoutSafetyCheck != true { try authorizer.checkLockout(call, policy, draft) }
            new.policy = policy
        }
        return .init(keyMetadata: Self.metadata(try await keys.createKey(new, in: call.scope)))
    }

    static func tags(_ list: [Shapes.Tag]?) throws(KeyError) -> [String: String] {
        var tags: [String: String] = [:]
        for tag in list ?? [] {
            guard !tag.tagKey.lowercased().hasPrefix("aws:") else {
                throw KeyError(.tag, "Tags beginning with aws: are reserved")
            }
            guard tags.updateValue(tag.tagValue, forKey: tag.tagKey) == nil else {
                throw KeyError(.tag, "Duplicate tag keys")
            }
        }
        guard tags.count <= KMSLimits.tagsPerKey else {
            throw KeyError(.tag, "Too many tags")
        }
        return tags
    }

    func describeKey(_ input: Shapes.DescribeKeyInput, _ request: ServiceRequest) async throws
        -> Shapes.DescribeKeyOutput
    {
        let key = try await use(input.keyId, request, KMSAction("DescribeKey"), tokens: input.grantTokens)
        return .init(keyMetadata: Self.metadata(key))
    }

    func listKeys(_ input: Shapes.ListKeysInput, _ request: ServiceRequest) async throws -> Shapes.ListKeysOutput {
        let call = try KMSCall(request)
        try authorizer.authorize(call, "ListKeys")
        let limit = input.limit ?? 100
        let after = try keys.open(marker: input.marker, for: "ListKeys")
        let found = try await keys.listKeys(call.scope, after: after, limit: limit + 1)
        let (page, marker) = try page(found, limit: limit, "ListKeys") { $0.keyID }
        return .init(
            keys: page.map { .init(keyId: $0.keyID, keyArn: $0.arn) }, nextMarker: marker, truncated: marker != nil)
    }

    func enableKey(_ input: Shapes.EnableKeyInput, _ request: ServiceRequest) async throws {
        let key = try await ownCustomer(input.keyId, request, "EnableKey")
        try await keys.setEnabled(true, key.scope, key.keyID)
    }

    func disableKey(_ input: Shapes.DisableKeyInput, _ request: ServiceRequest) async throws {
        let key = try await ownCustomer(input.keyId, request, "DisableKey")
        try await keys.setEnabled(false, key.scope, key.keyID)
    }

    func scheduleKeyDeletion(
        _ input: Shapes.ScheduleKeyDeletionInput, _ request: ServiceRequest
    ) async throws -> Shapes.ScheduleKeyDeletionOutput {
        let days = input.pendingWindowInDays ?? 30
        let key = try await ownCustomer(
            input.keyId, request, "ScheduleKeyDeletion",
            conditions: ["kms:ScheduleKeyDeletionPendingWindowInDays": ["\(days)"]])
        guard (7...30).contains(days) else {
            throw KeyError(.validation, "PendingWindowInDays must be between 7 and 30; it is \(days).")
        }
        let after = try await keys.scheduleDeletion(key.scope, key.keyID, days: days)
        return .init(
            keyId: after.arn, deletionDate: after.deletionAt?.date, keyState: after.state.rawValue,
            pendingWindowInDays: days)
    }

    func cancelKeyDeletion(
        _ input: Shapes.CancelKeyDeletionInput, _ request: ServiceRequest
    ) async throws -> Shapes.CancelKeyDeletionOutput {
        let key = try await ownCustomer(input.keyId, request, "CancelKeyDeletion")
        try await keys.cancelDeletion(key.scope, key.keyID)
        return .init(keyId: key.arn)
    }

    func updateKeyDescription(_ input: Shapes.UpdateKeyDescriptionInput, _ request: ServiceRequest) async throws {
        let key = try await ownCustomer(input.keyId, request, "UpdateKeyDescription")
        try await keys.setDescription(input.description, key.scope, key.keyID)
    }

    func tagResource(_ input: Shapes.TagResourceInput, _ request: ServiceRequest) async throws {
        let tags = try Self.tags(input.tags)
        var conditions = ["aws:TagKeys": tags.keys.sorted()]
        for (name, value) in tags { conditions["aws:RequestTag/\(name)"] = [value] }
        let key = try await ownCustomer(input.keyId, request, "TagResource", conditions: conditions)
        try await keys.setTags(adding: tags, key.scope, key.keyID)
    }

    func untagResource(_ input: Shapes.UntagResourceInput, _ request: ServiceRequest) async throws {
        let key = try await ownCustomer(
            input.keyId, request, "UntagResource", conditions: ["aws:TagKeys": input.tagKeys])
        try await keys.setTags(removing: input.tagKeys, key.scope, key.keyID)
    }

    func listResourceTags(
        _ input: Shapes.ListResourceTagsInput, _ request: ServiceRequest
    ) async throws -> Shapes.ListResourceTagsOutput {
        let key = try await own(input.keyId, request, "ListResourceTags")
        let after = try keys.open(marker: input.marker, for: "ListResourceTags")
        let limit = input.limit ?? 50
        let rest = key.tags.sorted { $0.key < $1.key }.filter { $0.key > after }
        let (page, marker) = try page(rest, limit: limit, "ListResourceTags") { $0.key }
        return .init(
            tags: page.map { .init(tagKey: $0.key, tagValue: $0.value) }, nextMarker: marker, truncated: marker != nil)
    }

    // MARK: Last use

    struct GetKeyLastUsageInput: Decodable, Sendable {
        var keyID: String
        enum CodingKeys: String, CodingKey { case keyID = "KeyId" }
    }

    struct GetKeyLastUsageOutput: Encodable, Sendable {
        struct Usage: Encodable, Sendable {
            var operation: String?
            var timestamp: Date?
            var requestID: String?
            enum CodingKeys: String, CodingKey {
                case operation = "Operation"
                case timestamp = "Timestamp"
                case requestID = "KmsRequestId"
            }
        }
        var keyID: String
        var usage: Usage
        var trackingStart: Date
        var created: Date
        enum CodingKeys: String, CodingKey {
            case keyID = "KeyId"
            case usage = "KeyLastUsage"
            case trackingStart = "TrackingStartDate"
            case created = "KeyCreationDate"
        }
    }

    func getKeyLastUsage(_ input: GetKeyLastUsageInput, _ request: ServiceRequest) async throws -> GetKeyLastUsageOutput
    {
        let key = try await own(input.keyID, request, "GetKeyLastUsage")
        let last = try await keys.lastUse(key.arn)
        return GetKeyLastUsageOutput(
            keyID: key.arn, usage: .init(operation: last?.operation, timestamp: last?.at, requestID: last?.requestID),
            trackingStart: key.createdAt.date, created: key.createdAt.date)
    }
}
