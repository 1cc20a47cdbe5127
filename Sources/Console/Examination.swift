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
        findings.append(igzip())
        findings.append(await git())
        findings.append(disk())
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

    private func igzip() -> Finding {
        Finding("igzip", CompressionEngine.hasIgzip ? .ok : .warning, CompressionEngine.igzip)
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

    /// Stores something and reads it back, without publishing it.
    private func store() async -> Finding {
        let sample = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        do {
            let began = ContinuousClock.now
            let ingest = try await services.store.beginIngest(scope: scope)
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
