import ArgumentParser
import ArtifactStore
import Catalog
import Foundation
import Glibc
import KeyHierarchy
import SystemPackage

/// Where a benchmark keeps its store.
struct BenchOptions: ParsableArguments {
    @Option(help: "The store's directory; made when missing.")
    var data: String

    static let scope = AccountRegion(account: "000000000000", region: "us-east-1")

    /// Opens the store with real keys, as the server does.
    func open(
        configure: (inout StoreConfiguration) -> Void = { _ in }
    ) async throws -> (store: ArtifactStore, catalog: Catalog) {
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        let catalog = try Catalog(
            path: data + "/catalog.sqlite", migrations: KeySchema.migrations + StoreSchema.migrations)
        let root = RootLocation(directory: data)
        let keys =
            FileManager.default.fileExists(atPath: root.rootFile)
            ? try await KeyHierarchy.open(catalog: catalog, root: root)
            : try await KeyHierarchy.create(catalog: catalog, root: root)
        var configuration = StoreConfiguration(directory: FilePath(data + "/store"))
        configure(&configuration)
        return (try await ArtifactStore(configuration: configuration, catalog: catalog, keys: keys), catalog)
    }

    /// The newest version of the benchmark's one artifact.
    static func newest(_ store: ArtifactStore) async throws -> VersionID {
        let filter = VersionFilter(scope: scope, repository: "bench", artifact: "data")
        guard let newest = try await store.versions(filter, limit: 1).versions.first else {
            throw ValidationError("nothing was stored yet")
        }
        return newest.id
    }

    /// A draft of the benchmark's one artifact.
    static func draft() -> VersionDraft {
        VersionDraft(scope: scope, repository: "bench", artifact: "data", createdBy: "bench")
    }
}

/// Prints one JSON object on standard output.
func report(_ values: [String: Double]) throws {
    let data = try JSONSerialization.data(withJSONObject: values, options: [.sortedKeys])
    FileHandle.standardOutput.write(data + Data("\n".utf8))
}

/// Seconds since some fixed moment.
func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// A figure of `/proc/self/status`, in bytes: `VmHWM` is the peak of resident memory, `VmRSS` what is resident now.
func memory(_ name: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    for line in status.split(separator: "\n") where line.hasPrefix(name + ":") {
        return (Int(line.split(whereSeparator: { " \t".contains($0) })[1]) ?? 0) * 1024
    }
    return 0
}

/// Has the peak of resident memory begin anew at what is resident now.
func resetPeak() throws { try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs")) }

/// The middle one of some figures.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

/// A fast generator with a fixed seed: the same bytes in every run.
struct Xorshift: RandomNumberGenerator {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let words = UnsafeMutableRawBufferPointer(buffer).bindMemory(to: UInt64.self)
            for index in words.indices { words[index] = next() }
            for index in (words.count * 8)..<count { buffer[index] = UInt8(truncatingIfNeeded: next()) }
            initialized = count
        }
    }
}

/// Seconds that this process has spent on processors.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
