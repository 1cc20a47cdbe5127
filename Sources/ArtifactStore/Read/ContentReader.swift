import Synchronization

/// What reading needs of the store.
struct ReadContext: Sendable {
    let reader: RecordReader
    let pool: WorkPool
    let domain: RecordDomain
    /// Set while an ingest reads what it has not published yet.
    var session: IngestSession?
    /// Said in front of integrity errors: which version and path.
    var subject: String

    func naming(_ path: String) -> ReadContext {
        var copy = self
        copy.subject = subject + ":" + path
        return copy
    }

    /// Runs `body` and names the version and path in the integrity errors it throws.
    func guarding<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch let error as FormatError {
            throw StoreError.integrity("\(subject): \(error)")
        } catch let error as StoreError where error.code == .integrity && !error.message.hasPrefix(subject) {
            throw StoreError(error.code, "\(subject): \(error.message)")
        }
    }

    func tree(_ directory: DirectoryContent) throws -> TreeObject {
        switch directory.place {
        case .inline(let stable, let volatile): return try TreeObject(stable: stable, volatile: volatile)
        case .record(let ref, let part):
            let volatile: [UInt8] =
                switch part {
                case .inline(let bytes): bytes
                case .record(let ref): try reader.object(ref, domain, session: session)
                }
            let tree = try TreeObject(
                stable: try reader.object(ref, domain, session: session), volatile: volatile)
            if case .entries(let entries) = tree, TreeObject.treeID(entries) != directory.treeID {
                throw FormatError("a directory is not the one it should be")
            }
            return tree
        }
    }

    func node(_ ref: Ref) throws -> NodeObject {
        try NodeObject(decoding: try reader.object(ref, domain, session: session))
    }

    /// The entries of a directory in order, parts of a split directory merged.
    func entries(_ directory: DirectoryContent) throws -> [TreeEntry] {
        switch try tree(directory) {
        case .entries(let entries): return entries
        case .split(let parts):
            var all: [TreeEntry] = []
            for case let part? in parts { all += try entries(part) }
            all.sort { $0.name.lexicographicallyPrecedes($1.name) }
            guard TreeObject.treeID(all) == directory.treeID else {
                throw FormatError("a directory is not the one it should be")
            }
            return all
        }
    }
}

/// Walks the literals and chunks of a file, reading nodes as they come up.
struct SegmentWalk {
    private let context: ReadContext
    /// Lists under way with the next position in each.
    private var stack: [(segments: [Segment], next: Int)]
    /// Bytes still to be passed over.
    private var skip: Int64

    init(_ context: ReadContext, _ content: FileContent, from offset: Int64 = 0) {
        self.context = context
        stack = [(content.segments, 0)]
        skip = offset
    }

    /// The next literal or chunk and how many of its first bytes lie before the range.
    mutating func next() throws -> (segment: Segment, skip: Int)? {
        while let (segments, next) = stack.last {
            guard next < segments.count else {
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].next += 1
            let segment = segments[next]
            if skip >= segment.byteCount, segment.byteCount > 0 || skip > 0 {
                skip -= segment.byteCount
                continue
            }
            switch segment {
            case .node(let ref, let count):
                let node = try context.node(ref)
                guard node.segments.reduce(0, { $0 + $1.byteCount }) == count else {
                    throw FormatError("a list of chunks has another length than announced")
                }
                stack.append((node.segments, 0))
            case .literal, .chunk:
                defer { skip = 0 }
                return (segment, Int(skip))
            }
        }
        return nil
    }
}

/// Reads a range of a file in pieces. One caller at a time.
final class ContentReader: @unchecked Sendable {
    // Proof: a `ByteStream` pulls from one task at a time and awaits each pull, which orders all access.
    private let context: ReadContext
    private var walk: SegmentWalk
    private var remaining: Int64
    private var ready: [[UInt8]] = []
    private var nextReady = 0
    private static let window = 8

    init(_ context: ReadContext, _ content: FileContent, range: Range<Int64>) {
        self.context = context
        walk = SegmentWalk(context, content, from: range.lowerBound)
        remaining = range.upperBound - range.lowerBound
    }

    static func stream(_ context: ReadContext, _ content: FileContent, range: Range<Int64>) -> ByteStream {
        ByteStream(byteCount: range.upperBound - range.lowerBound) {
            let reader = ContentReader(context, content, range: range)
            return { try await reader.pull() }
        }
    }

    func pull() async throws -> [UInt8]? {
        if nextReady >= ready.count {
            guard remaining > 0 else { return nil }
            try await context.pool.run { [self] in try context.guarding { try fill() } }
        }
        defer { nextReady += 1 }
        return ready[nextReady]
    }

    /// The next piece, for callers on the store's threads.
    func next() throws -> [UInt8]? {
        if nextReady >= ready.count {
            guard remaining > 0 else { return nil }
            try context.guarding { try fill() }
        }
        defer { nextReady += 1 }
        return ready[nextReady]
    }

    private func fill() throws {
        var batch: [(Segment, Range<Int>)] = []
        while remaining > 0, batch.count < Self.window {
            guard let (segment, skip) = try walk.next() else { throw FormatError("the content ends early") }
            let end = Int(min(segment.byteCount, Int64(skip) + remaining))
            if end > skip { batch.append((segment, skip..<end)) }
            remaining -= Int64(end - skip)
        }
        let pieces = Mutex([[UInt8]](repeating: [], count: batch.count))
        let (context, work) = (context, batch)
        try context.pool.forEach(work.count) { index in
            let (segment, range) = work[index]
            let bytes: [UInt8]
            switch segment {
            case .literal(let literal): bytes = literal
            case .chunk(let ref): bytes = try context.reader.plaintext(ref, context.domain, session: context.session)
            case .node: throw FormatError("a list of chunks is where a chunk should be")
            }
            let piece = range == 0..<bytes.count ? bytes : Array(bytes[range])
            pieces.withLock { $0[index] = piece }
        }
        ready = pieces.withLock { $0 }
        nextReady = 0
    }
}
