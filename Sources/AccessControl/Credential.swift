public import Cryptography
public import Foundation

/// An access key with its secret and the identity it speaks for.
public struct Credential: Sendable {
    /// Who signs with this key.
    public let principal: Principal
    /// The secret access key.
    public let secret: SecretBytes
    /// The token that must come with a temporary key.
    public let sessionToken: String?
    /// When a temporary key ends.
    public let expiration: Date?

    /// Makes a credential.
    public init(principal: Principal, secret: SecretBytes, sessionToken: String? = nil, expiration: Date? = nil) {
        self.principal = principal
        self.secret = secret
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    /// The secret access key as text, to be handed to its owner and to nobody else.
    public var secretText: String {
        secret.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }  // tidy: shown to its owner
    }
}

/// Why session credentials were not believed.
public enum SessionTokenError: Error, Sendable, Hashable {
    /// The token's time is over.
    case expired
    /// The token was not made here, was altered, or belongs to another access key.
    case invalid
}

/// Refusal of an action.
public struct AccessDenied: Error, Sendable, CustomStringConvertible {
    /// The refused principal's ARN.
    public let principalARN: String
    /// The action, such as `s3:GetObject`.
    public let action: String
    /// The ARN of the resource it was to act on.
    public let resource: String

    /// IAM's words, which people search logs for.
    public var description: String {
        "User: \(principalARN) is not authorized to perform: \(action) on resource: \(resource) "
            + "because no identity-based policy allows the \(action) action"
    }
}

/// Misuse of the account's bootstrap.
public enum BootstrapError: Error, Sendable, Hashable, CustomStringConvertible {
    case badAccount(String)
    case badAccessKeyID
    case badSecret
    case otherAccount(stored: String, asked: String)

    /// What was wrong with the value, and what would be right.
    public var description: String {
        switch self {
        case .badAccount(let text): "The account must be twelve digits, not '\(text)'."
        case .badAccessKeyID: "The access key id must be 16 to 128 characters of A-Z, a-z, 0-9 and _."
        case .badSecret: "The secret access key must be 8 to 128 printable ASCII characters without spaces."
        case .otherAccount(let stored, let asked):
            "This data directory belongs to account \(stored); it cannot be opened as account \(asked)."
        }
    }
}
