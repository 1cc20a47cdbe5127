import Archives
import Synchronization

/// Reads a range of a ZIP in pieces. One caller at a time.
final class ZipStream: @unchecked Sendable {
    // Proof: a `ByteStream` pulls from one task at a time and awaits each pull, which orders all access.
    private let context: ReadContext
    private var segments: ZipSegments
    private let plan: ZipPlan
    /// Where the payloads come from when the plan does not hold them.
    private var tree: TreeCursor
    /// The number that the tree's next entry has among the ZIP's members; nil before the first payload.
    private var treeIndex: Int?
    private var member: (payload: MemberPayload, position: Int64, range: Range<Int64>)?
    private var ready: [[UInt8]] = []
    private var nextReady = 0

    init(_ context: ReadContext, _ plan: ZipPlan, range: Range<Int64>) {
        self.context = context
        segments = plan.layout.segments(in: range)
        self.plan = plan
        tree = TreeCursor(context, plan.root)
    }

    func pull() async throws -> [UInt8]? {
        while nextReady >= ready.count {
            let isAtEnd = try await context.pool.run { [self] in try context.guarding { try fill() } }
            if isAtEnd { return nil }
        }
        defer { nextReady += 1 }
        return ready[nextReady]
    }

    private enum Source {
        case literal([UInt8])
        case piece(MemberPayload.Piece, Range<Int>)
    }

    /// Bytes and pieces that are read together.
    private static let batchBytes = 1 << 20
    private static let batchPieces = 512
    /// Literals are joined up to about this size, so that a ZIP of many tiny files is not many tiny pieces.
    private static let joinedBytes = 128 << 10
    private static let pieceMaximum = 256 << 10

    /// Collects about a megabyte and reads it side by side. Tells whether the end was reached.
    private func fill() throws -> Bool {
        var results: [[UInt8]] = []
        var pieces: [(position: Int, piece: MemberPayload.Piece, range: Range<Int>)] = []
        var literal: [UInt8] = []
        var bytes = 0
        while bytes < Self.batchBytes, pieces.count < Self.batchPieces, let source = try nextSource() {
            switch source {
            case .literal(let more):
                bytes += more.count
                literal += more
                if literal.count < Self.joinedBytes { continue }
                results.append(literal)
                literal = []
            case .piece(let piece, let range):
                bytes += range.count
                results.append(literal)
                literal = []
                pieces.append((results.count, piece, range))
                results.append([])
            }
        }
        results.append(literal)
        let (context, work) = (context, pieces)
        let read = Mutex([[UInt8]](repeating: [], count: work.count))
        try context.pool.forEach(work.count) { index in
            let whole = try MemberPayload.bytes(work[index].piece, context)
            let range = work[index].range
            let piece = range == 0..<whole.count ? whole : Array(whole[range])
            read.withLock { $0[index] = piece }
        }
        for (item, bytes) in zip(pieces, read.withLock { $0 }) { results[item.position] = bytes }
        ready = Self.joined(results)
        nextReady = 0
        return bytes == 0
    }

    /// Small neighbours joined; none above 256 KiB.
    private static func joined(_ pieces: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for piece in pieces where !piece.isEmpty {
            if let last = result.last, last.count + piece.count <= joinedBytes {
                result[result.count - 1] += piece
            } else if piece.count > pieceMaximum {
                // A chunk of the greatest length framed as stored blocks.
                result.append(Array(piece[..<pieceMaximum]))
                result.append(Array(piece[pieceMaximum...]))
            } else {
                result.append(piece)
            }
        }
        return result
    }

    private func nextSource() throws -> Source? {
        while true {
            if let piece = try nextPiece() { return piece }
            guard let segment = segments.next() else { return nil }
            switch segment {
            case .literal(let bytes): return .literal(bytes)
            case .payload(_, let range):
                guard !range.isEmpty, let member = segments.member else { continue }
                if let bytes = try begin(member, range) { return .literal(bytes) }
            }
        }
    }

    /// The next piece of the payload under way.
    private func nextPiece() throws -> Source? {
        guard var current = member else { return nil }
        while current.position < current.range.upperBound, let piece = try current.payload.next() {
            let start = current.position
            current.position += Int64(piece.byteCount)
            let from = max(start, current.range.lowerBound)
            let to = min(current.position, current.range.upperBound)
            if from < to {
                member = current
                return .piece(piece, Int(from - start)..<Int(to - start))
            }
        }
        guard current.position >= current.range.upperBound else {
            throw FormatError("a file has fewer bytes than announced")
        }
        member = nil
        return nil
    }

    /// Begins the payload of a member. Returns it where it is in the tree itself.
    private func begin(_ member: ZipLayout.Member, _ range: Range<Int64>) throws -> [UInt8]? {
        let content = try plan.content(of: member.index) ?? content(of: member)
        let isDeflate = member.entry.method == .deflate
        guard case .inline(let bytes) = content, !isDeflate else {
            let planned = EncodingsMark(value: member.mark)
            self.member = (MemberPayload(context, content, isDeflate: isDeflate, planned: planned), 0, range)
            return nil
        }
        guard range.upperBound <= Int64(bytes.count) else { throw Self.changed }
        return range.count == bytes.count ? bytes : Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    /// What the tree says that a member is; of a symlink, its target.
    private func content(of member: ZipLayout.Member) throws -> FileContent {
        if treeIndex == nil {
            try tree.seek(member.entry.name)
            treeIndex = member.index
        }
        while let index = treeIndex, let (path, entry) = try tree.next() {
            treeIndex = index + 1
            if index < member.index { continue }
            guard index == member.index, path == member.entry.name else { break }
            switch entry.content {
            case .file(let content): return content
            case .symlink(let target): return .inline(target)
            case .directory: throw Self.changed
            }
        }
        throw Self.changed
    }

    private static let changed = FormatError("a directory is not the one that was planned with")
}
