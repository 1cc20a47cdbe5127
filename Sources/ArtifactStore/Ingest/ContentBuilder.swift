import Archives
import Cryptography
import Synchronization

/// Turns a stream of bytes into the content of a file: cut, hash, deduplicate, store. One caller at a time; blocks; the
/// chunks of each batch are worked on side by side. Memory: one batch and one chunk, whatever the length of the stream.
final class ContentBuilder {
    private let session: IngestSession
    private var scanner: ContainerScanner?
    private var hash: SHA256?
    private var count: Int64 = 0
    /// Bytes not yet stored.
    private var arena: [UInt8] = []
    /// Where the run under way starts in the arena; what precedes is cut.
    private var runStart = 0
    /// Whether the run under way is headers, kept as literals when short.
    private var runIsSkeleton = false
    /// Whether something of the run under way has been cut: then it is longer than a literal may be, whatever is left.
    private var runIsCut = false
    /// Pieces of the arena in order.
    private var jobs: [Job] = []
    private var segments: [Segment] = []
    /// Completed nodes by height, lowest first.
    private var levels: [[Segment]] = []
    private var nodeCount = 0
    private let batchBytes = 2 << 20

    private enum Job {
        case literal(Range<Int>)
        case chunk(Range<Int>)
    }

    /// Headers up to this many bytes, and bodies up to `literalBodyMaximum`, are kept in the list of chunks.
    private static let literalSkeletonMaximum = 4096
    private static let literalBodyMaximum = 128
    private static let nodeLiteralMaximum = 128 << 10

    /// - Parameter digest: the SHA-256 of the whole, when it is known already.
    init(_ session: IngestSession, digest: SHA256Digest? = nil) {
        self.session = session
        known = digest
        hash = digest == nil ? SHA256() : nil
        scanner = session.cutsContainers ? ContainerScanner() : nil
        arena.reserveCapacity(batchBytes + (512 << 10))
    }

    private let known: SHA256Digest?

    private init(copying other: ContentBuilder) {
        session = other.session
        known = other.known
        hash = other.hash
        scanner = other.scanner
        count = other.count
        arena = other.arena
        runStart = other.runStart
        runIsSkeleton = other.runIsSkeleton
        runIsCut = other.runIsCut
        jobs = other.jobs
        segments = other.segments
        levels = other.levels
        nodeCount = other.nodeCount
    }

    /// The content of what was added so far; more can be added all the same. Its end is cut where it happens to be.
    func beginning() throws -> FileContent { try ContentBuilder(copying: self).finish() }

    /// Takes the next bytes.
    func add(_ bytes: UnsafeRawBufferPointer) throws {
        hash?.update(bytes)
        count += Int64(bytes.count)
        if scanner != nil {
            try scanner?.feed(bytes) { try take($0) }
        } else {
            try append(bytes)
        }
    }

