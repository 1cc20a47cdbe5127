import COpenSSL
import Synchronization

/// AES-256-GCM (NIST SP 800-38D) with 12-byte nonces and 16-byte tags.
public enum AES256GCM {
    /// Length of a key.
    public static let keyBytes = 32
    /// Length of a nonce.
    public static let nonceBytes = 12
    /// Length of a tag.
    public static let tagBytes = 16

    /// Ciphertext followed by its tag.
    public static func seal(
        key: SecretBytes, nonce: [UInt8], additionalData: [UInt8], _ plaintext: UnsafeRawBufferPointer
    ) throws(CryptographyError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: plaintext.count + tagBytes)
        let outcome = output.withUnsafeMutableBytes { out in
            key.withUnsafeBytes { key in
                nonce.withUnsafeBytes { nonce in
                    additionalData.withUnsafeBytes { data in
                        Result { () throws(CryptographyError) in
                            try seal(key: key, nonce: nonce, additionalData: data, plaintext, into: out)
                        }
                    }
                }
            }
        }
        try outcome.get()
        return output
    }

    /// Writes ciphertext and then its tag into `output`, which is longer than the plaintext by the tag.
    public static func seal(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, additionalData: UnsafeRawBufferPointer,
        _ plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) {
        precondition(output.count == plaintext.count + tagBytes, "the output is the ciphertext and its tag")
        let context = try GCMPool.take()
        defer { GCMPool.giveBack(context) }
        try context.value.seal(
            key: key, nonce: nonce, additionalData: additionalData, plaintext,
            into: UnsafeMutableRawBufferPointer(rebasing: output[..<plaintext.count]),
            tag: UnsafeMutableRawBufferPointer(rebasing: output[plaintext.count...]))
    }

    /// The plaintext of ciphertext followed by its tag.
    public static func open(
        key: SecretBytes, nonce: [UInt8], additionalData: [UInt8], _ sealed: UnsafeRawBufferPointer
    ) throws(CryptographyError) -> SecretBytes {
        let outcome = key.withUnsafeBytes { key in
            nonce.withUnsafeBytes { nonce in
                additionalData.withUnsafeBytes { data in
                    Result { () throws(CryptographyError) in
                        try open(key: key, nonce: nonce, additionalData: data, sealed)
                    }
                }
            }
        }
        return try outcome.get()
    }

    /// The plaintext of ciphertext followed by its tag.
    public static func open(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, additionalData: UnsafeRawBufferPointer,
        _ sealed: UnsafeRawBufferPointer
    ) throws(CryptographyError) -> SecretBytes {
        guard sealed.count >= tagBytes else {
            throw .invalidLength(what: "ciphertext", expected: "at least \(tagBytes)", actual: sealed.count)
        }
        let context = try GCMPool.take()
        defer { GCMPool.giveBack(context) }
        let count = sealed.count - tagBytes
        let body = UnsafeRawBufferPointer(rebasing: sealed[..<count])
        let tag = UnsafeRawBufferPointer(rebasing: sealed[count...])
        var failure: CryptographyError?
        let plaintext = SecretBytes(count: count) { output in
            do throws(CryptographyError) {
                try context.value.open(
                    key: key, nonce: nonce, additionalData: additionalData, body, tag: tag, into: output)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return plaintext
    }
}

/// Contexts between one-shot calls: making one costs more than a short message.
private enum GCMPool {
    /// Proof: the list, behind its lock, is the only owner of a context that is in it; `take` hands it to one caller, which
    /// gives it back when its call is over.
    struct Lent: @unchecked Sendable { let value: GCMContext }
    private static let idle = Mutex<[Lent]>([])

    static func take() throws(CryptographyError) -> Lent {
        if let context = idle.withLock({ $0.popLast() }) { return context }
        return Lent(value: try GCMContext())
    }

    static func giveBack(_ context: Lent) {
        idle.withLock { if $0.count < 16 { $0.append(context) } }
    }
}

private let aes256GCM = FetchedCipher("AES-256-GCM")

/// A reusable AES-256-GCM context, keyed anew for each message. Not thread-safe: one instance a worker.
public final class GCMContext {
    private let context: OpaquePointer
    private static let pieceBytes = 1 << 30

    /// An unkeyed context.
    public init() throws(CryptographyError) {
        let cipher = try aes256GCM.get()
        guard let context = EVP_CIPHER_CTX_new() else { throw .fromLibrary("EVP_CIPHER_CTX_new") }
        guard EVP_CipherInit_ex2(context, cipher, nil, nil, 1, nil) == 1 else {
            EVP_CIPHER_CTX_free(context)
            throw .fromLibrary("EVP_CipherInit_ex2")
        }
        self.context = context
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Encrypts `plaintext` into `output` (same length; may be the same memory) and writes the 16-byte tag.
    public func seal(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, additionalData: UnsafeRawBufferPointer,
        _ plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
        tag: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) {
        try start(key: key, nonce: nonce, additionalData: additionalData, encrypt: true)
        guard output.count == plaintext.count, tag.count == AES256GCM.tagBytes else {
            throw .invalidLength(what: "output", expected: "\(plaintext.count)", actual: output.count)
        }
        try transform(plaintext, into: output)
        var written: Int32 = 0
        var block: (UInt64, UInt64) = (0, 0)
        let finished = withUnsafeMutableBytes(of: &block) {
            EVP_CipherFinal_ex(context, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), &written)
        }
        guard finished == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(AES256GCM.tagBytes), tag.baseAddress) == 1
        else { throw .fromLibrary("AES-256-GCM sealing") }
    }

    /// Decrypts `ciphertext` into `output` (same length; may be the same memory) when the tag matches. On failure
    /// `output` is wiped.
    public func open(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, additionalData: UnsafeRawBufferPointer,
        _ ciphertext: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) {
        try start(key: key, nonce: nonce, additionalData: additionalData, encrypt: false)
        guard output.count == ciphertext.count, tag.count == AES256GCM.tagBytes else {
            throw .invalidLength(what: "output", expected: "\(ciphertext.count)", actual: output.count)
        }
        try transform(ciphertext, into: output)
        var expected: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &expected) { $0.copyMemory(from: tag) }
        var written: Int32 = 0
        var block: (UInt64, UInt64) = (0, 0)
        let authentic = withUnsafeMutableBytes(of: &expected) { expected in
            guard
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(AES256GCM.tagBytes), expected.baseAddress)
                    == 1
            else { return false }
            return withUnsafeMutableBytes(of: &block) {
                EVP_CipherFinal_ex(context, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), &written) == 1
            }
        }
        guard authentic else {
            wipe(output)
            ERR_clear_error()
            throw .authenticationFailed
        }
    }

    private func start(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, additionalData: UnsafeRawBufferPointer,
        encrypt: Bool
    ) throws(CryptographyError) {
        guard key.count == AES256GCM.keyBytes else {
            throw .invalidLength(what: "key", expected: "\(AES256GCM.keyBytes)", actual: key.count)
        }
        guard nonce.count == AES256GCM.nonceBytes else {
            throw .invalidLength(what: "nonce", expected: "\(AES256GCM.nonceBytes)", actual: nonce.count)
        }
        guard additionalData.count <= Int(Int32.max) else {
            throw .invalidLength(what: "additional data", expected: "at most 2 GiB", actual: additionalData.count)
        }
        let keyed = EVP_CipherInit_ex2(
            context, nil, key.baseAddress?.assumingMemoryBound(to: UInt8.self),
            nonce.baseAddress?.assumingMemoryBound(to: UInt8.self), encrypt ? 1 : 0, nil)
        guard keyed == 1 else { throw .fromLibrary("AES-256-GCM keying") }
        guard !additionalData.isEmpty else { return }
        var written: Int32 = 0
        let data = additionalData.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard EVP_CipherUpdate(context, nil, &written, data, Int32(additionalData.count)) == 1 else {
            throw .fromLibrary("AES-256-GCM additional data")
        }
    }

    private func transform(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CryptographyError) {
        var offset = 0
        while offset < input.count {
            let piece = min(Self.pieceBytes, input.count - offset)
            var written: Int32 = 0
            let moved = EVP_CipherUpdate(
                context, output.baseAddress?.advanced(by: offset).assumingMemoryBound(to: UInt8.self), &written,
                input.baseAddress?.advanced(by: offset).assumingMemoryBound(to: UInt8.self), Int32(piece))
            guard moved == 1, Int(written) == piece else { throw .fromLibrary("AES-256-GCM") }
            offset += piece
        }
    }
}
