import Cryptography
import Synchronization

/// SigV4's derived key and what is signed with it.
struct SigningKey: Sendable {
    /// Keyed once: what is signed differs, the key does not.
    private let mac: HMACSHA256
    let scope: CredentialScope
    private let scopeText: String

    /// Derives the key: HMAC chain over date, region, service and `aws4_request`.
    init(secret: SecretBytes, scope: CredentialScope) {
        var key = secret.withUnsafeBytes { secret in
            HMACSHA256.code(key: Array("AWS4".utf8) + Array(secret), Array(scope.date.utf8)).bytes
        }
        for part in [scope.region, scope.service, "aws4_request"] {
            key = HMACSHA256.code(key: key, Array(part.utf8)).bytes
        }
        mac = HMACSHA256(key: key)
        wipe(&key)
        self.scope = scope
        scopeText = scope.text
    }

    /// The lower-case hexadecimal signature of a string to sign.
    func signature(of stringToSign: String) -> String { signature(of: Array(stringToSign.utf8)) }

    /// The lower-case hexadecimal signature of a string to sign.
    func signature(of stringToSign: [UInt8]) -> String { code(stringToSign).hex }

    /// Whether a signature is that of a string to sign; takes time that depends on lengths only.
    func isValid(_ signature: String, of stringToSign: [UInt8]) -> Bool {
        let code = code(stringToSign)
        var signature = signature
        return withUnsafeTemporaryAllocation(byteCount: 2 * SHA256Digest.byteCount, alignment: 16) { expected in
            code.withUnsafeBytes { Hex.write($0, into: expected) }
            return signature.withUTF8 {
                constantTimeEqual(UnsafeRawBufferPointer(expected), UnsafeRawBufferPointer($0))
            }
        }
    }

    private func code(_ message: [UInt8]) -> SHA256Digest {
        var mac = mac
        mac.update(message)
        return mac.finish()
    }

    /// The string to sign for a whole request.
    func stringToSign(timestamp: String, canonicalRequest: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(192)
        for line in [SigningClaim.algorithm, timestamp, scopeText] {
            bytes.append(contentsOf: line.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        bytes.append(contentsOf: SHA256.digest(canonicalRequest).hex.utf8)
        return bytes
    }
}

/// Signing keys by access key and scope: a client's key is the same for a day.
///
/// An entry is used only for the secret that it was derived from, so that a key id with another secret, of a forged session
/// for instance, never meets it.
final class SigningKeyCache: Sendable {
    private struct Name: Hashable {
        let accessKeyID: String
        let scope: CredentialScope
    }

    private struct Entry {
        let secret: SecretBytes
        let key: SigningKey
    }

    private let entries = Mutex<[Name: Entry]>([:])
    private static let countMax = 1024

    /// The key for a secret and a scope, derived unless it is known.
    func key(_ accessKeyID: String, secret: SecretBytes, scope: CredentialScope) -> SigningKey {
        let name = Name(accessKeyID: accessKeyID, scope: scope)
        if let known = entries.withLock({ $0[name] }), constantTimeEqual(known.secret, secret) { return known.key }
        let key = SigningKey(secret: secret, scope: scope)
        entries.withLock { entries in
            if entries.count >= Self.countMax { entries.removeAll(keepingCapacity: true) }
            entries[name] = Entry(secret: secret, key: key)
        }
        return key
    }
}

/// Compares two signatures in time that depends on their length only.
func signaturesMatch(_ left: String, _ right: String) -> Bool {
    constantTimeEqual(Array(left.utf8), Array(right.utf8))
}
