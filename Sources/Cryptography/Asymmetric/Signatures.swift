import COpenSSL

extension AsymmetricPrivateKey {
    /// Signs a message or a digest. A digest of the wrong length and a scheme of another key kind are refused.
    public func sign(_ input: SignedInput, _ scheme: SignatureScheme) throws -> [UInt8] {
        guard scheme.suits(spec) else { throw CryptographyError.unsupported("\(scheme) with a key of kind \(spec)") }
        if case .ed25519 = scheme { return try signEd25519(input) }
        let digest = try scheme.digest(of: input)
        return try handle.withContext("signing") { context in
            try check(EVP_PKEY_sign_init(context), "signing")
            try scheme.configure(context)
            var count = 0
            try check(EVP_PKEY_sign(context, nil, &count, digest, digest.count), "signing")
            var signature = [UInt8](repeating: 0, count: count)
            try check(EVP_PKEY_sign(context, &signature, &count, digest, digest.count), "signing")
            return Array(signature.prefix(count))
        }
    }

    private func signEd25519(_ input: SignedInput) throws -> [UInt8] {
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
        if case .ed25519 = scheme { return try isValidEd25519(signature, input) }
        let digest = try scheme.digest(of: input)
        return try handle.withContext("verification") { context in
            try check(EVP_PKEY_verify_init(context), "verification")
            try scheme.configure(context)
            return EVP_PKEY_verify(context, signature, signature.count, digest, digest.count) == 1
        }
    }

    private func isValidEd25519(_ signature: [UInt8], _ input: SignedInput) throws -> Bool {
        guard let context = EVP_MD_CTX_new() else { throw CryptographyError.fromLibrary("verification") }
        defer { EVP_MD_CTX_free(context) }
        try check(EVP_DigestVerifyInit(context, nil, nil, nil, handle.pointer), "verification")
        return try input.withMessage { message in
            let text = message.bindMemory(to: UInt8.self).baseAddress
            return EVP_DigestVerify(context, signature, signature.count, text, message.count) == 1
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
