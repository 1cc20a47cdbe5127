/// There is an account of this number already.
public struct AccountExists: Error, Sendable, CustomStringConvertible {
    /// The number.
    public let account: String

    /// A sentence for people.
    public var description: String { "account \(account) exists already" }
}
