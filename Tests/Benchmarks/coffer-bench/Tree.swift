import ArgumentParser
import ArtifactStore
import Catalog

/// Publishes files of one byte, given one by one, and tells what that took in memory.
struct Tree: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Option(help: "How many files.") var files = 1_000_000
    @Option(help: "How many of them share a directory.") var together = 1000

    func run() async throws {
        let (store, catalog) = try await bench.open()
        let before = try memory("VmRSS")
        let start = seconds()
        let ingest = try await store.beginIngest(scope: BenchOptions.scope)
        let tree = try await ingest.openTree()
        for index in 0..<files {
            try await tree.addFile(Array("d\(index / together)/file\(index)".utf8), mode: 0o644, [UInt8(index % 251)])
        }
        let given = seconds()
        let staged = try await tree.finish()
        let finished = seconds()
        let growth = try memory("VmHWM") - before
        try await store.publish(staged, BenchOptions.draft())
        try report([
            "files": Double(files), "peakBytes": Double(growth), "seconds": seconds() - start,
            "givingSeconds": given - start, "finishingSeconds": finished - given,
            "publishedPeakBytes": Double(try memory("VmHWM") - before),
        ])
        try await store.close()
        try catalog.close()
    }
}
