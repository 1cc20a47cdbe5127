/// The headers of one written member (APPNOTE 4.3.7 and 4.3.12).
extension ZipEntry {
    /// Host 3 (Unix), version 3.0, as Info-ZIP writes it.
    static let madeBy: UInt16 = 0x031E
    /// 1980-01-01, the earliest date that the format can express; the time of day is zero.
    private static let date: UInt16 = 0x0021

    /// Directories end in a slash.
    private var writtenNameBytes: Int { name.count + (kind == .directory ? 1 : 0) }
    private var hasLargeSize: Bool {
        compressedSize >= Int64(ZipFormat.max32) || uncompressedSize >= Int64(ZipFormat.max32)
    }

    /// Length of the local header. Where either size needs ZIP64, the local header carries both.
    var localHeaderBytes: Int { ZipFormat.localBytes + writtenNameBytes + (hasLargeSize ? 20 : 0) }

    /// Length of the directory entry of a member whose local header starts at `localOffset`.
    func centralHeaderBytes(localOffset: Int64) -> Int {
        ZipFormat.centralBytes + writtenNameBytes + centralExtraBytes(localOffset: localOffset)
    }

    /// The local header.
    func localHeader() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(localHeaderBytes)
        bytes.append(little: ZipFormat.localSignature)
        bytes.append(little: versionNeeded(large: hasLargeSize))
        appendCommon(
            to: &bytes, sizes: hasLargeSize ? (.max, .max) : (UInt32(compressedSize), UInt32(uncompressedSize)))
        bytes.append(little: UInt16(hasLargeSize ? 20 : 0))
        appendName(to: &bytes)
        if hasLargeSize {
            bytes.append(little: UInt16(1))
            bytes.append(little: UInt16(16))
            bytes.append(little: UInt64(uncompressedSize))
            bytes.append(little: UInt64(compressedSize))
        }
        return bytes
    }

    /// The directory entry of a member whose local header starts at `localOffset`.
    func centralHeader(localOffset: Int64) -> [UInt8] {
        let extraBytes = centralExtraBytes(localOffset: localOffset)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ZipFormat.centralBytes + writtenNameBytes + extraBytes)
        bytes.append(little: ZipFormat.centralSignature)
        bytes.append(little: Self.madeBy)
        bytes.append(little: versionNeeded(large: extraBytes > 0))
        appendCommon(to: &bytes, sizes: (UInt32(clamping: compressedSize), UInt32(clamping: uncompressedSize)))
        bytes.append(little: UInt16(extraBytes))
        bytes.append(little: UInt16(0))
        bytes.append(little: UInt16(0))
        bytes.append(little: UInt16(0))
        bytes.append(little: externalAttributes)
        bytes.append(little: UInt32(clamping: localOffset))
        appendName(to: &bytes)
        if extraBytes > 0 {
            bytes.append(little: UInt16(1))
            bytes.append(little: UInt16(extraBytes - 4))
            for value in [uncompressedSize, compressedSize, localOffset] where value >= Int64(ZipFormat.max32) {
                bytes.append(little: UInt64(value))
            }
        }
        return bytes
    }

    /// From the flags to the length of the name, which both headers share.
    private func appendCommon(to bytes: inout [UInt8], sizes: (compressed: UInt32, uncompressed: UInt32)) {
        bytes.append(little: flags)
        bytes.append(little: method.code)
        bytes.append(little: UInt16(0))
        bytes.append(little: Self.date)
        bytes.append(little: crc32)
        bytes.append(little: sizes.compressed)
        bytes.append(little: sizes.uncompressed)
        bytes.append(little: UInt16(writtenNameBytes))
    }

    private func appendName(to bytes: inout [UInt8]) {
        bytes += name
        if kind == .directory { bytes.append(UInt8(ascii: "/")) }
    }

    /// Length of the ZIP64 field, which has those values that their own fields cannot hold.
    private func centralExtraBytes(localOffset: Int64) -> Int {
        let limit = Int64(ZipFormat.max32)
        var count = 0
        if uncompressedSize >= limit { count += 1 }
        if compressedSize >= limit { count += 1 }
        if localOffset >= limit { count += 1 }
        return count == 0 ? 0 : 4 + 8 * count
    }

    /// Bit 11 says that the name is UTF-8; plain ASCII needs no saying.
    private var flags: UInt16 {
        let isASCII = name.allSatisfy { $0 < 0x80 }
        return !isASCII && String(validating: name, as: UTF8.self) != nil ? 0x0800 : 0
    }

    private func versionNeeded(large: Bool) -> UInt16 {
        if large { return 45 }
        return method == .deflate || kind == .directory ? 20 : 10
    }

    private var externalAttributes: UInt32 {
        let type: UInt32 =
            switch kind {
            case .file: 0o100000
            case .directory: 0o040000
            case .symlink: 0o120000
            }
        return (type | UInt32(permissions & 0o7777)) << 16 | (kind == .directory ? 0x10 : 0)
    }
}
