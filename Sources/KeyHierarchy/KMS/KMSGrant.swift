/// A grant on a KMS key.
public struct KMSGrant: KeyDocument {
    static let kind = "grant"

    /// 64 hexadecimal digits.
    public var grantID: String
    /// The key's owner.
    public var scope: AccountRegion
    /// The key.
    public var keyID: String
    /// Who may use the key.
    public var granteePrincipal: String
    /// Who may retire the grant.
    public var retiringPrincipal: String?
    /// The account that made it.
    public var issuingAccount: String
    /// The operations it allows.
    public var operations: [String]
    /// The context must contain these pairs.
    public var contextSubset: [String: String]?
    /// The context must be exactly these pairs.
    public var contextEquals: [String: String]?
    /// A name that makes creation idempotent.
    public var name: String?
    /// Milliseconds since 1970.
    public var createdAt: Int64

    /// The key's ARN.
    public var keyARN: String { scope.kmsARN("key/\(keyID)") }

    var recordScope: String { scope.recordScope }
    var recordID: String { grantID }
    var recordParent: String { keyARN }
    var recordAux: String { retiringPrincipal ?? "" }
}
