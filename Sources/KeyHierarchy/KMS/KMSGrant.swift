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

    package init(
        grantID: String, scope: AccountRegion, keyID: String, granteePrincipal: String, retiringPrincipal: String?,
        issuingAccount: String, operations: [String], contextSubset: [String: String]?,
        contextEquals: [String: String]?, name: String?, createdAt: Int64
    ) {
        self.grantID = grantID
        self.scope = scope
        self.keyID = keyID
        self.granteePrincipal = granteePrincipal
        self.retiringPrincipal = retiringPrincipal
        self.issuingAccount = issuingAccount
        self.operations = operations
        self.contextSubset = contextSubset
        self.contextEquals = contextEquals
        self.name = name
        self.createdAt = createdAt
    }

    /// The key's ARN.
    public var keyARN: String { scope.kmsARN("key/\(keyID)") }

    var recordScope: String { scope.recordScope }
    var recordID: String { grantID }
    var recordParent: String { keyARN }
    var recordAux: String { retiringPrincipal ?? "" }
}
