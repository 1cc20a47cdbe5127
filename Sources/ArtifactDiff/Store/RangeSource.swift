import Archives
import Synchronization

/// Random access over something that reads ranges, where each read has a price: reads are widened to blocks, and the last
/// blocks are kept.
final class RangeSource: RandomAccess {
    private static let blockBytes: Int64 = 1 << 20
    private static let keptBlocks = 8

    let byteCount: Int64
    private let fetch: @Sendable (Range<Int64>) async throws -> [UInt8]
    /// The blocks read last, the oldest first.
    private let blocks = Mutex<[(index: Int64, bytes: [UInt8])]>([])

    init(byteCount: Int64, fetch: @escaping @Sendable (Range<Int64>) async throws -> [UInt8]) {
        self.byteCount = byteCount
        self.fetch = fetch
    }

    func read(at offset: Int64, count: Int) async throws -> [UInt8] {
        let end = offset + Int64(count)
        guard offset >= 0, count >= 0, end <= byteCount else {
            throw ArchiveError.truncated(.zip, at: offset, needed: Int64(count), available: byteCount - offset)
        }
        guard Int64(count) <= Self.blockBytes else { return try await fetch(offset..<end) }
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var position = offset
        while position < end {
            let index = position / Self.blockBytes
            let start = index * Self.blockBytes
            let bytes = try await block(index)
            let stop = min(end, start + Int64(bytes.count))
            guard stop > position else {
                throw ArchiveError.truncated(.zip, at: position, needed: end - position, available: 0)
            }
            result += bytes[Int(position - start)..<Int(stop - start)]
            position = stop
        }
        return result
    }

    private func block(_ index: Int64) async throws -> [UInt8] {
        if let known = blocks.withLock({ $0.first { $0.index == index }?.bytes }) { return known }
        let start = index * Self.blockBytes
        let bytes = try await fetch(start..<min(byteCount, start + Self.blockBytes))
        blocks.withLock { blocks in
            // Two readers may have fetched the same block; either copy will do.
            guard !blocks.contains(where: { $0.index == index }) else { return }
            blocks.append((index, bytes))
            if blocks.count > Self.keptBlocks { blocks.removeFirst() }
        }
        return bytes
    }
}
