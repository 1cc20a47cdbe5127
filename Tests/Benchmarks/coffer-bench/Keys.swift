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
        for _ in 0..<count { blob = try await keys.generateDataKey(under: key, context: context).blob }
        let generated = seconds()
        for _ in 0..<count { _ = try await keys.decryptDataKey(blob, context: context) }
        let opened = seconds()

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
            "decryptPerSecond": Double(count) / (opened - generated),
            "derivationsPerSecond": Double(count) / (derived - deriving),
        ])
        try catalog.close()
    }
}
