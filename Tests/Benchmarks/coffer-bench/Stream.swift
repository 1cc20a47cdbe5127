import ArgumentParser
import ArtifactStore
import Catalog

/// Ingests one long stream of incompressible bytes and prints the peak of memory.
struct Stream: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Option(help: "Length of the stream.") var gibibytes = 8

    func run() async throws {
        let (store, catalog) = try await bench.open()
        var random = Xorshift()
        let started = seconds()
        let ingest = try await store.beginIngest(scope: BenchOptions.scope)
        let writer = try await ingest.openBlob()
        for _ in 0..<(gibibytes * 1024) { try await writer.write(random.bytes(1 << 20)) }
        try await store.publish(writer.finish(), BenchOptions.draft())
        try report(["peakBytes": Double(try memory("VmHWM")), "seconds": seconds() - started])
        try await store.close()
        try catalog.close()
    }
}
