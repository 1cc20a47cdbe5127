import ArgumentParser
import ArtifactStore
import Catalog
import Cryptography
import Foundation
import SystemPackage

/// Publishes very many files of one byte, and tells what that took in memory, and what reading the version's ZIP took.
struct Tree: AsyncParsableCommand {
    /// How the files come.
    enum Way: String, ExpressibleByArgument {
        /// One by one.
        case given
        /// As an upload, named first and sent after, a thousand at a time.
        case put
        /// As a directory on disk.
        case directory
    }

    @OptionGroup var bench: BenchOptions
    @Option(help: "How many files.") var files = 1_000_000
    @Option(help: "How many of them share a directory.") var together = 1000
    @Option(help: "How they come: given, put or directory.") var way = Way.given

    func run() async throws {
        let (store, catalog) = try await bench.open()
        let source = bench.data + "/source"
        if way == .directory { try write(to: source) }
        try resetPeak()
        let before = try memory("VmRSS")
        let start = seconds()
        let staged =
            switch way {
            case .given: try await give(try await store.beginIngest(scope: BenchOptions.scope).openTree())
            case .put: try await put(try await store.beginUpload(.tree, scope: BenchOptions.scope))
            case .directory:
                try await store.beginIngest(scope: BenchOptions.scope).addDirectory(FilePath(source))
            }
        let stored = try memory("VmHWM") - before
        let finished = seconds()
        try resetPeak()
        let version = try await store.publish(staged, BenchOptions.draft())
        let published = try memory("VmHWM") - before
        let end = seconds()
        try await store.close()
        try catalog.close()
        try report([
            "files": Double(files), "storedPeakBytes": Double(stored), "publishedPeakBytes": Double(published),
            "zipBytes": Double(version.zip.byteCount), "storingSeconds": finished - start,
            "publishingSeconds": end - finished,
        ])
    }

    private func path(_ index: Int) -> String { "d\(index / together)/file-of-one-byte-\(index)" }

    private func give(_ tree: TreeWriting) async throws -> StagedContent {
        for index in 0..<files {
            try await tree.addFile(Array(path(index).utf8), mode: 0o644, [UInt8(index % 251)])
        }
        return try await tree.finish()
    }

    /// Contents that are all different: what is known need not be sent.
    private func put(_ upload: Upload) async throws -> StagedContent {
        for first in stride(from: 0, to: files, by: 1000) {
            let contents = (first..<min(first + 1000, files)).map { Array("\($0)".utf8) }
            let entries = contents.enumerated().map { index, bytes in
                UploadEntry(
                    path: Array(path(first + index).utf8), mode: 0o644,
                    content: .file(SHA256.digest(bytes), Int64(bytes.count)))
            }
            let needs = try await upload.offer(entries)
            try await upload.receive(needs.files.map { Upload.SmallFile(index: $0, bytes: contents[$0 - first]) })
        }
        return try await upload.finish()
    }

    private func write(to folder: String) throws {
        for index in 0..<files {
            if index % together == 0 {
                try FileManager.default.createDirectory(
                    atPath: folder + "/d\(index / together)", withIntermediateDirectories: true)
            }
            let file = try FileDescriptor.open(
                FilePath(folder + "/" + path(index)), .writeOnly, options: [.create], permissions: [.ownerReadWrite])
            try file.closeAfter { _ = try file.writeAll([UInt8(index % 251)]) }
        }
    }
}

/// Reads the newest version as a ZIP, all of it and its last kilobyte, and tells what that took in memory.
struct ZipMemory: AsyncParsableCommand {
    @OptionGroup var bench: BenchOptions

    func run() async throws {
        let (store, catalog) = try await bench.open()
        let newest = try await BenchOptions.newest(store)
        try resetPeak()
        let before = try memory("VmRSS")
        let start = processorSeconds()
        let presentation = try await store.zip(newest)
        var digest = SHA256()
        for try await bytes in try presentation.stream() { bytes.withUnsafeBytes { digest.update($0) } }
        let read = processorSeconds()
        let end = presentation.byteCount
        for try await _ in try await store.zip(newest).stream(range: max(0, end - 1024)..<end) {}
        try report([
            "bytes": Double(end), "peakBytes": Double(try memory("VmHWM") - before), "processorSeconds": read - start,
            "endProcessorSeconds": processorSeconds() - read,
            // So that two programs can be compared.
            "digest": digest.finish().withUnsafeBytes { $0.prefix(6).reduce(0) { $0 * 256 + Double($1) } },
        ])
        try await store.close()
        try catalog.close()
    }
}
