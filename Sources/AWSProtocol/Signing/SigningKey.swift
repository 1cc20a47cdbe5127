import Cryptography

/// SigV4's derived key and what is signed with it.
struct SigningKey: Sendable {
    private let key: [UInt8]
    let scope: CredentialScope

    /// Derives the key: HMAC chain over date, region, service and `aws4_request`.
    init(secret: SecretBytes, scope: CredentialScope) {
        var key = secret.withUnsafeBytes { secret in
            HMACSHA256.code(key: Array("AWS4".utf8) + Array(secret), Array(scope.date.utf8)).bytes
        }
        for part in [scope.region, scope.service, "aws4_request"] {
            key = HMACSHA256.code(key: key, Array(part.utf8)).bytes
        }
        self.key = key
        self.scope = scope
    }

    /// The lower-case hexadecimal signature of a string to sign.
    func signature(of stringToSign: String) -> String {
        HMACSHA256.code(key: key, Array(stringToSign.utf8)).description
    }

    /// The string to sign for a whole request.
    func stringToSign(timestamp: String, canonicalRequest: String) -> String {
        let digest = SHA256.digest(Array(canonicalRequest.utf8)).description
        return "\(SigningClaim.algorithm)\n\(timestamp)\n\(scope.text)\n\(digest)"
    }
}

/// Compares two signatures in time that depends on their length only.
func signaturesMatch(_ left: String, _ right: String) -> Bool {
    constantTimeEqual(Array(left.utf8), Array(right.utf8))
}
