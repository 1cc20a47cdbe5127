/// One container of a scanned stream and where in it the scanner stands.
///
/// Each level sees only bytes of its own container and decides the next run from a prefix of them. Whatever it does not
/// understand becomes body; it never skips or reorders.
struct ScanLevel {
    /// What follows.
    enum Decision {
        /// More bytes are needed to decide.
        case needMore
        /// A run of `length` bytes; `known` says that this is the run's whole length.
        case span(ContainerSpan.Role, length: Int64, known: Bool, begins: Bool)
        /// A member of `length` bytes that may itself be a container.
        case nested(length: Int64)
    }

    /// What the next bytes are expected to be.
    enum State {
        /// The start of the level: which format?
        case sniff
        /// A member's content whose length is known, optionally scanned in turn.
        case body(Int64, nests: Bool)
        /// The next structure of the format.
        case structure(ArchiveFormat)
        /// A zip member whose length only its descriptor tells; `seen` bytes were emitted.
        case zipUntilDescriptor(seen: Int64)
        /// Everything to the end of the level, as one run.
        case rest(ContainerSpan.Role, begun: Bool)
    }

    /// Bytes left in this container; nil for the stream itself.
    var remaining: Int64?
    var depth = 0
    var state = State.sniff
    var format: ArchiveFormat?
    /// Bytes between the end of the current tar member and the next header block.
    var padding = 0

    /// Decides what the first bytes of `window`, which is never empty, are. `isAll`: nothing follows the window.
    mutating func next(_ window: UnsafeRawBufferPointer, isAll: Bool) -> Decision {
        switch state {
        case .sniff:
            return sniff(window, isAll: isAll)
        case .body(let length, let nests):
            guard let format else { return rest(.body, window) }
            state = .structure(format)
            if length == 0 { return next(window, isAll: isAll) }
            if nests, depth < ContainerScanner.maximumDepth, length >= Self.leastNested {
                return .nested(length: min(length, remaining ?? .max))
            }
            return .span(.body, length: length, known: true, begins: true)
        case .structure(.zip):
            return nextZip(window, isAll: isAll)
        case .structure(.tar):
            return nextTar(window, isAll: isAll)
        case .structure(.ar):
            return nextAr(window, isAll: isAll)
        case .structure(.gzip), .structure(.pyc):
            return rest(.body, window)
        case .zipUntilDescriptor(let seen):
            return untilDescriptor(window, seen: seen, isAll: isAll)
        case .rest(let role, let begun):
            state = .rest(role, begun: true)
            return .span(role, length: Int64(window.count), known: false, begins: !begun)
        }
    }

    /// Smaller members are not worth looking into.
    private static let leastNested: Int64 = 64

    /// The rest of the level is one run.
    mutating func rest(_ role: ContainerSpan.Role, _ window: UnsafeRawBufferPointer) -> Decision {
        if let remaining {
            state = .rest(role, begun: true)
            return .span(role, length: remaining, known: true, begins: true)
        }
        state = .rest(role, begun: true)
        return .span(role, length: Int64(window.count), known: false, begins: true)
    }

    /// A run of skeleton, then `following`.
    mutating func skeleton(_ length: Int, then following: State) -> Decision {
        state = following
        return .span(.skeleton, length: Int64(length), known: true, begins: true)
    }

    private mutating func sniff(_ window: UnsafeRawBufferPointer, isAll: Bool) -> Decision {
        // A tar header is the longest signature.
        if window.count < TarBlock.size && !isAll { return .needMore }
        if window.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
            format = .zip
            state = .structure(.zip)
            return nextZip(window, isAll: isAll)
        }
        if window.starts(with: [0x1F, 0x8B, 0x08]) {
            format = .gzip
            return nextGzip(window, isAll: isAll)
        }
        if window.starts(with: ArFormat.magic) {
            format = .ar
            return skeleton(ArFormat.magic.count, then: .structure(.ar))
        }
        if window.count >= TarBlock.size, TarBlock(UnsafeRawBufferPointer(rebasing: window[..<TarBlock.size])) != nil {
            format = .tar
            state = .structure(.tar)
            return nextTar(window, isAll: isAll)
        }
        if PycHeader.matches(window) {
            format = .pyc
            return skeleton(PycHeader.size, then: .structure(.pyc))
        }
        return rest(.body, window)
    }

    private mutating func nextGzip(_ window: UnsafeRawBufferPointer, isAll: Bool) -> Decision {
        switch GzipHeader.length(in: window) {
        case .some(.complete(let length)):
            return skeleton(length, then: .structure(.gzip))
        case .some(.incomplete) where !isAll && window.count < GzipHeader.longest:
            format = nil
            return .needMore
        default:
            return rest(.body, window)
        }
    }
}
