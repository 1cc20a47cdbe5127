import Foundation
import Glibc

/// The directories of one job, and where its commands see them.
struct JobLayout: Sendable {
    /// The job's own directory, readable by nobody else.
    let root: String
    /// Whether commands see these directories at the places AWS's containers have them.
    let isSandboxed: Bool

    var codebuild: String { root + "/codebuild" }
    var home: String { root + "/home" }
    var temporary: String { root + "/tmp" }
    /// Written by us, read by the job.
    var control: String { root + "/control" }
    /// Where outputs are gathered for publishing; the job does not see it.
    var outputs: String { root + "/outputs" }

    /// Pairs of what commands call a directory and where it is.
    private var mounts: [(seen: String, real: String)] {
        guard isSandboxed else { return [] }
        return [
            ("/codebuild/readonly", control), ("/codebuild", codebuild), ("/tmp", temporary), ("/var/tmp", temporary),
            ("/root", home),
        ]
    }

    func create() throws {
        try makeDirectory(root, mode: 0o700)
        for directory in [codebuild, codebuild + "/output", codebuild + "/output/tmp", home, control, outputs] {
            try makeDirectory(directory, mode: 0o755)
        }
        try makeDirectory(codebuild + "/readonly", mode: 0o755)
        try makeDirectory(temporary, mode: 0o777)
        _ = chmod(temporary, 0o1777)
    }

    /// What a command calls the file that is at `real`.
    func seen(_ real: String) -> String {
        for mount in mounts where real == mount.real || real.hasPrefix(mount.real + "/") {
            return mount.seen + real.dropFirst(mount.real.count)
        }
        return real
    }

    /// Where the file is that a command calls `seen`, an absolute path; nil when it is none of this job's.
    func real(_ seen: String) -> String? {
        for mount in mounts where seen == mount.seen || seen.hasPrefix(mount.seen + "/") {
            return mount.real + seen.dropFirst(mount.seen.count)
        }
        return !isSandboxed && (seen == root || seen.hasPrefix(root + "/")) ? seen : nil
    }
}

/// The directories of all jobs, below `<data>/work`.
struct WorkDirectories: Sendable {
    let root: String

    /// Makes the directory, and removes what jobs of an earlier process left.
    init(dataDirectory: String) throws {
        root = dataDirectory + "/work"
        try makeDirectory(root, mode: 0o700)
        for name in try FileManager.default.contentsOfDirectory(atPath: root) { removeTree("\(root)/\(name)") }
    }

    /// Runs `body` with a fresh directory that is gone afterwards, whatever happens.
    func withDirectory<R>(_ purpose: String, _ body: (String) async throws -> R) async throws -> R {
        let path = "\(root)/\(purpose)-\(UUID().uuidString.lowercased())"
        try makeDirectory(path, mode: 0o700)
        do {
            let result = try await body(path)
            await offload { removeTree(path) }
            return result
        } catch {
            await offload { removeTree(path) }
            throw error
        }
    }
}
