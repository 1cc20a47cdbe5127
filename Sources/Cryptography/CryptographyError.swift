import COpenSSL

/// Why a cryptographic operation was refused. Never carries key material or plaintext.
public enum CryptographyError: Error, Equatable, CustomStringConvertible {
    /// The authentication tag, signature or commitment does not match: wrong key, wrong context, or changed bytes.
    case authenticationFailed
    /// An input has a length the algorithm does not take.
    case invalidLength(what: String, expected: String, actual: Int)
    /// An encoding (hex, base64, DER) or a parameter is not well formed.
    case malformed(String)
    /// The linked libcrypto does not offer the algorithm.
    case unsupported(String)
    /// libcrypto failed; the number is its packed library and reason code.
    case library(operation: String, code: UInt)

    /// A sentence for people.
    public var description: String {
        switch self {
        case .authenticationFailed: "authentication failed: wrong key, wrong context or altered bytes"
        case .invalidLength(let what, let expected, let actual): "\(what) has \(actual) bytes; \(expected) wanted"
        case .malformed(let reason): "malformed input: \(reason)"
        case .unsupported(let reason): "not supported: \(reason)"
        case .library(let operation, let code): "libcrypto refused \(operation) (code \(code))"
        }
    }

    /// What it means that libcrypto refused an input: `reason`, unless it had no memory, which says nothing about the input.
    static func refused(_ reason: CryptographyError, _ operation: String) -> CryptographyError {
        memoryFailure(operation) ?? reason
    }

    /// Drains libcrypto's thread-local error queue; an error when there was no memory, nil when there was.
    static func memoryFailure(_ operation: String) -> CryptographyError? {
        var found: CryptographyError?
        while case let code = ERR_get_error(), code != 0 {
            if coffer_is_memory_failure(code) != 0 { found = .library(operation: operation, code: UInt(code)) }
        }
        return found
    }

    /// Drains libcrypto's thread-local error queue into an error.
    static func fromLibrary(_ operation: String) -> CryptographyError {
        let code = ERR_get_error()
        ERR_clear_error()
        return .library(operation: operation, code: UInt(code))
    }
}
