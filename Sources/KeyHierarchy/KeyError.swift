/// A refusal by the key hierarchy, with the code that the KMS API would use for it.
public struct KeyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of refusal it is. The set is open: a code a caller does not know is shown as it is.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The exception's name in the KMS API.
        public let rawValue: String
        /// A code by its name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// `AlreadyExistsException`.
        public static let alreadyExists = Code(rawValue: "AlreadyExistsException")
        /// `AccessDeniedException`.
        public static let accessDenied = Code(rawValue: "AccessDeniedException")
        /// `ConflictException`.
        public static let conflict = Code(rawValue: "ConflictException")
        /// The root key is not available: the instance is sealed.
        public static let sealed = Code(rawValue: "DependencyTimeoutException")
        /// `DisabledException`.
        public static let disabled = Code(rawValue: "DisabledException")
        /// `DryRunOperationException`.
        public static let dryRun = Code(rawValue: "DryRunOperationException")
        /// `ExpiredImportTokenException`.
        public static let expiredImportToken = Code(rawValue: "ExpiredImportTokenException")
        /// `IncorrectKeyException`.
        public static let incorrectKey = Code(rawValue: "IncorrectKeyException")
        /// `IncorrectKeyMaterialException`.
        public static let incorrectKeyMaterial = Code(rawValue: "IncorrectKeyMaterialException")
        /// `InvalidAliasNameException`.
        public static let invalidAliasName = Code(rawValue: "InvalidAliasNameException")
        /// `InvalidArnException`.
        public static let invalidARN = Code(rawValue: "InvalidArnException")
        /// `InvalidCiphertextException`.
        public static let invalidCiphertext = Code(rawValue: "InvalidCiphertextException")
        /// `InvalidGrantIdException`.
        public static let invalidGrantID = Code(rawValue: "InvalidGrantIdException")
        /// `InvalidGrantTokenException`.
        public static let invalidGrantToken = Code(rawValue: "InvalidGrantTokenException")
        /// `InvalidImportTokenException`.
        public static let invalidImportToken = Code(rawValue: "InvalidImportTokenException")
        /// `InvalidKeyUsageException`.
        public static let invalidKeyUsage = Code(rawValue: "InvalidKeyUsageException")
        /// `InvalidMarkerException`.
        public static let invalidMarker = Code(rawValue: "InvalidMarkerException")
        /// `KMSInvalidStateException`.
        public static let invalidState = Code(rawValue: "KMSInvalidStateException")
        /// `KMSInvalidSignatureException`.
        public static let invalidSignature = Code(rawValue: "KMSInvalidSignatureException")
        /// `KMSInvalidMacException`.
        public static let invalidMac = Code(rawValue: "KMSInvalidMacException")
        /// `KeyUnavailableException`.
        public static let keyUnavailable = Code(rawValue: "KeyUnavailableException")
        /// `LimitExceededException`.
        public static let limitExceeded = Code(rawValue: "LimitExceededException")
        /// `MalformedPolicyDocumentException`.
        public static let malformedPolicy = Code(rawValue: "MalformedPolicyDocumentException")
        /// `NotFoundException`.
        public static let notFound = Code(rawValue: "NotFoundException")
        /// `TagException`.
        public static let tag = Code(rawValue: "TagException")
        /// `UnsupportedOperationException`.
        public static let unsupported = Code(rawValue: "UnsupportedOperationException")
        /// `ValidationException`.
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

    /// A sentence for people.
    public var description: String { message }
}
