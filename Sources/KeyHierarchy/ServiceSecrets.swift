public import Cryptography

extension KeyHierarchy {
    /// Seals a secret that a service keeps: an access key's secret, a batch of log lines, a token. `name` identifies it
    /// and must be given again to open it.
    public func sealServiceSecret(_ plaintext: SecretBytes, name: String) async throws -> [UInt8] {
        let (version, key) = try unsealed().keys.current(.service)
        return try SealedEnvelope.seal(
            plaintext, under: key, keyVersion: version, type: .serviceSecret, name: "service/\(name)")
    }

    /// Seals bytes that a service keeps.
    public func sealServiceSecret(_ plaintext: [UInt8], name: String) async throws -> [UInt8] {  // tidy: lines of logs
        let (version, key) = try unsealed().keys.current(.service)
        return try plaintext.withUnsafeBytes {
            try SealedEnvelope.seal($0, under: key, keyVersion: version, type: .serviceSecret, name: "service/\(name)")
        }
    }

    /// Opens what `sealServiceSecret` made. Throws `KeyFormatError` for another name or altered bytes.
    public func openServiceSecret(_ sealed: [UInt8], name: String) async throws -> SecretBytes {
        let key = try unsealed().keys.key(.service, version: try SealedEnvelope.keyVersion(of: sealed))
        return try SealedEnvelope.open(sealed, under: key, type: .serviceSecret, name: "service/\(name)")
    }
}
