import Cryptography

/// Ids under which requests are answered and logged.
public enum RequestID {
    /// A fresh lower-case UUID, as the JSON and Query services send it.
    public static func make() -> String { SecureRandom.uuid() }

    /// The sixteen upper-case characters by which S3 names the request with this id.
    public static func s3Form(_ requestID: String) -> String {
        String(requestID.filter { $0 != "-" }.prefix(16)).uppercased()
    }
}