    private func take(_ piece: ContainerScanner.Piece) throws {
        if piece.begins {
            try endRun()
            runIsSkeleton = piece.span.role == .skeleton
            runIsCut = false
        }
        try append(piece.bytes)
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(max(64 << 10, batchBytes - arena.count)))
            arena.append(contentsOf: part)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
            if arena.count >= batchBytes {
                try cutRun(isLast: false)
                try store()
            }
        }
    }

    /// Cuts what is certain of the run under way into jobs.
    private func cutRun(isLast: Bool) throws {
        let limit = runIsSkeleton ? Self.literalSkeletonMaximum : Self.literalBodyMaximum
        if isLast, !runIsCut, arena.count - runStart <= limit {
            if arena.count > runStart { jobs.append(.literal(runStart..<arena.count)) }
            runStart = arena.count
            return
        }
        try arena.withUnsafeBytes { bytes in
            while let length = try session.cutter.cut(
                UnsafeRawBufferPointer(rebasing: bytes[runStart...]), isLast: isLast)
            {
                // Before the run's end is known, a cut must not depend on it.
                if !isLast, runStart + session.cutter.maximum > bytes.count { break }
                jobs.append(.chunk(runStart..<runStart + length))
                runStart += length
                runIsCut = true
            }
        }
    }

    private func endRun() throws {
        try cutRun(isLast: true)
        if arena.count >= batchBytes { try store() }
    }

    /// Stores the jobs' chunks and appends their segments.
    private func store() throws {
        let jobs = jobs
        let results = SegmentResults(count: jobs.count)
        try arena.withUnsafeBytes { bytes in
            // Proof: lent for the duration of `forEach`, which returns after all calls have, and only read.
            nonisolated(unsafe) let bytes = bytes
            let session = session
            try session.pool.forEach(jobs.count) { index in
                switch jobs[index] {
                case .literal(let range): results.set(index, .literal(Array(bytes[range])))
                case .chunk(let range):
                    results.set(index, .chunk(try session.storeChunk(UnsafeRawBufferPointer(rebasing: bytes[range]))))
                }
            }
        }
        for segment in results.take() { try push(segment) }
        self.jobs.removeAll(keepingCapacity: true)
        arena.removeFirst(runStart)
        runStart = 0
    }

    private func push(_ segment: Segment) throws {
        if case .literal(let bytes) = segment, case .literal(let before)? = segments.last {
            segments[segments.count - 1] = .literal(before + bytes)
        } else {
            segments.append(segment)
        }
        if segments.count >= NodeObject.fanOut || literalBytes > Self.nodeLiteralMaximum { try closeNode() }
    }

    private var literalBytes: Int {
        guard case .literal(let bytes)? = segments.last else { return 0 }
        return bytes.count
    }

    /// Makes a node of the segments collected and hands it to the level above.
    private func closeNode() throws {
        var height = 0
        var full = segments
        segments = []
        while true {
            let node = NodeObject(height: height, segments: full)
            let ref = try session.storeObject(node.encode(), kind: .node, reach: full.compactMap { $0.ref?.id })
            let upper = Segment.node(ref, full.reduce(0) { $0 + $1.byteCount })
            if levels.count == height { levels.append([]) }
            levels[height].append(upper)
            guard levels[height].count >= NodeObject.fanOut else { return }
            full = levels[height]
            levels[height] = []
            height += 1
        }
    }

    /// Ends the stream.
    func finish() throws -> FileContent {
        if scanner != nil { try scanner?.finish { try take($0) } }
        let digest = known ?? hash?.finish() ?? SHA256.digest([])
        if count <= Int64(FileContent.inlineMaximum) { return .inline(arena) }
        try endRun()
        try store()
        if levels.isEmpty {
            if segments.count == 1, case .chunk(let ref) = segments[0], ref.digest == digest { return .chunk(ref) }
            var writer = CanonicalWriter()
            for segment in segments { writer.segment(segment) }
            if segments.count <= 64, writer.bytes.count <= FileContent.segmentsMaximum {
                return .segments(segments, digest)
            }
        }
        return try finishNodes(digest)
    }

    private func finishNodes(_ digest: SHA256Digest) throws -> FileContent {
        // Lower remainders are wrapped, level by level, until one node holds everything.
        var height = 0
        var current = segments
        while true {
            let above = height < levels.count ? levels[height] : []
            let hasMore =
                !above.isEmpty || (height + 1..<max(height + 1, levels.count)).contains { !levels[$0].isEmpty }
            if !hasMore { break }
            if current.isEmpty {
                current = above
            } else {
                let node = NodeObject(height: height, segments: current)
                let ref = try session.storeObject(node.encode(), kind: .node, reach: current.compactMap { $0.ref?.id })
                current = above + [.node(ref, current.reduce(0) { $0 + $1.byteCount })]
            }
            height += 1
        }
        let node = NodeObject(height: height, segments: current)
        let ref = try session.storeFileNode(
            node.encode(), file: digest, count: count, reach: current.compactMap { $0.ref?.id })
        return .node(ref, count, digest)
    }
}

/// Results of side-by-side work, by position.
private final class SegmentResults: Sendable {
    private let values: Mutex<[Segment?]>

    init(count: Int) { values = Mutex(Array(repeating: nil, count: count)) }

    func set(_ index: Int, _ segment: Segment) { values.withLock { $0[index] = segment } }

    func take() -> [Segment] { values.withLock { $0.compactMap { $0 } } }
}
