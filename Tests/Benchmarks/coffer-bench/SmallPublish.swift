import ArgumentParser
import ArtifactStore
import Catalog
import Glibc

/// Publishes ten new files of 2 KiB again and again, beside the price of keeping the same bytes with one `fdatasync`: they
/// are appended to a file on the same disk. What flushing 4 KiB costs is told too.
struct SmallPublish: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions
    @Option(help: "How often.") var count = 300

    func run() async throws {
        let (store, catalog) = try await bench.open()
        var random = Xorshift()
        var publishes: [Double] = []
        var syncs: [Double] = []
        var smallSyncs: [Double] = []
        let probe = Glibc.open(bench.data + "/probe", O_CREAT | O_WRONLY, 0o600)
        guard probe >= 0 else { throw ValidationError("cannot write to \(bench.data)") }
        defer { close(probe) }
        for _ in 0..<count {
            let block = random.bytes(4096)
            let files = (0..<10).map { _ in random.bytes(2048) }
            let before = seconds()
            try append(block, to: probe)
            let afterBlock = seconds()
            let content = files.flatMap { $0 }
            let beforeContent = seconds()
            try append(content, to: probe)
            let between = seconds()
            let ingest = try await store.beginIngest(scope: BenchOptions.scope)
            let tree = try await ingest.openTree()
            for (index, bytes) in files.enumerated() {
                try await tree.addFile(Array("file\(index)".utf8), mode: 0o644, bytes)
            }
            try await store.publish(tree.finish(), BenchOptions.draft())
            publishes.append(seconds() - between)
            syncs.append(between - beforeContent)
            smallSyncs.append(afterBlock - before)
        }
        try report([
            "publishMilliseconds": median(publishes) * 1000, "syncMilliseconds": median(syncs) * 1000,
            "smallSyncMilliseconds": median(smallSyncs) * 1000,
        ])
        try await store.close()
        try catalog.close()
    }

    private func append(_ bytes: [UInt8], to file: Int32) throws {
        guard write(file, bytes, bytes.count) == bytes.count, fdatasync(file) == 0 else {
            throw ValidationError("cannot write to \(bench.data)")
        }
    }
}
