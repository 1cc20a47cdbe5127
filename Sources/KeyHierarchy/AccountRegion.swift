/// An account in a region: the space in which names of keys, pipelines and repositories are unique.
public struct AccountRegion: Hashable, Sendable, Codable {
    /// Twelve digits.
    public let account: String
    /// Any name, such as `us-east-1`.
    public let region: String

    /// Names an account in a region.
    public init(account: String, region: String) {
        self.account = account
        self.region = region
    }
}
