/// How long a zip is, from its members one by one. Keeps none of them.
public struct ZipMeasure: Sendable {
    /// Members so far.
    public private(set) var count = 0
    /// Length of their local headers and payloads: where the directory starts.
    private(set) var bodyBytes: Int64 = 0
    /// Length of the directory.
    private(set) var directoryBytes: Int64 = 0
    private var order = TreeOrder()

    /// Of a zip without members.
    public init() {}

    /// Adds a member. They come in the order of a tree walk: a directory is followed by what it holds, in bytewise order of
    /// the names.
    ///
    /// - Throws: what ``ZipLayout/init(entries:)`` throws, and when a member is out of order.
    public mutating func add(_ entry: ZipEntry) throws(ArchiveError) {
        try entry.check()
        try order.add(entry.name, isDirectory: entry.kind == .directory)
        advance(over: entry)
    }

    /// The same for a member that was checked.
    mutating func advance(over entry: ZipEntry) {
        directoryBytes += Int64(entry.centralHeaderBytes(localOffset: bodyBytes))
        bodyBytes += Int64(entry.localHeaderBytes) + entry.compressedSize
        count += 1
    }

    /// The whole archive's length.
    public var totalBytes: Int64 { bodyBytes + directoryBytes + Int64(endRecords.count) }

    /// What follows the directory (APPNOTE 4.3.14 to 4.3.16).
    var endRecords: [UInt8] {
        let end = bodyBytes + directoryBytes
        let needs64 =
            count >= Int(ZipFormat.max16) || bodyBytes >= Int64(ZipFormat.max32)
            || directoryBytes >= Int64(ZipFormat.max32)
        var bytes: [UInt8] = []
        if needs64 {
            bytes.append(little: ZipFormat.end64Signature)
            bytes.append(little: UInt64(ZipFormat.end64Bytes - 12))
            bytes.append(little: ZipEntry.madeBy)
            bytes.append(little: UInt16(45))
            bytes.append(little: UInt32(0))
            bytes.append(little: UInt32(0))
            bytes.append(little: UInt64(count))
            bytes.append(little: UInt64(count))
            bytes.append(little: UInt64(directoryBytes))
            bytes.append(little: UInt64(bodyBytes))
            bytes.append(little: ZipFormat.locator64Signature)
            bytes.append(little: UInt32(0))
            bytes.append(little: UInt64(end))
            bytes.append(little: UInt32(1))
        }
        bytes.append(little: ZipFormat.endSignature)
        bytes.append(little: UInt32(0))
        bytes.append(little: UInt16(clamping: count))
        bytes.append(little: UInt16(clamping: count))
        bytes.append(little: UInt32(clamping: directoryBytes))
        bytes.append(little: UInt32(clamping: bodyBytes))
        bytes.append(little: UInt16(0))
        return bytes
    }
}
