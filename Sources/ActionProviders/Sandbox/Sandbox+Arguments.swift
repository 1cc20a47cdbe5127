import Foundation
import Glibc

extension Sandbox {
    /// Top-level directories that a sandbox replaces or never shows: other people's files, sockets, devices.
    private static let hidden: Set<String> = [
        "boot", "codebuild", "dev", "home", "lost+found", "media", "mnt", "proc", "root", "run", "sys", "tmp",
    ]

    /// Small files that tell more than a build needs to know.
    private static let blanked = ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers"]

    /// The arguments that shape the sandbox. Later mounts lie over earlier ones, so order matters.
    func bubblewrapArguments(_ layout: JobLayout) -> [String] {
        var arguments = [
            "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
            "--unshare-cgroup-try", "--hostname", "build",
        ]
        if network == .none { arguments.append("--unshare-net") }
        // Enough to unpack archives as their owner; not enough to read what the machine's permissions forbid.
        if geteuid() == 0 {
            arguments += ["--cap-drop", "ALL"]
            for capability in ["CAP_CHOWN", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL"] {
                arguments += ["--cap-add", capability]
            }
        }
        arguments += rootArguments()
        arguments += ["--proc", "/proc", "--dev", "/dev", "--ro-bind-try", "/sys", "/sys"]
        for path in ["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf"] {
            arguments += ["--ro-bind-try", path, path]
        }
        for path in visibleDirectories { arguments += ["--ro-bind", path, path] }
        for path in Self.blanked where access(path, F_OK) == 0 { arguments += ["--ro-bind", "/dev/null", path] }
        arguments += ["--tmpfs", dataDirectory]
        arguments += ["--bind", layout.home, "/root"]
        arguments += ["--bind", layout.temporary, "/tmp", "--bind", layout.temporary, "/var/tmp"]
        arguments += ["--bind", layout.codebuild, "/codebuild", "--ro-bind", layout.control, "/codebuild/readonly"]
        arguments += ["--chdir", "/codebuild/output"]
        return arguments
    }

    /// The machine's own directories, read-only, on an empty root, so that nothing new shows up unasked.
    private func rootArguments() -> [String] {
        var arguments: [String] = []
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/")) ?? []  // unreadable: an empty sandbox
        for name in names.sorted() where !Self.hidden.contains(name) {
            let path = "/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFLNK:
                guard let target = linkTarget(path) else { continue }
                arguments += ["--symlink", target, path]
            case S_IFDIR: arguments += ["--ro-bind-try", path, path]
            default: continue
            }
        }
        return arguments
    }
}
