import COpenSSL

/// AES-256 key wrap with padding (RFC 5649), the format in which key material is imported.
public enum AESKeyWrapPadded {
    /// Wraps key material of any length from one byte.
    public static func wrap(_ material: SecretBytes, under key: SecretBytes) throws -> [UInt8] {
        let wrapped = try material.withUnsafeBytes { try transform($0, key, encrypting: true) }
        return wrapped.withUnsafeBytes { Array($0) }
    }

    /// Unwraps; `authenticationFailed` for a wrong key or altered bytes.
    public static func unwrap(_ wrapped: [UInt8], under key: SecretBytes) throws -> SecretBytes {
        try wrapped.withUnsafeBytes { try transform($0, key, encrypting: false) }
    }

    private static func transform(_ input: UnsafeRawBufferPointer, _ key: SecretBytes, encrypting: Bool) throws
        -> SecretBytes
    {
        guard key.count == 32 else {
            throw CryptographyError.invalidLength(what: "the wrapping key", expected: "32", actual: key.count)
        }
        guard input.count > 0, encrypting || (input.count >= 16 && input.count % 8 == 0) else {
            throw CryptographyError.authenticationFailed
        }
        guard let context = EVP_CIPHER_CTX_new() else { throw CryptographyError.fromLibrary("key wrap") }
        defer { EVP_CIPHER_CTX_free(context) }
        defer { ERR_clear_error() }
        EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW)
        let ready = key.withUnsafeBytes { bytes in
            EVP_CipherInit_ex(
                context, EVP_aes_256_wrap_pad(), nil, bytes.bindMemory(to: UInt8.self).baseAddress, nil,
                encrypting ? 1 : 0)
        }
        try check(ready, "key wrap")
        var output = [UInt8](repeating: 0, count: input.count + 32)
        defer { wipe(&output) }
        var count: Int32 = 0
        let source = input.bindMemory(to: UInt8.self).baseAddress
        guard EVP_CipherUpdate(context, &output, &count, source, Int32(input.count)) == 1, count > 0 else {
            throw CryptographyError.authenticationFailed
        }
        return SecretBytes(count: Int(count)) { target in
            output.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<Int(count)])) }
        }
    }
}
