public import SystemPackage

/// The root access key of a data directory, kept in the format of `~/.aws/credentials` so that
/// `AWS_SHARED_CREDENTIALS_FILE` can point at it.
public struct RootCredentials: Sendable {
    /// The access key id.
    public let accessKeyID: String
    /// Its secret.
    public let secretAccessKey: String

    /// A pair.
    public init(accessKeyID: String, secretAccessKey: String) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
    }

    /// The pair in a credentials file's `default` profile; nil when there is no file or no pair in it.
    public static func read(_ file: FilePath) throws -> RootCredentials? {
        guard let bytes = try DataDirectory.contents(of: file) else { return nil }
        var values: [String: String] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            let key = line[..<equals].filter { !$0.isWhitespace }
            values[key] = line[line.index(after: equals)...].filter { !$0.isWhitespace }
        }
        guard let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else { return nil }
        return RootCredentials(accessKeyID: id, secretAccessKey: secret)
    }

    /// Writes the pair durably with mode 0600.
    public func write(to file: FilePath) throws {
        let text = """
            [default]
            aws_access_key_id = \(accessKeyID)
            aws_secret_access_key = \(secretAccessKey)

            """
        try DataDirectory.replace(file, with: Array(text.utf8))
    }
}
