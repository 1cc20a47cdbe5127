import COpenSSL

/// A public key of one of the kinds of `AsymmetricSpec`.
public final class AsymmetricPublicKey: Sendable {
    let handle: PKeyHandle
    /// Which kind of key this is.
    public let spec: AsymmetricSpec

    /// Reads a `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1). A point that is not on its curve is refused.
    public init(subjectPublicKeyInfo bytes: [UInt8]) throws {
        let key: OpaquePointer? = try bytes.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { throw CryptographyError.malformed("an empty public key") }
            ERR_clear_error()
            var cursor: UnsafePointer<UInt8>? = start
            let key = d2i_PUBKEY(nil, &cursor, buffer.count)
            if let key, cursor != start + buffer.count {
                EVP_PKEY_free(key)
                throw CryptographyError.malformed("bytes follow the public key")
            }
            return key
        }
        guard let key else {
            throw CryptographyError.refused(
                .malformed("the public key is not a SubjectPublicKeyInfo in DER"), "key reading")
        }
        handle = PKeyHandle(owning: key)
        guard !handle.hasExplicitParameters else {
            throw CryptographyError.malformed("the public key must name its curve instead of spelling it out")
        }
        guard let spec = handle.spec else {
            throw CryptographyError.unsupported("public keys of this algorithm, size or curve")
        }
        self.spec = spec
        try handle.withContext("public key check") { context in
            guard EVP_PKEY_public_check(context) == 1 || spec == .ed25519 else {
                throw CryptographyError.refused(
                    .malformed("the public key is not a valid point or modulus"), "public key check")
            }
        }
    }

    /// The key as a `SubjectPublicKeyInfo` in DER.
    public func subjectPublicKeyInfo() throws -> [UInt8] { try encodePublicKey(handle) }
}
