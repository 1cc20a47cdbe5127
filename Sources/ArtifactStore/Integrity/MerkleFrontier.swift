import Cryptography

/// The right edge of a Merkle tree as in RFC 6962 §2.1: enough to append leaves and to tell the root.
struct MerkleFrontier: Sendable, Hashable {
    /// Leaves so far.
    private(set) var size: Int64 = 0
    /// Roots of the complete subtrees, largest first.
    private var peaks: [SHA256Digest] = []

    /// Appends the hash of a leaf.
    mutating func append(_ leaf: SHA256Digest) {
        var node = leaf
        var index = size
        while index & 1 == 1 {
            node = Self.join(peaks.removeLast(), node)
            index >>= 1
        }
        peaks.append(node)
        size += 1
    }

    /// The tree's root; of an empty tree the hash of nothing.
    var root: SHA256Digest {
        guard var result = peaks.last else { return SHA256.digest([]) }
        for peak in peaks.dropLast().reversed() { result = Self.join(peak, result) }
        return result
    }

    private static func join(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
        SHA256.digest([1] + left.bytes + right.bytes)
    }
}
