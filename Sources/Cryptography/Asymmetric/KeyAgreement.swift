import COpenSSL

extension AsymmetricPrivateKey {
    /// Elliptic-curve Diffie-Hellman (SP 800-56A §5.7.1.2): the raw x-coordinate shared with `peer`, whose point is
    /// checked to lie on the same curve.
    public func sharedSecret(with peer: AsymmetricPublicKey) throws -> SecretBytes {
        guard spec.isECDSA else { throw CryptographyError.unsupported("key agreement with a key of kind \(spec)") }
        guard peer.spec == spec else {
            throw CryptographyError.malformed("the other side's key lies on another curve (\(peer.spec), not \(spec))")
        }
        return try handle.withContext("key agreement") { context in
            try check(EVP_PKEY_derive_init(context), "key agreement")
            try check(EVP_PKEY_derive_set_peer(context, peer.handle.pointer), "key agreement")
            var count = 0
            try check(EVP_PKEY_derive(context, nil, &count), "key agreement")
            var secret = [UInt8](repeating: 0, count: count)
            defer { wipe(&secret) }
            try check(EVP_PKEY_derive(context, &secret, &count), "key agreement")
            return SecretBytes(count: count) { target in
                secret.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
            }
        }
    }
}
