import Foundation
import Glibc

/// Where untrusted commands run.
///
/// With bubblewrap they see a read-only view of the machine in private mount, pid, IPC and host-name namespaces, a
/// writable `/codebuild`, `/tmp` and `/root` of their own, a minimal `/dev`, an environment made for them, and no
/// capability but those that unpacking an archive needs. The server's data directory is an empty directory there.
/// Whatever they start ends with them, and with the server.
public struct Sandbox: Sendable {
    /// How commands are isolated on this machine.
    public enum Mode: Sendable, Equatable {
        /// In a bubblewrap sandbox, with the program's path.
        case bubblewrap(path: String)
        /// As plain child processes, which the configuration allows.
        case plain
        /// Not at all: commands are refused, for this reason.
        case refused(String)
    }

    /// What was decided when the server started.
    public let mode: Mode
    let limits: SandboxLimits
    let network: SandboxNetwork
    let dataDirectory: String
    let visibleDirectories: [String]

    /// Probes what this machine can do. Never fails: the answer is ``mode``.
    public static func probe(_ configuration: ProviderConfiguration) async -> Sandbox {
        func make(_ mode: Mode) -> Sandbox {
            Sandbox(
                mode: mode, limits: configuration.limits, network: configuration.network,
                dataDirectory: realPath(configuration.dataDirectory) ?? configuration.dataDirectory,
                visibleDirectories: configuration.visibleDirectories)
        }
        let fault: String
        if let path = Self.find("bwrap") {
            let candidate = make(.bubblewrap(path: path))
            if let problem = await candidate.problem() { fault = problem } else { return candidate }
        } else {
            fault = "bubblewrap (bwrap) is not installed"
        }
        return make(configuration.allowsUnsandboxed ? .plain : .refused(fault))
    }

    /// One sentence for the start-up message, `doctor` and the log.
    public var description: String {
        switch mode {
        case .bubblewrap(let path):
            "Build commands run in a bubblewrap sandbox (\(path), network \(network.rawValue))."
        case .plain:
            "Build commands run as plain child processes without a sandbox, as --allow-unsandboxed asks."
        case .refused(let fault):
            "Build commands are refused: \(fault). Install bubblewrap, or start with --allow-unsandboxed to run them "
                + "as plain child processes."
        }
    }

    /// Why the sandbox does not work, or nil when a trial command ran in it.
    private func problem() async -> String? {
        let trial = FileManager.default.temporaryDirectory.path + "/coffer-sandbox-\(UUID().uuidString)"
        let layout = JobLayout(root: trial, isSandboxed: true)
        do {
            try layout.create()
            defer { removeTree(trial) }
            var launch = try launch(
                ["/bin/sh", "-c", "cd /codebuild/output && touch probe"], environment: [:], in: layout)
            launch.separatesErrors = true
            let result = try await ProcessRunner.run(launch, timeout: .seconds(10))
            if result.exit.succeeded { return nil }
            let complaint =
                result.errors.split(separator: "\n").first.map(String.init) ?? "status \(result.exit.status)"
            return "bubblewrap does not work here (\(complaint))"
        } catch {
            return "bubblewrap does not work here (\(error))"
        }
    }

    /// How to start `command` in the sandbox, or plainly, with only `environment` and the files of `layout`.
    func launch(_ command: [String], environment: [String: String], in layout: JobLayout) throws(SandboxError) -> Launch
    {
        switch mode {
        case .refused(let fault):
            throw SandboxError(
                message: "This server cannot run build commands: \(fault). Install bubblewrap, or start the server "
                    + "with --allow-unsandboxed to run them as plain child processes.")
        case .plain:
            return Launch(
                executable: command[0], arguments: Array(command.dropFirst()), environment: environment,
                directory: layout.root)
        case .bubblewrap(let path):
            return Launch(
                executable: path, arguments: bubblewrapArguments(layout) + ["--"] + command, environment: environment,
                directory: "/")
        }
    }

    /// The program `name` in the usual places.
    static func find(_ name: String) -> String? {
        ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 }
    }
}

/// Commands cannot be run safely on this machine.
struct SandboxError: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}
