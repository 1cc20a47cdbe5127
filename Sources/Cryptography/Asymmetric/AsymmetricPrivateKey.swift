import COpenSSL

/// A private key of one of the kinds of `AsymmetricSpec`.
public final class AsymmetricPrivateKey: Sendable, CustomStringConvertible {
    let handle: PKeyHandle
    /// Which kind of key this is.
    public let spec: AsymmetricSpec

    private init(_ handle: PKeyHandle, _ spec: AsymmetricSpec) {
        self.handle = handle
        self.spec = spec
    }

    /// Makes a fresh key.
    public static func generate(_ spec: AsymmetricSpec) throws -> AsymmetricPrivateKey {
        guard let context = EVP_PKEY_CTX_new_from_name(nil, spec.algorithmName, nil) else {
            throw CryptographyError.fromLibrary("key generation")
        }
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_keygen_init(context), "key generation")
        if let bits = spec.rsaBits { try check(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits), "key generation") }
        if let group = spec.groupName { try check(EVP_PKEY_CTX_set_group_name(context, group), "key generation") }
        var key: OpaquePointer?
        try check(EVP_PKEY_generate(context, &key), "key generation")
        guard let key else { throw CryptographyError.fromLibrary("key generation") }
        return AsymmetricPrivateKey(PKeyHandle(owning: key), spec)
    }

    /// Reads an unencrypted PKCS#8 `PrivateKeyInfo` in DER (RFC 5958). Trailing bytes and inconsistent keys are refused.
    public convenience init(pkcs8: SecretBytes) throws {
        let key: OpaquePointer = try pkcs8.withUnsafeBytes { bytes in
            guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else {
                throw CryptographyError.malformed("an empty private key")
            }
            ERR_clear_error()
            var cursor: UnsafePointer<UInt8>? = start
            guard let info = d2i_PKCS8_PRIV_KEY_INFO(nil, &cursor, bytes.count) else {
                throw CryptographyError.refused(.malformed("the private key is not PKCS#8 in DER"), "key reading")
            }
            defer { PKCS8_PRIV_KEY_INFO_free(info) }
            guard cursor == start + bytes.count else {
                throw CryptographyError.malformed("bytes follow the private key")
            }
            guard let key = EVP_PKCS82PKEY(info) else {
                throw CryptographyError.refused(
                    .malformed("the private key's algorithm or content is not understood"), "key reading")
            }
            return key
        }
        let handle = PKeyHandle(owning: key)
        guard !handle.hasExplicitParameters else {
            throw CryptographyError.malformed("the private key must name its curve instead of spelling it out")
        }
        guard let spec = handle.spec else {
            throw CryptographyError.unsupported("private keys of this algorithm, size or curve")
        }
        try handle.withContext("key check") { context in
            guard EVP_PKEY_pairwise_check(context) == 1 else {
                throw CryptographyError.refused(
                    .malformed("the private key does not fit its public part"), "key check")
            }
        }
        self.init(handle, spec)
    }

    /// The key as an unencrypted PKCS#8 `PrivateKeyInfo` in DER.
    public func pkcs8() throws -> SecretBytes {
        guard let info = EVP_PKEY2PKCS8(handle.pointer) else { throw CryptographyError.fromLibrary("key encoding") }
        defer { PKCS8_PRIV_KEY_INFO_free(info) }
        var buffer: UnsafeMutablePointer<UInt8>?
        let count = i2d_PKCS8_PRIV_KEY_INFO(info, &buffer)
        guard count > 0, let buffer else { throw CryptographyError.fromLibrary("key encoding") }
        defer { CRYPTO_clear_free(buffer, Int(count), "", 0) }
        return SecretBytes(count: Int(count)) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: buffer, count: Int(count)))
        }
    }

    /// The public half.
    public func publicKey() throws -> AsymmetricPublicKey {
        try AsymmetricPublicKey(subjectPublicKeyInfo: subjectPublicKeyInfo())
    }

    /// The public half as a `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1).
    public func subjectPublicKeyInfo() throws -> [UInt8] { try encodePublicKey(handle) }

    /// Says what it is and nothing of the key.
    public var description: String { "private key (\(spec))" }
}

/// The public half of any key as a `SubjectPublicKeyInfo` in DER.
func encodePublicKey(_ handle: PKeyHandle) throws -> [UInt8] {
    var buffer: UnsafeMutablePointer<UInt8>?
    let count = i2d_PUBKEY(handle.pointer, &buffer)
    guard count > 0, let buffer else { throw CryptographyError.fromLibrary("public key encoding") }
    defer { CRYPTO_free(buffer, "", 0) }
    return Array(UnsafeBufferPointer(start: buffer, count: Int(count)))
}
