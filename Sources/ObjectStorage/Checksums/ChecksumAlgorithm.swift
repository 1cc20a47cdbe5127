/// The checksums that S3 clients may send along with an object.
public enum ChecksumAlgorithm: String, Sendable, Hashable, CaseIterable, Codable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    /// `x-amz-checksum-crc32` and its like.
    public var headerName: String { "x-amz-checksum-\(rawValue.lowercased())" }

    /// The element that carries the value in XML, such as `ChecksumCRC32`.
    public var elementName: String { "Checksum\(rawValue)" }

    /// The length of the raw value.
    public var byteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// Whether the checksum of a whole can be computed from those of its parts.
    public var isLinear: Bool {
        switch self {
        case .crc32, .crc32c, .crc64nvme: true
        case .sha1, .sha256: false
        }
    }

    /// The kind of checksum an object uploaded in parts gets when the client does not choose.
    public var multipartDefault: ObjectChecksum.Kind { self == .crc64nvme ? .fullObject : .composite }

    /// Whether S3 allows `kind` with this algorithm for objects uploaded in parts.
    public func allows(_ kind: ObjectChecksum.Kind) -> Bool {
        switch kind {
        case .fullObject: isLinear
        case .composite: self != .crc64nvme
        }
    }
}

/// A checksum of an object's plaintext.
public struct ObjectChecksum: Sendable, Hashable {
    /// What the value covers.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// All bytes of the object.
        case fullObject = "FULL_OBJECT"
        /// The raw checksums of the parts, one after the other; the value ends in `-` and the number of parts.
        case composite = "COMPOSITE"
    }

    /// The algorithm.
    public let algorithm: ChecksumAlgorithm
    /// What the value covers.
    public let kind: Kind
    /// Base64 of the big-endian value, with `-N` when composite.
    public let value: String

    /// A checksum.
    public init(algorithm: ChecksumAlgorithm, kind: Kind = .fullObject, value: String) {
        self.algorithm = algorithm
        self.kind = kind
        self.value = value
    }
}
