import Archives
import ArtifactStore

/// A ZIP that lies as a file in a version, held in memory to look inside.
struct InnerArchive {
    static let bytesMax = 256 << 20

    private let reader: LocalZipReader

    /// Reads the file; refuses what is too large to be held, and what is no ZIP.
    static func open(_ store: ArtifactStore, _ target: ReadTarget) async throws -> InnerArchive {
        let path = target.text.path ?? ""
        let (entry, stream) = try await store.readFile(target.version.id, path: path, through: target.share)
        guard entry.size <= Int64(bytesMax) else {
            throw NativeError(
                400, "TooLarge", "\(path) has \(entry.size) bytes; archives up to \(bytesMax) can be looked into")
        }
        do {
            return InnerArchive(reader: try LocalZipReader(try await stream.collect(upTo: bytesMax)))
        } catch let error as ArchiveError {
            throw NativeError(400, "NotAnArchive", "\(path) cannot be read as a ZIP: \(error)")
        }
    }

    func entries(under path: String, recursive: Bool) -> [EntryItem] {
        let prefix = path.isEmpty ? "" : path + "/"
        var seen: Set<String> = []
        var items: [EntryItem] = []
        for member in reader.members where member.path.hasPrefix(prefix) || member.path == path {
            let below = member.path == path ? "" : member.path.dropFirst(prefix.count)
            if !recursive, let slash = below.firstIndex(of: "/") {
                let directory = prefix + below[..<slash]
                if seen.insert(directory).inserted {
                    items.append(EntryItem(path: directory, kind: "directory", bytes: 0, isExecutable: false))
                }
                continue
            }
            guard seen.insert(member.path).inserted else { continue }
            items.append(
                EntryItem(
                    path: member.path, kind: member.kind.rawValue, bytes: member.uncompressedSize,
                    isExecutable: member.kind == .file && member.permissions & 0o100 != 0))
        }
        return items
    }

    func content(of path: String) throws -> (Int64, ByteStream) {
        guard let member = reader.members.first(where: { $0.path == path }) else {
            throw NativeError(404, "NoSuchMember", "the archive has no \(path)")
        }
        guard member.kind == .file else { throw NativeError(400, "IsDirectory", "\(path) is not a file") }
        do {
            return (member.uncompressedSize, ByteStream(try reader.bytes(of: member, upTo: InnerArchive.bytesMax)))
        } catch let error as ArchiveError {
            throw NativeError(400, "NotAnArchive", "\(path) cannot be read: \(error)")
        }
    }
}
