/// A refusal by the key hierarchy, with the code that the KMS API would use for it.
public struct KeyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of refusal it is. The set is open: a code a caller does not know is shown as it is.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The exception's name in the KMS API.
        public let rawValue: String
        /// A code by its name.
        public init(rawValue: String) { self.rawValue = rawValue }

        public static let alreadyExists = Code(rawValue: "AlreadyExistsException")
        public static let accessDenied = Code(rawValue: "AccessDeniedException")
        public static let conflict = Code(rawValue: "ConflictException")
        /// The root key is not available: the instance is sealed.
        public static let sealed = Code(rawValue: "DependencyTimeoutException")
        public static let disabled = Code(rawValue: "DisabledException")
        public static let dryRun = Code(rawValue: "DryRunOperationException")
        public static let expiredImportToken = Code(rawValue: "ExpiredImportTokenException")
        public static let incorrectKey = Code(rawValue: "IncorrectKeyException")
        public static let incorrectKeyMaterial = Code(rawValue: "IncorrectKeyMaterialException")
        public static let invalidAliasName = Code(rawValue: "InvalidAliasNameException")
        public static let invalidARN = Code(rawValue: "InvalidArnException")
        public static let invalidCiphertext = Code(rawValue: "InvalidCiphertextException")
        public static let invalidGrantID = Code(rawValue: "InvalidGrantIdException")
        public static let invalidGrantToken = Code(rawValue: "InvalidGrantTokenException")
        public static let invalidImportToken = Code(rawValue: "InvalidImportTokenException")
        public static let invalidKeyUsage = Code(rawValue: "InvalidKeyUsageException")
        public static let invalidMarker = Code(rawValue: "InvalidMarkerException")
        public static let invalidState = Code(rawValue: "KMSInvalidStateException")
        public static let invalidSignature = Code(rawValue: "KMSInvalidSignatureException")
        public static let invalidMac = Code(rawValue: "KMSInvalidMacException")
        public static let keyUnavailable = Code(rawValue: "KeyUnavailableException")
        public static let limitExceeded = Code(rawValue: "LimitExceededException")
        public static let malformedPolicy = Code(rawValue: "MalformedPolicyDocumentException")
        public static let notFound = Code(rawValue: "NotFoundException")
        public static let tag = Code(rawValue: "TagException")
        public static let unsupported = Code(rawValue: "UnsupportedOperationException")
        public static let validation = Code(rawValue: "ValidationException")
        /// Stored key records do not match their authentication codes: access fails closed.
        public static let tampered = Code(rawValue: "KMSInternalException")
    }

    /// The kind of refusal.
    public let code: Code
    /// What was wrong and what would be right; never key material.
    public let message: String

    /// A refusal with a sentence for people.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
