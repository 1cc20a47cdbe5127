import AWSProtocol

/// A `Range` header (RFC 9110 §14.2).
enum ByteRange {
    /// The range that `header` asks for of `size` bytes; `nil` when it asks for nothing that S3 serves as a range:
    /// another unit, several ranges or a malformed one. Throws `InvalidRange` when it lies outside.
    static func parse(_ header: String, size: Int64) throws(AWSError) -> Range<Int64>? {
        guard header.lowercased().hasPrefix("bytes="), !header.contains(",") else { return nil }
        let bounds = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2 else { return nil }
        let first = bounds[0].trimmingPrefix(while: { $0 == " " })
        if first.isEmpty {
            guard let suffix = Int64(bounds[1]), suffix >= 0 else { return nil }
            guard suffix > 0, size > 0 else { throw unsatisfiable(header, size) }
            return max(0, size - suffix)..<size
        }
        guard let start = Int64(first), start >= 0 else { return nil }
        var end = size
        if !bounds[1].isEmpty {
            guard let last = Int64(bounds[1]), last >= start else { return nil }
            end = last >= size ? size : last + 1
        }
        guard start < size else { throw unsatisfiable(header, size) }
        return start..<end
    }

    /// The range of a copy's source, whose both ends are given. Throws `InvalidArgument`, `InvalidRequest`.
    static func parseCopy(_ header: String, size: Int64) throws(AWSError) -> Range<Int64> {
        let name = "x-amz-copy-source-range"
        let bounds = header.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false)
        guard header.hasPrefix("bytes="), bounds.count == 2, let first = Int64(bounds[0]), let last = Int64(bounds[1]),
            first >= 0, last >= first
        else {
            throw S3Error.invalidArgument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are "
                    + "the zero-based offsets of the first and last bytes to copy", name: name, value: header)
        }
        guard first < size else {
            throw S3Error.invalidRequest("The specified copy range is invalid for the source object size")
        }
        guard last < size else {
            throw S3Error.invalidArgument(
                "Range specified is not valid for source object of size: \(size)", name: name, value: header)
        }
        return first..<(last + 1)
    }

    static func unsatisfiable(_ header: String, _ size: Int64) -> AWSError {
        AWSError(
            "InvalidRange", "The requested range is not satisfiable",
            fields: [("RangeRequested", header), ("ActualObjectSize", String(size))])
    }
}
