/// What a file consists of, for telling how much of it another file shares: the bytes in each distinct line, or in each
/// block of files without lines.
struct SimilaritySignature: Sendable {
    private var weights: [UInt64: Int64] = [:]
    private var total: Int64 = 0

    init(_ content: [UInt8]) {
        total = Int64(content.count)
        content.withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                var end = start
                var hash: UInt64 = 0xCBF2_9CE4_8422_2325
                // Lines, cut at 64 bytes so that content without line feeds has parts too.
                while end < bytes.count, end - start < 64 {
                    let byte = bytes[end]
                    hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
                    end += 1
                    if byte == 0x0A { break }
                }
                weights[hash, default: 0] += Int64(end - start)
                start = end
            }
        }
    }

    /// The shared part in percent of the larger file.
    func percentage(with other: SimilaritySignature) -> Int {
        guard total > 0, other.total > 0 else { return 0 }
        let (small, large) = weights.count <= other.weights.count ? (self, other) : (other, self)
        var shared: Int64 = 0
        for (hash, weight) in small.weights {
            if let theirs = large.weights[hash] { shared += min(weight, theirs) }
        }
        return Int(shared * 100 / max(total, other.total))
    }
}
