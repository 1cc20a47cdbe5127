/// Who made a request, as established by its signature.
public struct Principal: Sendable, Hashable {
    /// What kind of identity a principal is.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// The account's own root identity.
        case root
        /// Temporary credentials, limited to what their ``SessionGrant`` names.
        case session
    }

    /// The twelve-digit account number.
    public let account: String
    /// The principal's ARN, such as `arn:aws:iam::000000000000:root`.
    public let arn: String
    /// The unique id that STS reports as `UserId`.
    public let userID: String
    /// The access key with which the request was signed.
    public let accessKeyID: String
    /// The kind of identity.
    public let kind: Kind
    /// What a session may do; `nil` for no limit beyond the identity's own.
    public let grant: SessionGrant?

    /// Makes a principal.
    public init(
        account: String, arn: String, userID: String, accessKeyID: String, kind: Kind, grant: SessionGrant? = nil
    ) {
        self.account = account
        self.arn = arn
        self.userID = userID
        self.accessKeyID = accessKeyID
        self.kind = kind
        self.grant = grant
    }

    /// The account's root identity.
    public static func root(account: String, accessKeyID: String) -> Principal {
        Principal(
            account: account, arn: "arn:aws:iam::\(account):root", userID: account, accessKeyID: accessKeyID,
            kind: .root)
    }
}

/// What temporary credentials may do: the union of its statements, and nothing else.
public struct SessionGrant: Sendable, Hashable, Codable {
    /// Actions allowed on resources. Both may end in `*`, unless the resources are literal; actions compare without regard
    /// to case.
    public struct Statement: Sendable, Hashable, Codable {
        /// Actions, such as `s3:GetObject`.
        public var actions: [String]
        /// Resource ARNs.
        public var resources: [String]
        /// Whether a `*` at the end of a resource is part of its name, as it may be of an object's.
        public var isLiteral: Bool

        /// Makes a statement.
        public init(actions: [String], resources: [String], isLiteral: Bool = false) {
            self.actions = actions
            self.resources = resources
            self.isLiteral = isLiteral
        }

        /// Whether the statement allows an action on a resource.
        public func allows(action: String, resource: String) -> Bool {
            actions.contains { Self.matches($0.lowercased(), action.lowercased()) }
                && resources.contains { isLiteral ? $0 == resource : Self.matches($0, resource) }
        }

        private static func matches(_ pattern: String, _ text: String) -> Bool {
            pattern.hasSuffix("*") ? text.hasPrefix(pattern.dropLast()) : pattern == text
        }
    }

    /// The statements.
    public var statements: [Statement]

    /// Makes a grant.
    public init(statements: [Statement]) { self.statements = statements }

    /// What a job gets: its input objects to read and its output objects to write, by `bucket/key`.
    public static func artifacts(reading inputs: [String], writing outputs: [String]) -> SessionGrant {
        var statements: [Statement] = []
        if !inputs.isEmpty {
            statements.append(
                Statement(
                    actions: ["s3:GetObject", "s3:GetObjectVersion"],
                    resources: inputs.map { "arn:aws:s3:::\($0)" }, isLiteral: true))
        }
        if !outputs.isEmpty {
            statements.append(
                Statement(
                    actions: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                    resources: outputs.map { "arn:aws:s3:::\($0)" }, isLiteral: true))
        }
        return SessionGrant(statements: statements)
    }
}
