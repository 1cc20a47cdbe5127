import ArgumentParser
import Catalog
import Cryptography
import Foundation
import KeyHierarchy

/// Data keys and derivations per second, from memory.
struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Data keys and derivations per second.")

    @OptionGroup var options: BenchOptions

    @Option(help: "How many of each.")
    var count = 100_000

    func run() async throws {
        try FileManager.default.createDirectory(atPath: options.data, withIntermediateDirectories: true)
        let catalog = try Catalog(path: options.data + "/keys.sqlite", migrations: KeySchema.migrations)
        let keys = try await KeyHierarchy.create(catalog: catalog, root: RootLocation(directory: options.data))
        let key = try await keys.resolveKey(nil, in: BenchOptions.scope)
        let context = ["aws:s3:arn": "arn:aws:s3:::bench/key"]

        var blob: [UInt8] = []
        let generating = seconds()
        let spending = processorSeconds()
        for _ in 0..<count { blob = try await keys.generateDataKey(under: key, context: context).blob }
        let generated = seconds()
        let spent = processorSeconds() - spending
        for _ in 0..<count { _ = try await keys.decryptDataKey(blob, context: context) }
        let opened = seconds()

        // What the data key adds to a publish, and to the first read after it.
        let artifact = [UInt8](repeating: 3, count: 16)
        let wrapping = seconds()
        var envelope: [UInt8] = []
        for _ in 0..<count {
            envelope = try await keys.createEnvelope(artifactID: artifact, for: key, context: context).envelope
        }
        let wrapped = seconds()
        for _ in 0..<count { _ = try await keys.openEnvelope(envelope) }
        let unwrapped = seconds()
        for _ in 0..<count { _ = try keys.signAsInstance(artifact) }
        let signed = seconds()

        let derivation = LabelledDerivation(key: .random(count: 32), label: "cid")
        let fields = [UInt8](repeating: 7, count: 48)
        var output = [UInt8](repeating: 0, count: 32)
        let deriving = seconds()
        for _ in 0..<count {
            fields.withUnsafeBytes { source in
                output.withUnsafeMutableBytes { derivation.derive(prefixedFields: source, into: $0) }
            }
        }
        let derived = seconds()
        try report([
            "generateDataKeyPerSecond": Double(count) / (generated - generating),
            "generateDataKeyPerProcessorSecond": Double(count) / spent,
            "wrapMicroseconds": (wrapped - wrapping) / Double(count) * 1e6,
            "unwrapMicroseconds": (unwrapped - wrapped) / Double(count) * 1e6,
            "signMicroseconds": (signed - unwrapped) / Double(count) * 1e6,
            "decryptPerSecond": Double(count) / (opened - generated),
            "derivationsPerSecond": Double(count) / (derived - deriving),
        ])
        try catalog.close()
    }
}
