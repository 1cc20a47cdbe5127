public import Cryptography

/// One file, directory or symlink that an upload is to consist of, named before its content is sent.
public struct UploadEntry: Sendable, Hashable {
    /// What an entry is.
    public enum Content: Sendable, Hashable {
        /// A file of so many bytes with this SHA-256.
        case file(SHA256Digest, Int64)
        /// A directory.
        case directory
        /// A symlink and where it points.
        case symlink([UInt8])
    }

    /// The path's bytes, `/` between names; empty for the one file of an upload that is a run of bytes.
    public let path: [UInt8]
    /// Permission bits, 0…0o777.
    public let mode: UInt32
    /// File, directory or symlink.
    public let content: Content

    /// An entry from its parts.
    public init(path: [UInt8], mode: UInt32, content: Content) {
        self.path = path
        self.mode = mode
        self.content = content
    }
}

/// What a store lacks of the entries that it was offered. Entries are numbered from 0 in the order of all offers.
public struct UploadNeeds: Sendable, Hashable {
    /// Files whose content must be sent, each content once.
    public var files: [Int] = []
    /// Of those, the ones of which a beginning is there already, with its length in bytes.
    public var begun: [Int: Int64] = [:]
    /// Of those, the ones of which the sender may read an earlier state: see ``Upload/pieces(of:)``.
    public var similar: [Int] = []

    /// Nothing is needed.
    public init() {}
}

/// A piece of an earlier state of a file: how long it is and what its bytes hash to.
public struct UploadPiece: Sendable, Hashable {
    /// Length in bytes.
    public let byteCount: Int
    /// The first 16 bytes of the piece's SHA-256. Good enough to propose a copy: the whole file is compared with its full
    /// digest in the end.
    public let mark: Mark

    /// 16 bytes of a digest.
    public struct Mark: Sendable, Hashable {
        /// Bytes 0…7, big-endian.
        public let high: UInt64
        /// Bytes 8…15, big-endian.
        public let low: UInt64

        /// A mark from its halves.
        public init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
    }

    /// A piece from its parts.
    public init(byteCount: Int, mark: Mark) {
        self.byteCount = byteCount
        self.mark = mark
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        byteCount = bytes.count
        mark = SHA256.digest(bytes).withUnsafeBytes { digest in
            Mark(
                high: UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }
}
