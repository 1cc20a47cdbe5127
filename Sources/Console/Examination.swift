import ActionProviders
import ArtifactStore
import Compression
import Foundation
import KeyHierarchy

/// What the doctor looks at on the server's machine.
struct Examination: Sendable {
    let services: NativeServices
    let scope: AccountRegion

    func run() async -> [Finding] {
        var findings = [Finding("version", .ok, "coffer \(services.version)")]
        findings.append(sandbox())
        findings.append(
            Self.igzip(
                isFound: CompressionEngine.hasIgzip, CompressionEngine.igzip,
                used: CompressionEngine.resolve(.automatic, level: 1)))
        findings.append(await git())
        findings.append(disk())
        findings.append(Self.openFiles(OpenFiles.current, inUse: OpenFiles.inUse))
        findings.append(await store())
        return findings
    }

    private func sandbox() -> Finding {
        let text = services.providers.sandboxDescription
        let verdict: Finding.Verdict =
            switch services.providers.sandbox.mode {
            case .bubblewrap: .ok
            case .plain: .warning
            case .refused: .failed
            }
        return Finding("sandbox", verdict, text)
    }

    /// Whether the fast encoder is there, and whether it is the one that compresses.
    static func igzip(isFound: Bool, _ status: String, used: Encoder) -> Finding {
        guard isFound, used != .igzip else { return Finding("igzip", isFound ? .ok : .warning, status) }
        return Finding(
            "igzip", .warning, "\(status); COFFER_ENCODER=\(used.rawValue) has \(used.rawValue) compress instead")
    }

    private func git() async -> Finding {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let found = path.map { "\($0)/git" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else {
            return Finding("git", .failed, "not on PATH; source actions need it: apt-get install git")
        }
        return Finding("git", .ok, found)
    }

    private func disk() -> Finding {
        do {
            let values = try FileManager.default.attributesOfFileSystem(forPath: services.dataDirectory)
            let free = (values[.systemFreeSize] as? NSNumber)?.int64Value ?? 0
            let gibibytes = String(format: "%.1f GiB free", Double(free) / Double(1 << 30))
            return Finding("disk", free < 1 << 30 ? .warning : .ok, "\(gibibytes) at \(services.dataDirectory)")
        } catch {
            return Finding("disk", .failed, "cannot look at \(services.dataDirectory): \(error.localizedDescription)")
        }
    }

    /// Packs, connections and the pipes of commands that run: each takes one.
    static func openFiles(_ files: OpenFiles, inUse: Int?) -> Finding {
        let used = inUse.map { ", \($0) in use" } ?? ""
        let text = "at most \(files.limit) at once\(used)"
        let remedy = "start it with ulimit -n \(OpenFiles.plenty), or LimitNOFILE=\(OpenFiles.plenty) under systemd"
        if files.limit < OpenFiles.enough {
            return Finding("open files", .warning, "\(text); connections may be refused: \(remedy)")
        }
        if let inUse, inUse > files.limit / 4 * 3 {
            return Finding("open files", .warning, "\(text), which is nearly all of them: \(remedy)")
        }
        return Finding("open files", .ok, text)
    }

    /// Stores something and reads it back, without publishing it.
    private func store() async -> Finding {
        let sample = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        do {
            let began = ContinuousClock.now
            let ingest = try await services.store.beginIngest(
                scope: scope, repository: "coffer", artifact: "doctor")
            defer { ingest.abandon() }
            let staged = try await ingest.addBlob(sample)
            let took = ContinuousClock.now - began
            guard staged.logicalBytes == Int64(sample.count) else {
                return Finding("store", .failed, "stored \(staged.logicalBytes) of \(sample.count) bytes")
            }
            return Finding("store", .ok, "keys resolve, content can be stored (\(took.formatted()))")
        } catch {
            return Finding("store", .failed, "\(error)")
        }
    }
}
