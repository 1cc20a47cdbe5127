import Console
import Cryptography
import Foundation
import Glibc

/// Makes a directory equal to a version: what differs is fetched, what is too much is removed, the rest stays.
///
/// Files are compared by SHA-256 and replaced one by one, each when its new content is complete. Directories are looked at
/// from the top, and none of them is reached through a link, so nothing outside of the directory changes.
struct DirectoryUpdate {
    private static let sideBySide = 4

    let client: NativeClient
    /// The version.
    let reference: String
    let directory: String

    /// What is to be done.
    struct Plan {
        /// All directories, top first, with the modes they get in the end.
        var directories: [EntryItem] = []
        /// Entries that are in the way or belong to no entry of the version.
        var extra: [String] = []
        var links: [EntryItem] = []
        var files: [EntryItem] = []
        /// Files that are right but for their mode.
        var modes: [EntryItem] = []
        var unchanged = 0
    }

    /// Compares.
    func plan() async throws -> Plan {
        let entries: [EntryItem] = try await client.get(
            "/-/v1/artifact/entries", [("ref", reference), ("recursive", "1")])
        let item: VersionItem = try await client.get("/-/v1/artifact", [("ref", reference)])
        guard item.kind == "tree" else {
            throw CommandFailure(.refused, "\(reference) is no directory, so it cannot update one")
        }
        var plan = Plan()
        var wanted: [String: Set<String>] = ["": []]
        for entry in entries {
            let (parent, name) = try Self.split(entry.path)
            wanted[parent, default: []].insert(name)
            if entry.kind == "directory" { wanted[entry.path] = wanted[entry.path] ?? [] }
        }
        for entry in entries.sorted(by: { $0.path < $1.path }) { try compare(entry, &plan) }
        for (parent, names) in wanted { plan.extra += try extra(parent, names, plan.extra) }
        return plan
    }

    private static func split(_ path: String) throws -> (parent: String, name: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." || $0.contains("\0") }),
            !path.contains("\u{FFFD}")
        else {
            throw CommandFailure(.refused, "the version has the path \(path), which cannot be updated; fetch it anew")
        }
        return (parts.dropLast().joined(separator: "/"), String(parts[parts.count - 1]))
    }

    private func compare(_ entry: EntryItem, _ plan: inout Plan) throws {
        let path = "\(directory)/\(entry.path)"
        var status = stat()
        // Below something that is in the way there is nothing to compare with.
        let isHidden = plan.extra.contains { entry.path.hasPrefix($0 + "/") }
        let kind = isHidden || lstat(path, &status) != 0 ? nil : status.st_mode & S_IFMT
        switch entry.kind {
        case "directory":
            plan.directories.append(entry)
            if let kind, kind != S_IFDIR { plan.extra.append(entry.path) }
        case "symlink":
            if kind == S_IFLNK, (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) == entry.target {
                plan.unchanged += 1
                return
            }
            plan.links.append(entry)
            if kind != nil { plan.extra.append(entry.path) }
        default:
            guard let digest = entry.sha256 else {
                throw CommandFailure(.refused, "\(reference) is an archive, so it cannot update a directory")
            }
            if kind == S_IFREG, Int64(status.st_size) == entry.bytes, try Self.digest(of: path) == digest {
                plan.unchanged += 1
                if let mode = entry.mode, status.st_mode & 0o7777 != mode { plan.modes.append(entry) }
                return
            }
            plan.files.append(entry)
            if let kind, kind != S_IFREG { plan.extra.append(entry.path) }
        }
    }

    private static func digest(of path: String) throws -> String {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw CommandFailure(.refused, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        var hash = SHA256()
        while let data = try file.read(upToCount: 1 << 20), !data.isEmpty {
            data.withUnsafeBytes { hash.update($0) }
        }
        return hash.finish().description
    }

    private func extra(_ parent: String, _ names: Set<String>, _ known: [String]) throws -> [String] {
        let path = parent.isEmpty ? directory : "\(directory)/\(parent)"
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
            !known.contains(where: { parent == $0 || parent.hasPrefix($0 + "/") })
        else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: path).filter { !names.contains($0) }
            .map { parent.isEmpty ? $0 : "\(parent)/\($0)" }
    }

    /// Does it. Returns what was done, in words.
    func carryOut(_ plan: Plan, _ progress: ProgressLine) async throws -> String {
        for entry in plan.directories {
            // Read-only directories get their modes in the end.
            var status = stat()
            let path = "\(directory)/\(entry.path)"
            if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { _ = chmod(path, 0o700) }
        }
        for path in plan.extra { try FileManager.default.removeItem(atPath: "\(directory)/\(path)") }
        for entry in plan.directories {
            guard mkdir("\(directory)/\(entry.path)", 0o700) == 0 || errno == EEXIST else {
                throw Self.failure("make directory", entry.path)
            }
        }
        let bytes = plan.files.reduce(0) { $0 + $1.bytes }
        progress.begin("receiving", total: bytes)
        try await fetch(plan.files, progress)
        for entry in plan.links {
            guard symlink(entry.target ?? "", "\(directory)/\(entry.path)") == 0 else {
                throw Self.failure("make link", entry.path)
            }
        }
        for entry in plan.modes + plan.directories.reversed() {
            guard let mode = entry.mode else { continue }
            guard chmod("\(directory)/\(entry.path)", mode_t(mode)) == 0 else {
                throw Self.failure("set the mode of", entry.path)
            }
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
        let path = "\(directory)/\(entry.path)"
        let temporary = path + ".coffer-\(ProcessInfo.processInfo.processIdentifier)"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("create", entry.path) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            var hash = SHA256()
            try await client.download("/-/v1/artifact/content", [("ref", "\(reference):\(entry.path)")]) { piece in
                piece.withUnsafeBytes { hash.update($0) }
                try file.write(contentsOf: piece)
                progress.add(Int64(piece.count))
            }
            guard hash.finish().description == entry.sha256 else {
                throw CommandFailure(.conflict, "\(reference) is another version now; run the update again")
            }
            guard fchmod(descriptor, mode_t(entry.mode ?? 0o644)) == 0, rename(temporary, path) == 0 else {
                throw Self.failure("replace", entry.path)
            }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func failure(_ verb: String, _ path: String) -> CommandFailure {
        CommandFailure(.refused, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
