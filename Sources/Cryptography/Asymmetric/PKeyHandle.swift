import COpenSSL
import Synchronization

/// Owns one `EVP_PKEY`.
///
/// Proof: the key is complete when the handle is made and only read afterwards; libcrypto documents
/// concurrent use of one `EVP_PKEY` by several contexts as safe as long as nobody changes it, and its reference count is
/// atomic. `renewed` is read and replaced under the lock; contexts made of it hold references of their own.
final class PKeyHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    private let lock = Mutex(())
    private var renewed: OpaquePointer?

    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        EVP_PKEY_free(pointer)
        EVP_PKEY_free(renewed)
    }

    /// Lets contexts made from now on use a fresh copy of the key.
    ///
    /// libcrypto keeps the numbers by which it blinds RSA operations in the key, and when memory runs out while it changes
    /// them they no longer belong together: that operation may succeed, and the next thirty give wrong results.
    func renew() {
        // Without memory for a copy the old one stays; what it gives is checked as well.
        guard let copy = EVP_PKEY_dup(pointer) else { return }
        lock.withLock { _ in
            EVP_PKEY_free(renewed)
            renewed = copy
        }
    }

    /// Which of our kinds the key is, or nil.
    var spec: AsymmetricSpec? {
        if EVP_PKEY_is_a(pointer, "RSA") == 1 {
            let bits = EVP_PKEY_get_bits(pointer)
            return AsymmetricSpec.allCases.first { $0.rsaBits == bits }
        }
        if EVP_PKEY_is_a(pointer, "ED25519") == 1 { return .ed25519 }
        guard EVP_PKEY_is_a(pointer, "EC") == 1 else { return nil }
        var name = [CChar](repeating: 0, count: 80)
        var length = 0
        guard EVP_PKEY_get_group_name(pointer, &name, name.count, &length) == 1 else { return nil }
        let group = String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return AsymmetricSpec.allCases.first { $0.groupName == group }
    }

    /// Whether the key spelled out its curve instead of naming it. libcrypto then takes the named curve that the parameters
    /// resemble, even when order or cofactor are missing or wrong, so such keys are refused (RFC 5480 §2.1.1).
    var hasExplicitParameters: Bool {
        var flag: Int32 = 0
        let found = EVP_PKEY_get_int_param(pointer, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &flag)
        ERR_clear_error()
        return found == 1 && flag == 1
    }

    /// Runs `body` with a context for this key that is freed afterwards.
    func withContext<R>(_ operation: String, _ body: (OpaquePointer) throws -> R) throws -> R {
        // What earlier calls left in the queue, though they may have succeeded, is no reason of this one.
        ERR_clear_error()
        let made = lock.withLock { _ in EVP_PKEY_CTX_new_from_pkey(nil, renewed ?? pointer, nil) }
        guard let context = made else {
            throw CryptographyError.fromLibrary(operation)
        }
        defer { EVP_PKEY_CTX_free(context) }
        return try body(context)
    }
}

/// Throws libcrypto's reason unless `result` says success.
func check(_ result: Int32, _ operation: String) throws {
    guard result > 0 else { throw CryptographyError.fromLibrary(operation) }
}

extension HashAlgorithm {
    /// libcrypto's static description of the hash.
    var messageDigest: OpaquePointer? {
        switch self {
        case .md5: EVP_md5()
        case .sha1: EVP_sha1()
        case .sha224: EVP_sha224()
        case .sha256: EVP_sha256()
        case .sha384: EVP_sha384()
        case .sha512: EVP_sha512()
        }
    }
}
