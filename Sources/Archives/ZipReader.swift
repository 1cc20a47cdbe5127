/// Reads members of a zip through an asynchronous source, in bounded memory.
public struct ZipReader: Sendable {
    /// The checked central directory.
    public let directory: ZipDirectory
    private let source: any RandomAccess

    /// Opens an archive: reads and checks its central directory.
    public init(_ source: any RandomAccess, limits: ArchiveLimits = ArchiveLimits()) async throws {
        self.source = source
        directory = try await ZipDirectory(reading: source, limits: limits)
    }

    /// Presents an archive whose directory was read before.
    public init(_ source: any RandomAccess, directory: ZipDirectory) {
        self.source = source
        self.directory = directory
    }

    /// The members, in the order of the central directory.
    public var members: [ZipMember] { directory.members }

    /// Where a member's stored bytes lie in the archive. Reads its local header.
    public func dataRange(of member: ZipMember) async throws -> Range<Int64> {
        let count = ZipFormat.localBytes + member.rawName.count
        let header = try await source.read(at: member.localHeaderOffset, count: count)
        return try LocalHeader.dataRange(of: member, header: header)
    }

    /// A member's expanded bytes in pieces of at most 256 KiB. Length and CRC-32 are checked: the last piece has been
    /// delivered only when iteration ends without an error.
    public func contents(of member: ZipMember) -> ZipMemberContent {
        ZipMemberContent(member: member, source: source)
    }

    /// A member's expanded bytes as a whole; refuses members larger than `limit`.
    public func bytes(of member: ZipMember, upTo limit: Int) async throws -> [UInt8] {
        try LocalZipReader.check(member, limit: limit)
        var result: [UInt8] = []
        result.reserveCapacity(min(limit, Int(member.uncompressedSize), MemberCursor.pieceBytes))
        for try await piece in contents(of: member) { result += piece }
        return result
    }
}

/// The expanded bytes of one member.
public struct ZipMemberContent: AsyncSequence, Sendable {
    /// Pieces of the member.
    public typealias Element = [UInt8]

    let member: ZipMember
    let source: any RandomAccess

    /// Starts from the member's first byte.
    public func makeAsyncIterator() -> Iterator {
        Iterator(member: member, source: source)
    }

    /// Delivers one piece at a time.
    public struct Iterator: AsyncIteratorProtocol {
        let member: ZipMember
        let source: any RandomAccess
        private var cursor: MemberCursor?
        private var isDone = false

        init(member: ZipMember, source: any RandomAccess) {
            self.member = member
            self.source = source
        }

        /// The next piece, nil after the last one has been checked.
        public mutating func next() async throws -> [UInt8]? {
            guard !isDone else { return nil }
            var cursor = try self.cursor ?? MemberCursor(member)
            while true {
                if let piece = try cursor.produce() {
                    self.cursor = cursor
                    return piece
                }
                guard let wanted = cursor.wanted else { break }
                try Task.checkCancellation()
                let bytes = try await source.read(at: wanted.lowerBound, count: wanted.count)
                try cursor.supply(bytes)
            }
            isDone = true
            self.cursor = nil
            try cursor.finish()
            return nil
        }
    }
}

/// Reads members of a zip in memory or in a local file, without suspending.
public struct LocalZipReader: Sendable {
    /// The checked central directory.
    public let directory: ZipDirectory
    private let source: any SynchronousRandomAccess

    /// Opens an archive: reads and checks its central directory.
    public init(_ source: any SynchronousRandomAccess, limits: ArchiveLimits = ArchiveLimits()) throws {
        self.source = source
        directory = try ZipDirectory(readingNow: source, limits: limits)
    }

    /// Opens an archive in memory.
    public init(_ bytes: [UInt8], limits: ArchiveLimits = ArchiveLimits()) throws {
        try self.init(BufferSource(bytes), limits: limits)
    }

    /// The members, in the order of the central directory.
    public var members: [ZipMember] { directory.members }

    /// Where a member's stored bytes lie in the archive.
    public func dataRange(of member: ZipMember) throws -> Range<Int64> {
        let count = ZipFormat.localBytes + member.rawName.count
        return try LocalHeader.dataRange(
            of: member, header: source.readNow(at: member.localHeaderOffset, count: count))
    }

    /// Hands a member's expanded bytes to `body` in pieces of at most 256 KiB. Length and CRC-32 are checked at the end.
    public func forEachPiece(of member: ZipMember, _ body: ([UInt8]) throws -> Void) throws {
        var cursor = try MemberCursor(member)
        while true {
            if let piece = try cursor.produce() {
                try body(piece)
            } else if let wanted = cursor.wanted {
                try cursor.supply(source.readNow(at: wanted.lowerBound, count: wanted.count))
            } else {
                return try cursor.finish()
            }
        }
    }

    /// A member's expanded bytes as a whole; refuses members larger than `limit`.
    public func bytes(of member: ZipMember, upTo limit: Int = .max) throws -> [UInt8] {
        try Self.check(member, limit: limit)
        var result: [UInt8] = []
        try forEachPiece(of: member) { result += $0 }
        return result
    }

    static func check(_ member: ZipMember, limit: Int) throws(ArchiveError) {
        guard member.uncompressedSize <= Int64(limit) else {
            throw .limit(.memberBytes, member: member.path, value: member.uncompressedSize, allowed: Int64(limit))
        }
    }
}
