/// What a member of an archive is.
public enum MemberKind: String, Sendable, Hashable, Codable {
    /// A regular file.
    case file
    /// A directory.
    case directory
    /// A symbolic link; its content is the target.
    case symlink
}

/// How a zip member's bytes are stored (APPNOTE 4.4.5).
public enum ZipMethod: Hashable, Sendable {
    /// As they are.
    case stored
    /// RFC 1951.
    case deflate
    /// Something this module does not expand.
    case other(UInt16)

    /// From the number in the archive.
    public init(code: UInt16) {
        switch code {
        case 0: self = .stored
        case 8: self = .deflate
        default: self = .other(code)
        }
    }

    /// The number in the archive.
    public var code: UInt16 {
        switch self {
        case .stored: 0
        case .deflate: 8
        case .other(let code): code
        }
    }
}

/// One entry of a zip's central directory.
public struct ZipMember: Sendable, Hashable {
    /// The checked name.
    public let name: EntryName
    /// The name exactly as archived.
    public let rawName: [UInt8]
    /// File, directory or symbolic link.
    public let kind: MemberKind
    /// Unix permission bits (`0o7777`), made up from the kind where the archive has none.
    public let permissions: UInt16
    /// Whether the archive recorded a Unix mode.
    public let hasUnixMode: Bool
    /// How the bytes are stored.
    public let method: ZipMethod
    /// CRC-32 of the expanded bytes.
    public let crc32: UInt32
    /// Stored length in bytes.
    public let compressedSize: Int64
    /// Expanded length in bytes.
    public let uncompressedSize: Int64
    /// Where the member's local header starts.
    public let localHeaderOffset: Int64
    /// First byte after `localHeaderOffset` that belongs to something else.
    public let boundary: Int64
    /// Modification time in seconds since 1970, taken as UTC where the archive has local time only.
    public let modified: Int64
    /// The general purpose flags.
    public let flags: UInt16

    /// Whether the content is encrypted; such members are listed but not expanded.
    public var isEncrypted: Bool { flags & 0x0041 != 0 }
    /// Whether sizes and CRC follow the data in a descriptor.
    public var hasDescriptor: Bool { flags & 0x0008 != 0 }
    /// The name as text, with invalid UTF-8 repaired.
    public var path: String { name.description }
}

/// Signatures and widths of APPNOTE 4.3.
enum ZipFormat {
    static let localSignature: UInt32 = 0x0403_4b50
    static let centralSignature: UInt32 = 0x0201_4b50
    static let endSignature: UInt32 = 0x0605_4b50
    static let end64Signature: UInt32 = 0x0606_4b50
    static let locator64Signature: UInt32 = 0x0706_4b50
    static let descriptorSignature: UInt32 = 0x0807_4b50
    static let localBytes = 30
    static let centralBytes = 46
    static let endBytes = 22
    static let end64Bytes = 56
    static let locator64Bytes = 20
    static let max16 = UInt16.max
    static let max32 = UInt32.max

    /// Seconds since 1970 of an MS-DOS date and time, read as UTC.
    static func seconds(dosDate date: UInt16, time: UInt16) -> Int64 {
        let year = 1980 + Int64(date >> 9)
        let month = min(max(Int64(date >> 5 & 15), 1), 12)
        let day = max(Int64(date & 31), 1)
        return days(year: year, month: month, day: day) * 86_400
            + Int64(time >> 11) * 3_600 + Int64(time >> 5 & 63) * 60 + Int64(time & 31) * 2
    }

    /// Days from 1970-01-01 in the proleptic Gregorian calendar.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        // Years are counted from March, so that the leap day comes last; 400 years have 146,097 days.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
