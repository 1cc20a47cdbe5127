import ArgumentParser

/// Measures what only the library can be asked; `scripts/bench` runs it and compares. Each command prints one JSON object.
@main
struct CofferBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coffer-bench",
        abstract: "Measures the store from inside.",
        subcommands: [
            Keys.self, Ingest.self, Restore.self, Zip.self, SmallPublish.self, Stream.self, Index.self, Open.self,
            Churn.self, Tree.self, ZipMemory.self,
        ])
}
