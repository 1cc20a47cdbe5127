import Foundation
import Glibc

/// Gathers the files that a buildspec's `artifacts` section names into a directory of their own.
///
/// Runs outside the sandbox after its processes are gone. Whatever the build left, nothing outside the job's own
/// directories is read: links are resolved as the build would have seen them and refused where they lead elsewhere.
struct ArtifactCollector {
    /// What went wrong; CodeBuild's status code for it is `CLIENT_ERROR`.
    struct Failure: Error, Equatable {
        let message: String
    }

    let layout: JobLayout
    /// The directory that relative paths start from, as the build sees it.
    let sourceDirectory: String
    /// Takes lines for the build log.
    let note: (String) -> Void

    /// Fills the empty directory `destination`; `artifacts` holds expanded paths.
    func collect(_ artifacts: Buildspec.Artifacts, into destination: String) throws {
        let base = artifacts.baseDirectory ?? "."
        note("Expanding base directory path: \(base)")
        let bases = baseDirectories(base)
        guard !bases.isEmpty else {
            note("Skipping invalid file path \(base)")
            throw Failure(message: "no matching base directory path found for \(base)")
        }
        var run = Run(
            artifacts: artifacts, destination: destination, excluded: artifacts.excludePaths.map(FileGlob.init))
        for directory in bases {
            note("Expanding file paths for base directory \(base)")
            note("Assembling file list")
            for pattern in artifacts.files { try expand(pattern, in: directory, &run) }
        }
        guard run.found > 0 else { throw Failure(message: "no matching artifact paths found") }
        note("Found \(run.found) file(s)")
    }

    /// The state of one collection.
    private struct Run {
        let artifacts: Buildspec.Artifacts
        let destination: String
        let excluded: [FileGlob]
        var found = 0
        var placed: Set<String> = []
    }

    // MARK: - Where

    /// The directories, as seen, that a base directory with wildcards names.
    private func baseDirectories(_ base: String) -> [String] {
        let seen = PathText.absolute(base, from: sourceDirectory)
        if realDirectory(seen) != nil { return [seen] }
        let glob = FileGlob(base)
        guard !base.hasPrefix("/"), !glob.isLiteral, let real = realDirectory(sourceDirectory) else { return [] }
        var found: [String] = []
        walkDirectories(real, relative: "", glob: glob, found: &found)
        return found.sorted().map { "\(sourceDirectory)/\($0)" }
    }

    private func walkDirectories(_ real: String, relative: String, glob: FileGlob, found: inout [String]) {
        for name in names(real) where kind("\(real)/\(name)") == S_IFDIR {
            let path = relative.isEmpty ? name : "\(relative)/\(name)"
            if glob.matches(path) { found.append(path) }
            if glob.canMatchBelow(path) {
                walkDirectories("\(real)/\(name)", relative: path, glob: glob, found: &found)
            }
        }
    }

    private func realDirectory(_ seen: String) -> String? {
        guard let real = layout.resolve(seen), kind(real) == S_IFDIR else { return nil }
        return real
    }

    // MARK: - What

    private func expand(_ pattern: String, in base: String, _ run: inout Run) throws {
        note("Expanding \(pattern)")
        let before = run.found
        let normal = PathText.absolute(pattern, from: base)
        if normal == base || normal.hasPrefix(base == "/" ? "/" : base + "/") {
            let relative = normal == base ? "**" : String(normal.dropFirst(base.count + 1))
            let glob = FileGlob(relative)
            if glob.isLiteral {
                try take(PathText.absolute(relative, from: base), as: glob.text, &run, recursing: true)
            } else if let real = realDirectory(base) {
                try walk(real, seen: base, relative: "", glob: glob, &run)
            }
        } else if FileGlob(pattern).isLiteral {
            try take(normal, as: PathText.lastComponent(normal), &run, recursing: false)
        }
        if run.found == before { note("Skipping invalid file path \(pattern)") }
    }

    private func walk(_ real: String, seen: String, relative: String, glob: FileGlob, _ run: inout Run) throws {
        for name in names(real) {
            let path = relative.isEmpty ? name : "\(relative)/\(name)"
            if kind("\(real)/\(name)") == S_IFDIR {
                if glob.canMatchBelow(path) {
                    try walk("\(real)/\(name)", seen: "\(seen)/\(name)", relative: path, glob: glob, &run)
                }
            } else if glob.matches(path) {
                try take("\(seen)/\(name)", as: path, &run, recursing: false)
            }
        }
    }

