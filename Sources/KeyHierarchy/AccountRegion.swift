/// The account and Region that a resource belongs to.
public struct AccountRegion: Hashable, Sendable, Codable {
    /// Twelve digits.
    public let account: String
    /// A Region's name; any is accepted.
    public let region: String

    /// An account in a Region.
    public init(account: String, region: String) {
        self.account = account
        self.region = region
    }

    /// The partition part of the Region's ARNs.
    public var partition: String {
        if region.hasPrefix("cn-") { return "aws-cn" }
        if region.hasPrefix("us-gov-") { return "aws-us-gov" }
        return "aws"
    }

    /// `arn:PARTITION:kms:REGION:ACCOUNT:` and a resource.
    public func kmsARN(_ resource: String) -> String { "arn:\(partition):kms:\(region):\(account):\(resource)" }
}

/// A KMS key as it was found: enough to use it and to record it.
public struct KMSKeyReference: Hashable, Sendable, Codable {
    /// The owner.
    public let scope: AccountRegion
    /// `1234abcd-…` or `mrk-…`.
    public let keyID: String
    /// The alias it was asked for by, such as `alias/aws/s3`; nil when asked for by key.
    public let aliasName: String?

    /// A key, optionally as found through an alias.
    public init(scope: AccountRegion, keyID: String, aliasName: String? = nil) {
        self.scope = scope
        self.keyID = keyID
        self.aliasName = aliasName
    }

    /// The key's ARN.
    public var keyARN: String { scope.kmsARN("key/\(keyID)") }
    /// The alias's ARN, when asked for by alias.
    public var aliasARN: String? { aliasName.map { scope.kmsARN($0) } }
}

/// Who shares stored chunks with whom.
public enum DedupScope: Hashable, Sendable {
    /// All artifacts under one KMS key (the default): disabling the key stops writes, deleting it shreds the domain.
    case key(KMSKeyReference)
    /// All keys of one account in a Region.
    case account(AccountRegion)
    /// One pipeline.
    case pipeline(String, KMSKeyReference)
    /// One artifact: nothing is shared with others.
    case artifact(String, KMSKeyReference)

    /// The stable text by which the domain is found again.
    var name: String {
        switch self {
        case .key(let key): "key:\(key.keyARN)"
        case .account(let scope): "account:\(scope.account)/\(scope.region)"
        case .pipeline(let name, let key): "pipeline:\(key.keyARN):\(name)"
        case .artifact(let name, let key): "artifact:\(key.keyARN):\(name)"
        }
    }

    /// The key that wraps the domain's secret; nil for a service-owned one.
    var key: KMSKeyReference? {
        switch self {
        case .key(let key), .pipeline(_, let key), .artifact(_, let key): key
        case .account: nil
        }
    }
}
