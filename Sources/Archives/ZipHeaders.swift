/// The headers of one written member (APPNOTE 4.3.7 and 4.3.12).
extension ZipEntry {
    /// Host 3 (Unix), version 3.0, as Info-ZIP writes it.
    static let madeBy: UInt16 = 0x031E
    /// 1980-01-01, the earliest date that the format can express; the time of day is zero.
    private static let date: UInt16 = 0x0021

    /// The name as written: directories end in a slash.
    private var writtenName: [UInt8] { kind == .directory ? name + [UInt8(ascii: "/")] : name }
    private var writtenNameBytes: Int { name.count + (kind == .directory ? 1 : 0) }
    private var hasLargeSize: Bool {
        compressedSize >= Int64(ZipFormat.max32) || uncompressedSize >= Int64(ZipFormat.max32)
    }

    /// Length of the local header. Where either size needs ZIP64, the local header carries both.
    var localHeaderBytes: Int { ZipFormat.localBytes + writtenNameBytes + (hasLargeSize ? 20 : 0) }

    /// Length of the directory entry of a member whose local header starts at `localOffset`.
    func centralHeaderBytes(localOffset: Int64) -> Int {
        let extra = centralExtra(localOffset: localOffset)
        return ZipFormat.centralBytes + writtenNameBytes + extra.count
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
        bytes += writtenName
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
        let extra = centralExtra(localOffset: localOffset)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ZipFormat.centralBytes + writtenNameBytes + extra.count)
        bytes.append(little: ZipFormat.centralSignature)
        bytes.append(little: Self.madeBy)
        bytes.append(little: versionNeeded(large: !extra.isEmpty))
        appendCommon(to: &bytes, sizes: (UInt32(clamping: compressedSize), UInt32(clamping: uncompressedSize)))
        bytes.append(little: UInt16(extra.count))
        bytes.append(little: UInt16(0))
        bytes.append(little: UInt16(0))
        bytes.append(little: UInt16(0))
        bytes.append(little: externalAttributes)
        bytes.append(little: UInt32(clamping: localOffset))
        bytes += writtenName
        bytes += extra
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

    private func centralExtra(localOffset: Int64) -> [UInt8] {
        let limit = Int64(ZipFormat.max32)
        let values = [uncompressedSize, compressedSize, localOffset].filter { $0 >= limit }
        guard !values.isEmpty else { return [] }
        var bytes: [UInt8] = []
        bytes.append(little: UInt16(1))
        bytes.append(little: UInt16(values.count * 8))
        for value in values { bytes.append(little: UInt64(value)) }
        return bytes
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
