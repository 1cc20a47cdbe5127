import Compression

/// Expands one zip member without doing I/O itself: says which stored bytes it wants, takes them, and gives out expanded
/// pieces of bounded size. Checks the local header against the directory, then length and CRC at the end.
struct MemberCursor {
    /// Largest read and largest piece, in bytes.
    static let pieceBytes = 256 * 1024

    private enum Content {
        case header
        case stored
        case deflate(InflateStream)
    }

    private let member: ZipMember
    private var content = Content.header
    /// The stored bytes not yet asked for.
    private var rest: Range<Int64>
    private var input: [UInt8] = []
    private var inputOffset = 0
    private var produced: Int64 = 0
    private var crc = CRC32.initial
    private var streamEnded = false

    init(_ member: ZipMember) throws(ArchiveError) {
        guard !member.isEncrypted else {
            throw .unsupported(.zip, member: member.path, reason: "it is encrypted")
        }
        switch member.method {
        case .stored, .deflate: break
        case .other(let code):
            throw .unsupported(.zip, member: member.path, reason: "compression method \(code)")
        }
        self.member = member
        // Header and the start of the data in one read; extra fields are rarely longer than the allowance.
        let header = Int64(ZipFormat.localBytes + member.rawName.count)
        let hoped = min(header + 64 + min(member.compressedSize, Int64(Self.pieceBytes)), Int64(Self.pieceBytes))
        let available = member.boundary - member.localHeaderOffset
        rest = member.localHeaderOffset..<(member.localHeaderOffset + max(header, min(hoped, available)))
    }

    /// The next bytes to supply, nil when all stored bytes were taken.
    var wanted: Range<Int64>? {
        guard !rest.isEmpty else { return nil }
        if case .header = content { return rest }
        return rest.lowerBound..<min(rest.upperBound, rest.lowerBound + Int64(Self.pieceBytes))
    }

    /// Takes the bytes of `wanted`.
    mutating func supply(_ bytes: [UInt8]) throws {
        guard let range = wanted, bytes.count == range.count else {
            throw ArchiveError.truncated(
                .zip, at: rest.lowerBound, needed: Int64(wanted?.count ?? 0), available: Int64(bytes.count))
        }
        input = bytes
        inputOffset = 0
        if case .header = content {
            let data = try LocalHeader.dataRange(of: member, header: bytes)
            let have = range.upperBound
            inputOffset = Int(min(data.lowerBound, have) - range.lowerBound)
            input.removeLast(Int(max(0, have - max(data.upperBound, range.lowerBound + Int64(inputOffset)))))
            rest = max(data.lowerBound, min(have, data.upperBound))..<data.upperBound
            content = member.method == .deflate ? .deflate(try InflateStream(format: .raw)) : .stored
        } else {
            rest = range.upperBound..<rest.upperBound
        }
    }

    /// The next expanded piece; nil when more input is wanted or everything was given out.
    mutating func produce() throws -> [UInt8]? {
        switch content {
        case .header: return nil
        case .stored:
            guard inputOffset < input.count else { return nil }
            let piece = inputOffset == 0 ? input : Array(input[inputOffset...])
            input = []
            inputOffset = 0
            try account(for: piece)
            return piece
        case .deflate(let stream):
            let piece = try inflate(stream)
            guard !piece.isEmpty else { return nil }
            try account(for: piece)
            return piece
        }
    }

    /// Checks what only the end can show.
    func finish() throws(ArchiveError) {
        if case .deflate = content, !streamEnded {
            throw .corrupt(member: member.path, reason: "the deflate stream has no end")
        }
        guard inputOffset == input.count else {
            throw .corrupt(member: member.path, reason: "bytes follow the end of the deflate stream")
        }
        guard produced == member.uncompressedSize else {
            throw .size(member: member.path, expected: member.uncompressedSize, actual: produced)
        }
        guard crc == member.crc32 else {
            throw .checksum(member: member.path, expected: member.crc32, actual: crc)
        }
    }

