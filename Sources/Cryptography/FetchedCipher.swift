import COpenSSL
import Synchronization

/// A cipher that is fetched once: an implicit fetch per use is slow in OpenSSL 3.0. A fetch that failed, for lack of memory
/// perhaps, is tried again at the next use.
///
/// Proof: the pointer is read and set under the lock and never changes once it is there, and libcrypto documents a fetched
/// cipher as immutable and its reference count as atomic.
final class FetchedCipher: @unchecked Sendable {
    private let name: String
    private let lock = Mutex(())
    private var fetched: OpaquePointer?

    init(_ name: String) { self.name = name }

    /// The cipher. It is never freed.
    func get() throws(CryptographyError) -> OpaquePointer {
        let cipher = lock.withLock { _ in
            if fetched == nil { fetched = EVP_CIPHER_fetch(nil, name, nil) }
            return fetched
        }
        guard let cipher else { throw .refused(.unsupported(name), "fetching \(name)") }
        return cipher
    }
}
