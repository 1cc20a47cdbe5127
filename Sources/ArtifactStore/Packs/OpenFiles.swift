import Foundation
import Glibc

/// How many files and sockets this process may have open at once.
///
/// Systems give every process a low limit that it may raise itself, for the sake of programs that use `select`.
package struct OpenFiles: Sendable, Equatable {
    /// What holds now.
    package let limit: Int
    /// What the process may raise it to.
    package let ceiling: Int

    /// What is plenty: packs, a database and thousands of connections. More would only slow down programs that pipelines
    /// run and that walk through all descriptors they might have.
    package static let plenty = 65_536
    /// Below this many, connections are refused before the machine is busy.
    package static let enough = 1024

    /// The limits as they are. Those of a system that does not say count as its customary ones.
    package static var current: OpenFiles {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else {
            return OpenFiles(limit: enough, ceiling: enough)
        }
        return OpenFiles(limit: Int(clamping: limits.rlim_cur), ceiling: Int(clamping: limits.rlim_max))
    }

    /// Raises the limit as far as allowed and sensible; never lowers it. What fails leaves it as it was: less work is done
    /// side by side then.
    package static func raise(to wanted: Int = plenty) {
        let now = current
        let goal = min(wanted, now.ceiling)
        guard goal > now.limit else { return }
        var limits = rlimit(rlim_cur: rlim_t(goal), rlim_max: rlim_t(now.ceiling))
        if now.ceiling == .max { limits.rlim_max = rlim_t.max }
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
    }

    /// How many are open, where the system tells.
    package static var inUse: Int? {
        // Where it does not tell, there is nothing to show.
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count
    }

    /// How many packs are kept open for the next read: a part of what is allowed.
    package var forPacks: Int { min(256, max(8, limit / 4)) }
}
