/// The fields of a zip extra block that matter here: ZIP64 sizes (0x0001) and the extended timestamp (0x5455).
struct ZipExtra {
    /// Which fixed fields are saturated and therefore found in the ZIP64 field, in this order.
    struct Wanted {
        var uncompressed = false
        var compressed = false
        var offset = false
    }

    var uncompressed: Int64?
    var compressed: Int64?
    var offset: Int64?
    var modified: Int64?

    init(_ block: ArraySlice<UInt8>, at fileOffset: Int64, wants: Wanted) throws(ArchiveError) {
        var rest = block
        var sawSizes = false
        while rest.count >= 4 {
            let id = UInt16(rest.little(2))
            let length = Int(rest.dropFirst(2).little(2))
            rest = rest.dropFirst(4)
            // Android's zipalign leaves zero padding that is no field; anything else that overruns is ignored as text is.
            guard length <= rest.count else { break }
            let body = rest.prefix(length)
            rest = rest.dropFirst(length)
            switch id {
            case 0x0001 where !sawSizes:
                try readSizes(body, wants: wants, at: fileOffset)
                sawSizes = true
            case 0x5455 where body.count >= 5 && (body.first ?? 0) & 1 != 0:
                modified = Int64(Int32(truncatingIfNeeded: body.dropFirst().little(4)))
            default: break
            }
        }
        if (wants.uncompressed || wants.compressed || wants.offset) && !sawSizes {
            // A size of exactly 2^32-1 without a ZIP64 field is not a ZIP64 entry (APPNOTE 4.4.8); keep it as it is.
            return
        }
    }

    private mutating func readSizes(
        _ body: ArraySlice<UInt8>, wants: Wanted, at fileOffset: Int64
    ) throws(ArchiveError) {
        var rest = body
        func take() throws(ArchiveError) -> Int64 {
            guard rest.count >= 8, let value = Int64(exactly: rest.little(8)), value < 1 << 62 else {
                throw .malformed(.zip, at: fileOffset, reason: "the ZIP64 field is too short or its value too large")
            }
            rest = rest.dropFirst(8)
            return value
        }
        if wants.uncompressed { uncompressed = try take() }
        if wants.compressed { compressed = try take() }
        if wants.offset { offset = try take() }
    }
}

extension ArraySlice<UInt8> {
    /// The first `count` bytes (at most 8) as a little-endian number.
    func little(_ count: Int) -> UInt64 {
        prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
