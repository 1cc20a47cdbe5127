import Archives
import Synchronization

/// Members of a ZIP as entries.
enum ArchiveListing {
    static func entry(_ member: ZipMember) -> Entry {
        let kind: Entry.Kind =
            switch member.kind {
            case .file: .file
            case .directory: .directory
            case .symlink: .symlink
            }
        return Entry(
            rawPath: member.name.bytes, kind: kind, mode: UInt32(member.permissions) & 0o777,
            size: kind == .directory ? 0 : member.uncompressedSize, contentID: nil,
            crc32: kind == .directory ? nil : member.crc32, isArchiveMember: true)
    }

    static func entries(_ reader: ZipReader, under directory: [UInt8], recursive: Bool) -> [Entry] {
        let prefix = directory.isEmpty ? [] : directory + [0x2F]
        var seen: Set<[UInt8]> = []
        var result: [Entry] = []
        for member in reader.members {
            let name = member.name.bytes
            guard name.starts(with: prefix), name.count > prefix.count else { continue }
            let rest = name[prefix.count...]
            if recursive || !rest.contains(0x2F) {
                if seen.insert(name).inserted { result.append(entry(member)) }
            } else if let slash = rest.firstIndex(of: 0x2F) {
                // Archives need not list their directories.
                let parent = Array(name[..<slash])
                if seen.insert(parent).inserted { result.append(directoryEntry(parent)) }
            }
        }
        return result
    }

    private static func directoryEntry(_ path: [UInt8]) -> Entry {
        Entry(rawPath: path, kind: .directory, mode: 0o755, size: 0, contentID: nil, isArchiveMember: true)
    }

    /// A range of a member: expanded from its start, since deflate has no other way; what precedes is dropped.
    static func stream(_ reader: ZipReader, _ member: ZipMember, _ range: Range<Int64>, _ lease: Lease) -> ByteStream {
        ByteStream(byteCount: range.upperBound - range.lowerBound) {
            let source = MemberPull(reader.contents(of: member), range)
            return {
                defer { withExtendedLifetime(lease) {} }
                return try await source.pull()
            }
        }
    }
}

/// Pulls a range out of a member.
private final class MemberPull: @unchecked Sendable {
    // Proof: a `ByteStream` pulls from one task at a time and awaits each pull, which orders all access.
    private var iterator: ZipMemberContent.Iterator
    private let range: Range<Int64>
    private var position: Int64 = 0

    init(_ content: ZipMemberContent, _ range: Range<Int64>) {
        iterator = content.makeAsyncIterator()
        self.range = range
    }

    func pull() async throws -> [UInt8]? {
        while true {
            let piece: [UInt8]?
            do {
                piece = try await iterator.next()
            } catch let error as ArchiveError {
                throw StoreError(.invalid, "a member of the archive cannot be read: \(error)")
            }
            guard let piece else { return nil }
            let start = position
            position += Int64(piece.count)
            let from = max(start, range.lowerBound)
            let to = min(position, range.upperBound)
            // Read on to the end even when the range is complete: only there is the member's checksum compared.
            if from < to {
                return from == start && to == position ? piece : Array(piece[Int(from - start)..<Int(to - start)])
            }
        }
    }
}
