import COpenSSL

extension AsymmetricPrivateKey {
    /// Signs a message or a digest. A digest of the wrong length and a scheme of another key kind are refused.
    public func sign(_ input: SignedInput, _ scheme: SignatureScheme) throws -> [UInt8] {
        guard scheme.suits(spec) else { throw CryptographyError.unsupported("\(scheme) with a key of kind \(spec)") }
        if case .ed25519 = scheme { return try signEd25519(input) }
        let digest = try scheme.digest(of: input)
        guard spec.isRSA else { return try sign(digest, scheme) }
        // No RSA signature goes out that does not verify: a wrong one may give the key away (Boneh, DeMillo and Lipton, 1997).
        for _ in 0..<2 {
            let signature = try sign(digest, scheme)
            if try handle.verifies(signature, digest, scheme) { return signature }
            handle.renew()
        }
        throw CryptographyError.refused(.library(operation: "signing", code: 0), "signing")
    }

    private func sign(_ digest: [UInt8], _ scheme: SignatureScheme) throws -> [UInt8] {
        try handle.withContext("signing") { context in
            try check(EVP_PKEY_sign_init(context), "signing")
            try scheme.configure(context)
            var count = 0
            try check(EVP_PKEY_sign(context, nil, &count, digest, digest.count), "signing")
            var signature = [UInt8](repeating: 0, count: count)
            try check(EVP_PKEY_sign(context, &signature, &count, digest, digest.count), "signing")
            guard count > 0, count <= signature.count, spec.isRSA || Self.isWhole(signature, count) else {
                throw CryptographyError.refused(.library(operation: "signing", code: 0), "signing")
            }
            return Array(signature.prefix(count))
        }
    }

    /// Whether a DER sequence fills `count` bytes. libcrypto says that an ECDSA signature was made when there was no memory to
    /// encode it.
    private static func isWhole(_ encoded: [UInt8], _ count: Int) -> Bool {
        guard count > 3, encoded[0] == 0x30 else { return false }
        // P-521's are longer than 127 bytes, and none is longer than 255.
        return encoded[1] < 0x80 ? 2 + Int(encoded[1]) == count : encoded[1] == 0x81 && 3 + Int(encoded[2]) == count
    }

    private func signEd25519(_ input: SignedInput) throws -> [UInt8] {
        ERR_clear_error()
        guard let context = EVP_MD_CTX_new() else { throw CryptographyError.fromLibrary("signing") }
        defer { EVP_MD_CTX_free(context) }
        try check(EVP_DigestSignInit(context, nil, nil, nil, handle.pointer), "signing")
        var signature = [UInt8](repeating: 0, count: 64)
        var count = signature.count
        try input.withMessage { message in
            let text = message.bindMemory(to: UInt8.self).baseAddress
            try check(EVP_DigestSign(context, &signature, &count, text, message.count), "signing")
        }
        return signature
    }
}

extension AsymmetricPublicKey {
    /// Whether a signature is the key's own on a message or digest. Malformed signatures are simply not valid.
    public func isValid(signature: [UInt8], for input: SignedInput, _ scheme: SignatureScheme) throws -> Bool {
        guard scheme.suits(spec) else { throw CryptographyError.unsupported("\(scheme) with a key of kind \(spec)") }
        defer { ERR_clear_error() }
        if case .ed25519 = scheme { return try twice { try isValidEd25519(signature, input) } }
        let digest = try scheme.digest(of: input)
        return try twice { try handle.verifies(signature, digest, scheme) }
    }

    /// Asks again after a no: libcrypto says the same when it lacked the memory to look, not always with a reason.
    private func twice(_ isValid: () throws -> Bool) throws -> Bool {
        if try isValid() { return true }
        return try isValid()
    }

    private func isValidEd25519(_ signature: [UInt8], _ input: SignedInput) throws -> Bool {
        ERR_clear_error()
        guard let context = EVP_MD_CTX_new() else { throw CryptographyError.fromLibrary("verification") }
        defer { EVP_MD_CTX_free(context) }
        try check(EVP_DigestVerifyInit(context, nil, nil, nil, handle.pointer), "verification")
        return try input.withMessage { message in
            let text = message.bindMemory(to: UInt8.self).baseAddress
            return try verdict(EVP_DigestVerify(context, signature, signature.count, text, message.count))
        }
    }
}

/// What libcrypto found, when it could look.
private func verdict(_ result: Int32) throws -> Bool {
    if result == 1 { return true }
    if let failure = CryptographyError.memoryFailure("verification") { throw failure }
    return false
}

extension PKeyHandle {
    fileprivate func verifies(_ signature: [UInt8], _ digest: [UInt8], _ scheme: SignatureScheme) throws -> Bool {
        try withContext("verification") { context in
            try check(EVP_PKEY_verify_init(context), "verification")
            try scheme.configure(context)
            return try verdict(EVP_PKEY_verify(context, signature, signature.count, digest, digest.count))
        }
    }
}

extension SignedInput {
    /// Lends the message to a scheme that takes no digest.
    fileprivate func withMessage<R>(_ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        switch self {
        case .message(let message): return try message.withUnsafeBytes(body)
        case .secret(let message): return try message.withUnsafeBytes(body)
        case .digest: throw CryptographyError.unsupported("prehashed Ed25519; libcrypto 3.2 or newer has it")
        }
    }
}

extension SignatureScheme {
    /// The digest that the key operation takes.
    fileprivate func digest(of input: SignedInput) throws -> [UInt8] {
        guard let hash else { throw CryptographyError.unsupported("a digest for a scheme without one") }
        switch input {
        case .message(let message): return hash.digest(message)
        case .secret(let message): return message.withUnsafeBytes { hash.digest($0) }
        case .digest(let digest):
            guard digest.count == hash.digestBytes else {
                throw CryptographyError.invalidLength(
                    what: "the digest", expected: "\(hash.digestBytes)", actual: digest.count)
            }
            return digest
        }
    }

    /// Sets padding, salt and hash on a context that is ready to sign or verify.
    fileprivate func configure(_ context: OpaquePointer) throws {
        switch self {
        case .rsaPSS(let hash):
            try check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), "PSS padding")
            try check(EVP_PKEY_CTX_set_signature_md(context, hash.messageDigest), "signature hash")
            try check(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST), "PSS salt")
        case .rsaPKCS1(let hash):
            try check(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING), "PKCS#1 padding")
            try check(EVP_PKEY_CTX_set_signature_md(context, hash.messageDigest), "signature hash")
        case .ecdsa(let hash):
            try check(EVP_PKEY_CTX_set_signature_md(context, hash.messageDigest), "signature hash")
        case .ed25519: break
        }
    }
}
