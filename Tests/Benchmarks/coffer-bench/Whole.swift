import ArgumentParser
import ArtifactStore
import Catalog
import SystemPackage

/// Stores a directory as the next version.
struct Ingest: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Argument(help: "The directory.") var directory: String

    func run() async throws {
        let (store, catalog) = try await bench.open()
        let started = seconds()
        let ingest = try await store.beginIngest(scope: BenchOptions.scope)
        let staged = try await ingest.addDirectory(FilePath(directory))
        let version = try await store.publish(staged, BenchOptions.draft())
        try report([
            "seconds": seconds() - started, "logicalBytes": Double(version.logicalBytes),
            "newStoredBytes": Double(version.newStoredBytes), "peakBytes": Double(try memory("VmHWM")),
        ])
        try await store.close()
        try catalog.close()
    }
}

/// Writes the newest version to a directory.
struct Restore: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Argument(help: "The directory; made when missing.") var directory: String

    func run() async throws {
        let (store, catalog) = try await bench.open()
        let started = seconds()
        let page = try await store.versions(
            VersionFilter(scope: BenchOptions.scope, repository: "bench", artifact: "data"))
        guard let newest = page.versions.first else { throw ValidationError("nothing was stored yet") }
        let done = try await store.materialise(newest.id, to: FilePath(directory))
        try report([
            "seconds": seconds() - started, "bytes": Double(done.bytes), "peakBytes": Double(try memory("VmHWM")),
        ])
        try await store.close()
        try catalog.close()
    }
}
