/// Compares bytes that have no lines.
enum BinaryComparer {
    /// A summary of where two contents, known to differ, differ.
    static func compare(old: [UInt8], new: [UInt8], keepingBytes: Bool) -> BinaryDiff {
        let (prefix, suffix) = commonEnds(old, new)
        return BinaryDiff(
            format: format(of: new) ?? format(of: old), commonPrefix: Int64(prefix), commonSuffix: Int64(suffix),
            differingBytes: Int64(
                unmatched(old[prefix..<(old.count - suffix)], new[prefix..<(new.count - suffix)])), parts: nil,
            oldBytes: keepingBytes ? DiffText(old) : nil, newBytes: keepingBytes ? DiffText(new) : nil)
    }

    private static func commonEnds(_ old: [UInt8], _ new: [UInt8]) -> (prefix: Int, suffix: Int) {
        old.withUnsafeBufferPointer { old in
            new.withUnsafeBufferPointer { new in
                let shorter = min(old.count, new.count)
                var prefix = 0
                while prefix < shorter, old[prefix] == new[prefix] { prefix += 1 }
                var suffix = 0
                while suffix < shorter - prefix, old[old.count - 1 - suffix] == new[new.count - 1 - suffix] {
                    suffix += 1
                }
                return (prefix, suffix)
            }
        }
    }

    /// Bytes of `new` that lie in no block of `old`, wherever that block moved: blocks of `old` by rolling hash, `new`
    /// scanned at every offset.
    private static func unmatched(_ old: ArraySlice<UInt8>, _ new: ArraySlice<UInt8>) -> Int {
        // At most some 32,000 blocks, so that memory does not follow the size of the input.
        var block = 64
        while old.count / block > 32_768 { block *= 2 }
        guard old.count >= block, new.count >= block else { return new.count }
        let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15 | 1
        var leading: UInt64 = 1
        for _ in 1..<block { leading = leading &* multiplier }
        return old.withUnsafeBufferPointer { old in
            new.withUnsafeBufferPointer { new in
                var known = Set<UInt64>(minimumCapacity: old.count / block)
                // Most offsets start no known block; a bit decides that without a look into the set.
                var isLikely = [Bool](repeating: false, count: 1 << 20)
                for start in stride(from: 0, through: old.count - block, by: block) {
                    var hash: UInt64 = 0
                    for index in start..<(start + block) { hash = hash &* multiplier &+ UInt64(old[index]) &+ 1 }
                    known.insert(hash)
                    isLikely[Int(hash >> 44)] = true
                }
                var missing = 0
                var start = 0
                var hash: UInt64?
                while start + block <= new.count {
                    if hash == nil {
                        hash = new[start..<(start + block)].reduce(0) { $0 &* multiplier &+ UInt64($1) &+ 1 }
                    }
                    guard let current = hash else { break }
                    if isLikely[Int(current >> 44)], known.contains(current) {
                        start += block
                        hash = nil
                    } else {
                        if start + block < new.count {
                            let gone = (UInt64(new[start]) &+ 1) &* leading
                            hash = (current &- gone) &* multiplier &+ UInt64(new[start + block]) &+ 1
                        }
                        missing += 1
                        start += 1
                    }
                }
                return missing + new.count - start
            }
        }
    }

    private static let signatures: [(offset: Int, bytes: [UInt8], name: String)] = [
        (0, [0x7F, 0x45, 0x4C, 0x46], "ELF"), (0, [0x89, 0x50, 0x4E, 0x47], "PNG"), (0, [0xFF, 0xD8, 0xFF], "JPEG"),
        (0, [0x47, 0x49, 0x46, 0x38], "GIF"), (0, [0xCA, 0xFE, 0xBA, 0xBE], "Java class or fat Mach-O"),
        (0, [0xCF, 0xFA, 0xED, 0xFE], "Mach-O"), (0, [0x4D, 0x5A], "PE"), (0, [0x00, 0x61, 0x73, 0x6D], "WebAssembly"),
        (0, [0x25, 0x50, 0x44, 0x46], "PDF"), (0, [0xFD, 0x37, 0x7A, 0x58, 0x5A], "xz"),
        (0, [0x28, 0xB5, 0x2F, 0xFD], "zstd"), (0, [0x42, 0x5A, 0x68], "bzip2"),
        (0, Array("SQLite format 3".utf8), "SQLite"), (0, [0x50, 0x4B, 3, 4], "zip"), (0, [0x1F, 0x8B], "gzip"),
        (0, Array("!<arch>\n".utf8), "ar"), (257, Array("ustar".utf8), "tar"), (8, Array("WEBP".utf8), "WebP"),
    ]

    /// The kind of content, by its signature.
    static func format(of bytes: [UInt8]) -> String? {
        signatures.first { bytes.dropFirst($0.offset).starts(with: $0.bytes) }?.name
    }
}