    /// Takes one file, link or, when named in so many words, directory.
    private func take(_ seen: String, as path: String, _ run: inout Run, recursing: Bool) throws {
        guard let parent = layout.resolve(PathText.parent(seen)) else { return }
        let real = "\(parent)/\(PathText.lastComponent(seen))"
        switch kind(real) {
        case S_IFREG: try place(real, as: path, &run)
        case S_IFDIR where recursing:
            for name in names(real) { try take("\(seen)/\(name)", as: "\(path)/\(name)", &run, recursing: true) }
        case S_IFLNK where run.artifacts.keepsSymlinks: try place(real, as: path, &run)
        case S_IFLNK: try takeTarget(of: seen, as: path, &run)
        case S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK:
            note("Skipping \(path): it is neither a file nor a link")
        default: return
        }
    }

    private func takeTarget(of seen: String, as path: String, _ run: inout Run) throws {
        guard let target = layout.resolve(seen) else {
            note("Skipping symbolic link \(path): its target is missing or outside the build's own directories")
            return
        }
        switch kind(target) {
        case S_IFREG: try place(target, as: path, &run)
        case S_IFDIR:
            // A link to one of its own parents has no end; others are followed once and not beyond.
            guard let own = layout.resolve(PathText.parent(seen)), own != target, !own.hasPrefix(target + "/") else {
                note("Skipping symbolic link \(path): it leads to a directory that holds it")
                return
            }
            try copyDirectory(target, as: path, &run)
        default: note("Skipping symbolic link \(path): its target is not a file")
        }
    }

    private func copyDirectory(_ real: String, as path: String, _ run: inout Run) throws {
        for name in names(real) {
            switch kind("\(real)/\(name)") {
            case S_IFREG: try place("\(real)/\(name)", as: "\(path)/\(name)", &run)
            case S_IFDIR: try copyDirectory("\(real)/\(name)", as: "\(path)/\(name)", &run)
            default: note("Skipping \(path)/\(name): links within a linked directory are not followed")
            }
        }
    }

    private func place(_ real: String, as path: String, _ run: inout Run) throws {
        guard !run.excluded.contains(where: { $0.matches(path) || $0.isLiteral && path.hasPrefix($0.text + "/") })
        else {
            return
        }
        let name = run.artifacts.discardsPaths ? PathText.lastComponent(path) : path
        if !run.placed.insert(name).inserted {
            if !run.artifacts.discardsPaths { return }
            note("File \(path) replaces another file of the same name")
        } else {
            run.found += 1
        }
        let target = "\(run.destination)/\(name)"
        let directory = PathText.parent(target)
        if directory != run.destination {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
        _ = unlink(target)
        // A second name is as good as a copy: nobody writes to either any more.
        if linkat(AT_FDCWD, real, AT_FDCWD, target, 0) != 0 {
            try FileManager.default.copyItem(atPath: real, toPath: target)
        }
    }

    // MARK: - The file system

    private func names(_ directory: String) -> [String] {
        // A directory that cannot be listed has nothing to offer; the count of files found tells.
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }

    private func kind(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }
}

extension JobLayout {
    /// Where the file is that a command calls `seen`, links followed as that command would see them; nil when it does
    /// not exist or is none of this job's.
    func resolve(_ seen: String) -> String? {
        var todo = Array(seen.split(separator: "/").map(String.init).reversed())
        var done: [String] = []
        var links = 0
        while let name = todo.popLast() {
            if name == "." { continue }
            if name == ".." {
                _ = done.popLast()
                continue
            }
            let path = "/" + (done + [name]).joined(separator: "/")
            guard let real = real(path) else {
                // Above the job's own directories there is nothing to follow, only a way through.
                done.append(name)
                continue
            }
            if let target = linkTarget(real) {
                links += 1
                guard links <= 40 else { return nil }
                if target.hasPrefix("/") { done = [] }
                todo += target.split(separator: "/").map(String.init).reversed()
            } else {
                done.append(name)
            }
        }
        guard let result = real("/" + done.joined(separator: "/")), access(result, F_OK) == 0 else { return nil }
        return result
    }
}

/// Paths as text.
enum PathText {
    /// `path` from `directory`, without `.`, `..` and doubled slashes.
    static func absolute(_ path: String, from directory: String) -> String {
        var components: [Substring] = []
        for component in (path.hasPrefix("/") ? path : directory + "/" + path).split(separator: "/") {
            switch component {
            case ".": continue
            case "..": _ = components.popLast()
            default: components.append(component)
            }
        }
        return "/" + components.joined(separator: "/")
    }

    static func lastComponent(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}
