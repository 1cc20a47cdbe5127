import ArgumentParser
import ArtifactStore
import Catalog

/// Stores many small distinct files and prints the memory that a store holding them needs once it was opened anew.
struct Index: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Option(help: "How many chunks.") var chunks = 1_000_000

    func run() async throws {
        try await fill()
        let empty = try memory("VmRSS")
        let (store, catalog) = try await bench.open()
        let entries = try await touch(store)
        try report([
            "chunks": Double(entries),
            "bytesPerMillion": Double(max(0, try memory("VmRSS") - empty)) * 1_000_000 / Double(max(entries, 1)),
        ])
        try await store.close()
        try catalog.close()
    }

    private func fill() async throws {
        let (store, catalog) = try await bench.open()
        var random = Xorshift()
        let ingest = try await store.beginIngest(scope: BenchOptions.scope)
        let tree = try await ingest.openTree()
        for index in 0..<chunks {
            let path = "d\(index / 1000)/f\(index)"
            try await tree.addFile(Array(path.utf8), mode: 0o644, random.bytes(160))
        }
        try await store.publish(tree.finish(), BenchOptions.draft())
        try await store.close()
        try catalog.close()
    }

    /// Reads one file of many directories, so that the index is consulted all over.
    private func touch(_ store: ArtifactStore) async throws -> Int {
        let page = try await store.versions(
            VersionFilter(scope: BenchOptions.scope, repository: "bench", artifact: "data"))
        guard let version = page.versions.first else { throw ValidationError("nothing was stored") }
        for directory in stride(from: 0, to: chunks / 1000, by: 7) {
            let (_, stream) = try await store.readFile(version.id, path: "d\(directory)/f\(directory * 1000)")
            _ = try await stream.collect(upTo: 1 << 20)
        }
        return version.fileCount
    }
}