    private mutating func inflate(_ stream: InflateStream) throws -> [UInt8] {
        // One byte of room beyond the declared size shows a member that expands to more than it says.
        let room = Int(min(Int64(Self.pieceBytes), member.uncompressedSize - produced + 1))
        var failure: (any Error)?
        var consumed = 0
        var ended = false
        let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            let output = UnsafeMutableRawBufferPointer(buffer)
            input.withUnsafeBytes { whole in
                let source = UnsafeRawBufferPointer(rebasing: whole[inputOffset...])
                do {
                    while consumed < source.count || count == 0, count < room {
                        let step = try stream.step(
                            UnsafeRawBufferPointer(rebasing: source[consumed...]),
                            into: UnsafeMutableRawBufferPointer(rebasing: output[count...]))
                        consumed += step.consumed
                        count += step.produced
                        ended = step.ended
                        if ended || (step.consumed == 0 && step.produced == 0) { break }
                    }
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw ArchiveError.corrupt(member: member.path, reason: "\(failure)") }
        inputOffset += consumed
        if ended { streamEnded = true }
        return piece
    }

    private mutating func account(for piece: [UInt8]) throws(ArchiveError) {
        produced += Int64(piece.count)
        guard produced <= member.uncompressedSize else {
            throw .size(member: member.path, expected: member.uncompressedSize, actual: produced)
        }
        crc = CRC32.update(crc, piece)
    }
}

/// The header in front of a member's data (APPNOTE 4.3.7).
enum LocalHeader {
    /// Where the data lies, after checking that the header tells the same story as the directory.
    /// `header` starts at the member's local header and holds at least its fixed part and name.
    static func dataRange(of member: ZipMember, header: [UInt8]) throws(ArchiveError) -> Range<Int64> {
        let at = member.localHeaderOffset
        let nameEnd = ZipFormat.localBytes + member.rawName.count
        guard header.count >= nameEnd else {
            throw .truncated(.zip, at: at, needed: Int64(nameEnd), available: Int64(header.count))
        }
        let (signature, flags, method) = header.withUnsafeBytes { ($0.u32(0), $0.u16(6), $0.u16(8)) }
        let (crc, compressed, uncompressed) = header.withUnsafeBytes { ($0.u32(14), $0.u32(18), $0.u32(22)) }
        let (nameLength, extraLength) = header.withUnsafeBytes { (Int($0.u16(26)), Int($0.u16(28))) }
        guard signature == ZipFormat.localSignature else {
            throw .malformed(.zip, at: at, reason: "a local header of '\(member.path)' was expected")
        }
        guard nameLength == member.rawName.count,
            header[ZipFormat.localBytes..<nameEnd].elementsEqual(member.rawName)
        else {
            throw .malformed(.zip, at: at, reason: "the local header of '\(member.path)' bears another name")
        }
        guard method == member.method.code, flags & 0x0009 == member.flags & 0x0009 else {
            throw .malformed(.zip, at: at, reason: "the local header of '\(member.path)' contradicts the directory")
        }
        if !member.hasDescriptor {
            // Saturated sizes stand for a ZIP64 field.
            guard crc == member.crc32, agrees(compressed, member.compressedSize),
                agrees(uncompressed, member.uncompressedSize)
            else {
                throw .malformed(.zip, at: at, reason: "sizes or CRC of '\(member.path)' contradict the directory")
            }
        }
        let start = at + Int64(nameEnd + extraLength)
        guard start <= member.boundary, member.compressedSize <= member.boundary - start else {
            throw .overlap(first: member.path, second: "the next entry", at: member.boundary)
        }
        return start..<(start + member.compressedSize)
    }

    private static func agrees(_ field: UInt32, _ size: Int64) -> Bool {
        field == ZipFormat.max32 || Int64(field) == size
    }
}
