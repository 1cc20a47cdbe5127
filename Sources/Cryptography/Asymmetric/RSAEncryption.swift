import COpenSSL

extension AsymmetricPublicKey {
    /// RSAES-OAEP (RFC 8017 §7.1) with an empty label; the hash serves MGF1 too.
    public func encryptOAEP(_ plaintext: SecretBytes, hash: HashAlgorithm) throws -> [UInt8] {
        guard spec.isRSA else { throw CryptographyError.unsupported("OAEP with a key of kind \(spec)") }
        return try handle.withContext("OAEP encryption") { context in
            try check(EVP_PKEY_encrypt_init(context), "OAEP encryption")
            try configureOAEP(context, hash)
            return try plaintext.withUnsafeBytes { bytes in
                let input = bytes.bindMemory(to: UInt8.self).baseAddress
                var count = 0
                try check(EVP_PKEY_encrypt(context, nil, &count, input, bytes.count), "OAEP encryption")
                var ciphertext = [UInt8](repeating: 0, count: count)
                try check(EVP_PKEY_encrypt(context, &ciphertext, &count, input, bytes.count), "OAEP encryption")
                return Array(ciphertext.prefix(count))
            }
        }
    }

    /// The longest plaintext that OAEP takes under this key, in bytes.
    public func oaepBytesMax(hash: HashAlgorithm) -> Int {
        max(0, Int(EVP_PKEY_get_size(handle.pointer)) - 2 * hash.digestBytes - 2)
    }
}

extension AsymmetricPrivateKey {
    /// Opens RSAES-OAEP. Whatever is wrong with a ciphertext, the failure is the same `authenticationFailed`, so that none
    /// tells more than another.
    public func decryptOAEP(_ ciphertext: [UInt8], hash: HashAlgorithm) throws -> SecretBytes {
        guard spec.isRSA else { throw CryptographyError.unsupported("OAEP with a key of kind \(spec)") }
        defer { ERR_clear_error() }
        // Every failure is tried again with a fresh copy of the key, as libcrypto's may have become unusable.
        if let plaintext = try openOAEP(ciphertext, hash) { return plaintext }
        handle.renew()
        guard let plaintext = try openOAEP(ciphertext, hash) else { throw CryptographyError.authenticationFailed }
        return plaintext
    }

    private func openOAEP(_ ciphertext: [UInt8], _ hash: HashAlgorithm) throws -> SecretBytes? {
        try handle.withContext("OAEP decryption") { context in
            try check(EVP_PKEY_decrypt_init(context), "OAEP decryption")
            try configureOAEP(context, hash)
            let size = Int(EVP_PKEY_get_size(handle.pointer))
            guard ciphertext.count == size else { return nil }
            var plaintext = [UInt8](repeating: 0, count: size)
            defer { wipe(&plaintext) }
            var count = size
            guard EVP_PKEY_decrypt(context, &plaintext, &count, ciphertext, ciphertext.count) == 1 else {
                if let failure = CryptographyError.memoryFailure("OAEP decryption") { throw failure }
                return nil
            }
            return SecretBytes(count: count) { target in
                plaintext.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
            }
        }
    }
}

private func configureOAEP(_ context: OpaquePointer, _ hash: HashAlgorithm) throws {
    try check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), "OAEP padding")
    try check(EVP_PKEY_CTX_set_rsa_oaep_md(context, hash.messageDigest), "OAEP hash")
    try check(EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash.messageDigest), "OAEP hash")
}
