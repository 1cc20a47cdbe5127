/// A run of bytes within a scanned stream.
public struct ContainerSpan: Sendable, Hashable {
    /// What a run is good for.
    public enum Role: Sendable, Hashable {
        /// Headers, padding, directories: small, volatile, worth keeping apart from content.
        case skeleton
        /// Content: a member, a deflate stream, or whatever has no structure.
        case body
    }

    /// Skeleton or body.
    public var role: Role
    /// The innermost format that the run belongs to; nil for a stream without structure.
    public var format: ArchiveFormat?
    /// How many containers enclose the one that the run belongs to.
    public var depth: Int
    /// Length in bytes where it is known from the start, nil for "until something else begins".
    public var length: Int64?
}

/// Splits a byte stream at the boundaries of the containers in it, so that equal members of different archives become
/// equal runs and timestamps in headers do not spoil them.
///
/// Fed with bytes in pieces of any size, it hands the same bytes on, in order, each exactly once, labelled as skeleton or
/// body: concatenating what it emits always gives back its input, whatever the input. Formats: zip and its relatives
/// (local headers and directory | members), gzip (header | deflate stream and trailer), tar (header blocks, padding and
/// extended headers | members), ar and deb (headers, padding | members), pyc (header | code). Members stored without
/// compression are scanned in turn, to a depth of four. Nothing is decompressed; structure that breaks off or contradicts
/// itself turns into one body. Memory: undecided bytes only, at most one header (about 128 KiB for zip).
public struct ContainerScanner {
    /// One piece of a run. `bytes` is valid during the call only.
    public struct Piece {
        /// The run that the piece belongs to.
        public let span: ContainerSpan
        /// Whether the run begins here.
        public let begins: Bool
        /// Some of the run's bytes, never none.
        public let bytes: UnsafeRawBufferPointer
    }

    /// How deep containers within containers are followed.
    public static let maximumDepth = 4

    /// Containers being read, outermost first. The first one's length is unknown.
    private var levels = [ScanLevel(remaining: nil)]
    /// The run being emitted and how many of its bytes are still to come (nil: unknown, decided by its level).
    private var current: (span: ContainerSpan, left: Int64)?
    private var held: [UInt8] = []

    /// A scanner at the start of a stream.
    public init() {}

    /// Takes the next bytes of the stream and emits what is decided.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer, _ emit: (Piece) throws -> Void) rethrows {
        try consume(bytes, atEnd: false, emit)
    }

    /// Takes the next bytes of the stream and emits what is decided.
    public mutating func feed(_ bytes: [UInt8], _ emit: (Piece) throws -> Void) rethrows {
        try bytes.withUnsafeBytes { try consume($0, atEnd: false, emit) }
    }

    /// Says that the stream has ended; emits what was held back.
    public mutating func finish(_ emit: (Piece) throws -> Void) rethrows {
        try consume(UnsafeRawBufferPointer(start: nil, count: 0), atEnd: true, emit)
    }

    private mutating func consume(
        _ bytes: UnsafeRawBufferPointer, atEnd: Bool, _ emit: (Piece) throws -> Void
    ) rethrows {
        if held.isEmpty {
            let used = try scan(bytes, atEnd: atEnd, emit)
            held = Array(UnsafeRawBufferPointer(rebasing: bytes[used...]))
        } else {
            var whole = held
            whole += bytes
            let used = try whole.withUnsafeBytes { try scan($0, atEnd: atEnd, emit) }
            held = Array(whole[used...])
        }
    }

    /// Emits as much of `window` as is decided; returns how much that was. With `atEnd`, that is all of it.
    private mutating func scan(
        _ window: UnsafeRawBufferPointer, atEnd: Bool, _ emit: (Piece) throws -> Void
    ) rethrows -> Int {
        var used = 0
        while used < window.count {
            if let (span, left) = current {
                let count = Int(min(left, Int64(window.count - used)))
                try emit(Piece(span: span, begins: false, bytes: slice(window, used, count)))
                current = left > Int64(count) ? (span, left - Int64(count)) : nil
                used += count
                advance(by: Int64(count))
                continue
            }
            while levels.count > 1, levels.last?.remaining == 0 { levels.removeLast() }
            let index = levels.count - 1
            let remaining = levels[index].remaining
            let visible = min(remaining ?? .max, Int64(window.count - used))
            // The level's own end is as final as the stream's.
            let isAll = atEnd || visible == remaining
            let decision = levels[index].next(slice(window, used, Int(visible)), isAll: isAll)
            switch decision {
            case .needMore:
                return used
            case .nested(let length):
                levels.append(ScanLevel(remaining: length, depth: levels[index].depth + 1))
            case .span(let role, let length, let known, let begins):
                // A member without structure of its own belongs to the container around it.
                let owner = levels.lastIndex { $0.format != nil }
                let span = ContainerSpan(
                    role: role, format: owner.flatMap { levels[$0].format }, depth: owner ?? 0,
                    length: known ? length : nil)
                let count = Int(min(length, visible))
                try emit(Piece(span: span, begins: begins, bytes: slice(window, used, count)))
                used += count
                advance(by: Int64(count))
                // Lengths are clamped to the level, so that a lying header cannot reach beyond its container.
                let whole = min(length, remaining ?? .max)
                if whole > Int64(count) { current = (span, whole - Int64(count)) }
            }
        }
        return used
    }

    private mutating func advance(by count: Int64) {
        for index in levels.indices {
            if let remaining = levels[index].remaining { levels[index].remaining = remaining - count }
        }
    }

    private func slice(_ buffer: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[start..<(start + count)])
    }
}

extension ContainerScanner {
    /// The runs of a whole buffer with their places, adjacent pieces of one run joined.
    public static func spans(of bytes: [UInt8]) -> [(span: ContainerSpan, range: Range<Int>)] {
        var scanner = ContainerScanner()
        var result: [(span: ContainerSpan, range: Range<Int>)] = []
        var position = 0
        func collect(_ piece: Piece) {
            let end = position + piece.bytes.count
            if piece.begins || result.isEmpty {
                result.append((piece.span, position..<end))
            } else {
                result[result.count - 1].range = result[result.count - 1].range.lowerBound..<end
            }
            position = end
        }
        scanner.feed(bytes, collect)
        scanner.finish(collect)
        return result
    }
}
