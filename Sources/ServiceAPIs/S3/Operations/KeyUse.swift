import AWSProtocol
public import AccessControl
import ObjectStorage

/// A use of a KMS key that S3 is about to make for a caller.
public struct ObjectKeyUse: Sendable {
    /// `GenerateDataKey` or `Decrypt`.
    public let operation: String
    /// The key.
    public let keyARN: String
    /// The encryption context of the object's data key.
    public let context: [String: String]
    /// Whom the key's policy is asked about.
    public let principal: Principal
}

extension S3Front {
    /// Throws unless the caller may use the key of an object; objects under the account's own default need no leave.
    func require(_ operation: String, _ encryption: ObjectEncryption, _ request: S3Request) async throws {
        guard case .kms(let kms) = encryption else { return }
        var principal = try request.http.requirePrincipal()
        // A job's session is limited to objects, which `authorize` has seen to; the key's policy is asked about the account
        // that it works for.
        if principal.grant != nil { principal = .root(account: principal.account, accessKeyID: principal.accessKeyID) }
        let use = ObjectKeyUse(
            operation: operation, keyARN: kms.keyARN, context: kms.context, principal: principal)
        guard kms.usesBucketKey, let bucketKeys else { return try await useKey(use, request.http) }
        try await bucketKeys.allow(use, request.http) { try await useKey(use, request.http) }
    }

    /// The same for an object that is to be written.
    func requireWriting(_ wanted: EncryptionRequest, _ request: S3Request) async throws {
        let encryption = try await objects.encryption(wanted, bucket: request.bucketName, key: request.objectKey)
        try await require("GenerateDataKey", encryption, request)
    }
}
