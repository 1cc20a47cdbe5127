import COpenSSL

private let aes128ECB = FetchedCipher("AES-128-ECB")

/// AES-128 (FIPS 197) as a pseudo-random permutation of single blocks, many at a time. Not a mode for messages: equal
/// blocks give equal results, which is what a function is for. Not thread-safe: one instance a worker.
public final class AES128Blocks {
    /// Length of a key.
    public static let keyBytes = 16
    /// Length of a block.
    public static let blockBytes = 16

    private let context: OpaquePointer

    /// The permutation of one key of 16 bytes.
    public init(key: SecretBytes) throws(CryptographyError) {
        guard key.count == Self.keyBytes else {
            throw .invalidLength(what: "key", expected: "\(Self.keyBytes)", actual: key.count)
        }
        let cipher = try aes128ECB.get()
        guard let context = EVP_CIPHER_CTX_new() else { throw .fromLibrary("EVP_CIPHER_CTX_new") }
        self.context = context
        let isKeyed = key.withUnsafeBytes { bytes in
            EVP_EncryptInit_ex2(context, cipher, bytes.bindMemory(to: UInt8.self).baseAddress, nil, nil) == 1
                && EVP_CIPHER_CTX_set_padding(context, 0) == 1
        }
        guard isKeyed else { throw .fromLibrary("EVP_EncryptInit_ex2") }
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Replaces every block by its image.
    ///
    /// - Parameter blocks: a whole number of blocks.
    public func permute(_ blocks: UnsafeMutableRawBufferPointer) throws(CryptographyError) {
        guard blocks.count % Self.blockBytes == 0, blocks.count <= 1 << 30 else {
            throw .invalidLength(what: "blocks", expected: "a multiple of 16", actual: blocks.count)
        }
        guard let start = blocks.bindMemory(to: UInt8.self).baseAddress else { return }
        var written: Int32 = 0
        guard EVP_EncryptUpdate(context, start, &written, start, Int32(blocks.count)) == 1,
            Int(written) == blocks.count
        else { throw .fromLibrary("EVP_EncryptUpdate") }
    }
}
