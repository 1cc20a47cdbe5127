/// What the store answers when it cannot do what was asked.
public struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What a caller can do about a failure. An open set: compare with the constants.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The code's name.
        public let rawValue: String

        /// A code by name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// There is no such version, path, tag or pin.
        public static let notFound = Code(rawValue: "NotFound")
        /// The request makes no sense: a bad range, path or reference.
        public static let invalid = Code(rawValue: "Invalid")
        /// Stored bytes are damaged or were tampered with. Repeating does not help; a new push of the content heals it.
        public static let integrity = Code(rawValue: "Integrity")
        /// What was read as the basis of the request has changed since.
        public static let conflict = Code(rawValue: "Conflict")
        /// The ingest took longer than its lease allows, or its content was collected; begin again.
        public static let leaseExpired = Code(rawValue: "LeaseExpired")
        /// The key that protects the content is disabled, deleted or may not be used by the caller.
        public static let keyUnavailable = Code(rawValue: "KeyUnavailable")
        /// The disk is full or a quota is used up; nothing was changed.
        public static let full = Code(rawValue: "Full")
        /// The storage cannot be written.
        public static let readOnly = Code(rawValue: "ReadOnly")
        /// A pin, hold, tag or rule keeps the version.
        public static let retained = Code(rawValue: "Retained")
        /// Reading or writing the storage failed; trying again may help.
        public static let input = Code(rawValue: "InputOutput")
    }

    /// The class of the failure.
    public let code: Code
    /// What happened, where, and what would be right. Never holds key material or content.
    public let message: String

    /// An error of a class, with a sentence for people.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The sentence for people.
    public var description: String { message }

    static func integrity(_ message: String) -> StoreError { StoreError(.integrity, message) }
    static func invalid(_ message: String) -> StoreError { StoreError(.invalid, message) }
    static func notFound(_ message: String) -> StoreError { StoreError(.notFound, message) }
}
