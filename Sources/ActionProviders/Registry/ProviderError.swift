/// Why a registry refused a request.
public struct ProviderError: Error, Sendable, Hashable, CustomStringConvertible {
    /// An AWS error code such as `RepositoryDoesNotExistException`.
    public let code: String
    /// What was wrong and what would be right.
    public let message: String

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The code and the message.
    public var description: String { "\(code): \(message)" }
}
