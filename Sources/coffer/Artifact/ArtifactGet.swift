import Archives
import ArgumentParser
import Console
import Foundation
import SystemPackage

/// `coffer artifact get`.
struct ArtifactGet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Fetch a version as a directory, as a ZIP, or one file of it.",
        discussion: """
            Without a path in the reference: unpacks into the directory, which is made; with --zip, writes the ZIP file. A \
            version that is one file and no ZIP, and a path, are written as that file. Nothing that exists is overwritten, \
            except by --update: it makes a directory that is there equal to the version, fetching only files whose content \
            differs and removing what the version does not have.

            A directory comes back with the names, permissions and links that it had, wherever the links lead; times are not \
            kept, and files that were hard links of each other are files of their own. Of a ZIP that somebody uploaded, names \
            and links that lead out of the directory are refused.
            """)

    @OptionGroup var reference: ReferenceArgument

    @Argument(help: "Where to; - writes to standard output.")
    var destination: String

    @Flag(help: "Keep the version as one ZIP file.")
    var zip = false

    @Flag(help: "Make an existing directory equal to the version.")
    var update = false

    @Flag(help: "Do not ask before --update removes something.")
    var yes = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var talk: ProgressOptions

    func validate() throws {
        guard !update || !zip && destination != "-" else { throw ValidationError("--update takes a directory") }
    }

    func run() async throws {
        let isPath = try ReferenceText(reference.reference).path != nil
        let route = isPath ? "/-/v1/artifact/content" : "/-/v1/artifact/zip"
        if destination == "-" {
            try await connection.withClient { try await $0.download(route, reference.query) { Out.write($0) } }
            return
        }
        if isPath || zip {
            try await fetch(route, to: destination)
            return
        }
        if update, FileManager.default.fileExists(atPath: destination) {
            let progress = talk.progress("comparing")
            let report = try await connection.withClient { client in
                let update = try DirectoryUpdate(client: client, reference: reference.reference, directory: destination)
                let plan = try await update.plan()
                if !plan.extra.isEmpty {
                    try Input.confirm("Remove \(plan.extra.count) entries from \(destination)?", yes: yes)
                }
                return try await update.carryOut(plan, progress)
            }
            progress.end()
            if !talk.isQuiet { Talk.line(report) }
            return
        }
        guard !FileManager.default.fileExists(atPath: destination) else {
            throw CommandFailure(.conflict, "\(destination) exists; name a new directory")
        }
        let archive = destination + ".download-\(ProcessInfo.processInfo.processIdentifier)"
        defer { unlink(archive) }
        let kind = try await fetch(route, to: archive)
        let isTree = kind == "tree"
        guard try isTree || ArtifactGet.looksLikeZip(archive) else {
            guard link(archive, destination) == 0 else {
                throw CommandFailure(.conflict, "cannot create \(destination): \(String(cString: strerror(errno)))")
            }
            if !talk.isQuiet { Talk.line("1 file, \(Say.bytes(try size(of: destination))): \(destination)") }
            return
        }
        let report = try await ArtifactGet.unpack(archive, to: destination, isTree: isTree)
        if talk.isQuiet { return }
        Talk.line("\(report.files) files, \(Say.bytes(report.bytes)) in \(destination)")
    }

    /// Downloads to a new file. Returns whether the version is a `tree` or a `blob`, if the server said.
    @discardableResult
    private func fetch(_ route: String, to path: String) async throws -> String? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CommandFailure(.conflict, "cannot create \(path): \(String(cString: strerror(errno)))")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var kind: String?
        do {
            let progress = talk.progress("receiving")
            defer { progress.end() }
            try await connection.withClient { client in
                try await client.download(
                    route, reference.query,
                    answered: {
                        progress.begin("receiving", total: $0)
                        kind = $1
                    }
                ) { piece in
                    try file.write(contentsOf: piece)
                    progress.add(Int64(piece.count))
                }
            }
            try file.close()
            return kind
        } catch {
            unlink(path)
            throw error
        }
    }

    /// Whether a file begins as ZIP archives do: with a member, or with the end of an empty one (APPNOTE 4.3.7, 4.3.16).
    private static func looksLikeZip(_ path: String) throws -> Bool {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }  // Only read.
        let start = try file.read(upToCount: 4).map(Array.init) ?? []
        return start == [0x50, 0x4b, 0x03, 0x04] || start == [0x50, 0x4b, 0x05, 0x06]
    }

    private func size(of path: String) throws -> Int64 {
        (try FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.int64Value ?? 0
    }

    @concurrent
    private static func unpack(_ archive: String, to directory: String, isTree: Bool) async throws -> TreeWriter.Report
    {
        // What the server made of a directory may have any name and link that a directory can have.
        let limits = ArchiveLimits(
            entries: isTree ? .max : ArchiveLimits().entries,
            directoryBytes: isTree ? 1 << 32 : ArchiveLimits().directoryBytes, origin: isTree ? .ownTree : .anywhere)
        // Blocks, which is harmless here: the command has nothing else to do.
        do {
            return try LocalZipReader(try FileSource(FilePath(archive)), limits: limits).extract(
                to: FilePath(directory), limits: limits)
        } catch {
            // Half a directory is worse than none; the reason for the failure is what counts.
            try? FileManager.default.removeItem(atPath: directory)
            throw CommandFailure(.refused, "cannot unpack into \(directory): \(error)")
        }
    }
}
