/// What this build calls itself.
public enum CofferVersion {
    /// The version, as `coffer --version` prints it.
    public static let text = "0.1.0"
}
