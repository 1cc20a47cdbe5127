import Cryptography
import Synchronization

/// Ids under which requests are answered and logged.
public enum RequestID {
    /// A fresh lower-case UUID, as the JSON and Query services send it.
    public static func make() -> String {
        var bytes = drawn.withLock { drawn in
            // Many at a time: a draw costs the generator the same for one as for sixty-four, and an ID is no secret.
            if drawn.isEmpty { drawn = SecureRandom.bytes(16 * 64) }
            defer { drawn.removeLast(16) }
            return Array(drawn.suffix(16))
        }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return Hex.uuidText(bytes)
    }

    private static let drawn = Mutex<[UInt8]>([])

    /// The sixteen upper-case characters by which S3 names the request with this id.
    public static func s3Form(_ requestID: String) -> String {
        String(requestID.filter { $0 != "-" }.prefix(16)).uppercased()
    }
}
