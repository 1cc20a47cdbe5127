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

/// Writes the newest version as one ZIP, as the S3 front would serve it.
struct Zip: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Argument(help: "The file.") var file: String

    func run() async throws {
        let (store, catalog) = try await bench.open()
        let presentation = try await store.zip(try await BenchOptions.newest(store))
        let output = try FileDescriptor.open(
            FilePath(file), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        var written: Int64 = 0
        for try await bytes in try presentation.stream() {
            written += Int64(try output.writeAll(bytes))
        }
        try output.close()
        guard written == presentation.byteCount else {
            throw ValidationError("the ZIP has another length than promised")
        }
        try report(["bytes": Double(written)])
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
