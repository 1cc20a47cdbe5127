import ArtifactStore
import Console
import Cryptography
import Glibc

/// Makes a directory equal to a version: what differs is fetched, what is too much is removed, the rest stays.
///
/// Files are compared by SHA-256 and replaced one by one, each when its new content is complete.
struct DirectoryUpdate {
    private static let sideBySide = 4

    private let client: NativeClient
    /// The version.
    private let reference: String
    private let directory: String
    private let tree: LocalTree

    init(client: NativeClient, reference: String, directory: String) throws {
        self.client = client
        self.reference = reference
        self.directory = directory
        tree = try LocalTree(directory)
    }

    /// What is to be done.
    struct Plan {
        /// All directories, top first, with the modes they get in the end.
        var directories: [EntryItem] = []
        /// Paths that are in the way or belong to no entry of the version.
        var extra: [[UInt8]] = []
        var links: [EntryItem] = []
        var files: [EntryItem] = []
        /// Files that are right but for their mode.
        var modes: [EntryItem] = []
        var unchanged = 0
    }

    /// Compares.
    func plan() async throws -> Plan {
        let item: VersionItem = try await client.get("/-/v1/artifact", [("ref", reference)])
        guard item.kind == "tree" else {
            throw CommandFailure(.refused, "\(reference) is no directory, so it cannot update one")
        }
        let entries: [EntryItem] = try await client.get(
            "/-/v1/artifact/entries", [("ref", reference), ("recursive", "1")])
        var plan = Plan()
        var wanted: [[UInt8]: Set<[UInt8]>] = [[]: []]
        // Directories that are not there, or are something else: below them there is nothing to compare with.
        var missing: Set<[UInt8]> = []
        // As the server lists them: a directory comes before what is in it.
        for entry in entries {
            let path = entry.pathBytes
            let (parent, name) = try DirectoryUpdate.split(path)
            wanted[parent, default: []].insert(name)
            if entry.kind == "directory" { wanted[path] = wanted[path] ?? [] }
            let place = missing.contains(parent) ? nil : tree.place(of: path)
            let kind = place.flatMap { LocalEntries.kind(of: $0.name, in: $0.folder.descriptor) }
            if entry.kind == "directory", kind != S_IFDIR { missing.insert(path) }
            if try isRight(entry, place, kind, &plan) {
                plan.unchanged += entry.kind == "directory" ? 0 : 1
            } else if let kind, kind != S_IFREG || entry.kind != "file" {
                plan.extra.append(path)
            }
        }
        for (parent, names) in wanted where !missing.contains(parent) {
            guard let folder = tree.folder(parent) else { continue }
            let there = try LocalEntries.names(in: folder.descriptor, path: directory)
            plan.extra += there.filter { !names.contains($0) }.map { parent.isEmpty ? $0 : parent + [0x2F] + $0 }
        }
        return plan
    }

    private static func split(_ path: [UInt8]) throws -> (parent: [UInt8], name: [UInt8]) {
        let parts = path.split(separator: 0x2F, omittingEmptySubsequences: false)
        // What no directory can hold is never made, whoever is asked.
        guard let last = parts.last, !path.contains(0),
            !parts.contains(where: { $0.isEmpty || $0.elementsEqual([0x2E]) || $0.elementsEqual([0x2E, 0x2E]) })
        else {
            throw CommandFailure(.refused, "the version has the path \(String(decoding: path, as: UTF8.self))")
        }
        return (Array(parts.dropLast().joined(separator: [0x2F])), Array(last))
    }

    /// Whether an entry is there as it should be; if not, notes what is to be done for it.
    private func isRight(
        _ entry: EntryItem, _ place: (folder: LocalTree.Folder, name: [CChar])?, _ kind: mode_t?, _ plan: inout Plan
    ) throws -> Bool {
        switch entry.kind {
        case "directory":
            plan.directories.append(entry)
            return kind == S_IFDIR
        case "symlink":
            if let place, LocalEntries.target(of: place.name, in: place.folder.descriptor) == entry.targetBytes {
                return true
            }
            plan.links.append(entry)
            return false
        default:
            guard let digest = entry.sha256.flatMap({ SHA256Digest(hex: $0) }) else {
                throw CommandFailure(.refused, "\(reference) is an archive, so it cannot update a directory")
            }
            let isThere = try place.map { place in
                try LocalEntries.isFile(
                    place.name, in: place.folder.descriptor, byteCount: entry.bytes, digest, mode: nil, path: entry.path
                )
            }
            guard isThere == true, let place else {
                plan.files.append(entry)
                return false
            }
            var status = stat()
            if let mode = entry.mode, fstatat(place.folder.descriptor, place.name, &status, AT_SYMLINK_NOFOLLOW) == 0,
                status.st_mode & 0o7777 != mode
            {
                plan.modes.append(entry)
            }
            return true
        }
    }

    /// Does it. Returns what was done, in words.
    func carryOut(_ plan: Plan, _ progress: ProgressLine) async throws -> String {
        for entry in plan.directories {
            // Read-only directories get their modes in the end.
            guard let folder = tree.folder(entry.pathBytes) else { continue }
            _ = fchmod(folder.descriptor, 0o700)
        }
        for path in plan.extra { try tree.remove(path) }
        for entry in plan.directories { try tree.makeDirectory(entry.pathBytes) }
        let bytes = plan.files.reduce(0) { $0 + $1.bytes }
        progress.begin("receiving", total: bytes)
        try await fetch(plan.files, progress)
        for entry in plan.links { try tree.makeLink(entry.pathBytes, to: entry.targetBytes) }
        for entry in plan.modes + plan.directories.reversed() {
            guard let mode = entry.mode else { continue }
            try tree.setMode(entry.pathBytes, mode, isDirectory: entry.kind == "directory")
        }
        return "\(plan.files.count) files fetched, \(Say.bytes(bytes)); \(plan.unchanged) unchanged, "
            + "\(plan.extra.count) removed in \(directory)"
    }

    private func fetch(_ files: [EntryItem], _ progress: ProgressLine) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var rest = files[...]
            for _ in 0..<Self.sideBySide {
                guard let next = rest.popFirst() else { break }
                group.addTask { try await fetch(next, progress) }
            }
            while try await group.next() != nil {
                guard let next = rest.popFirst() else { continue }
                group.addTask { try await fetch(next, progress) }
            }
        }
    }

    private func fetch(_ entry: EntryItem, _ progress: ProgressLine) async throws {
        let path = entry.pathBytes
        try await tree.replaceFile(path, mode: entry.mode ?? 0o644) { descriptor in
            var hash = SHA256()
            let query = [("ref", reference), ("rawpath", Base64.encode(path))]
            try await client.download("/-/v1/artifact/content", query) { piece in
                piece.withUnsafeBytes { hash.update($0) }
                try LocalTree.write(piece, to: descriptor, path)
                progress.add(Int64(piece.count))
            }
            guard hash.finish().description == entry.sha256 else {
                throw CommandFailure(.conflict, "\(reference) is another version now; run the update again")
            }
        }
    }
}
