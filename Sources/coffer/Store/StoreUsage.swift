import ArgumentParser
import Console

/// `coffer store usage`.
struct StoreUsage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Show how many versions and bytes each artifact or pipeline has.",
        discussion: """
            STORED is what publishing the versions added to the storage; content that several share is counted where it \
            came first.
            """)

    /// What one line of the answer stands for.
    enum Grouping: String, ExpressibleByArgument, CaseIterable {
        case artifact, pipeline
    }

    @Option(help: "One line for each artifact or for each pipeline.")
    var by: Grouping = .artifact

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let items: [UsageItem] = try await connection.withClient { try await $0.get("/-/v1/store/usage") }
        switch by {
        case .artifact:
            try output.list(items, ["REPOSITORY", "ARTIFACT", "VERSIONS", "SIZE", "STORED"]) { item in
                [
                    item.repository, item.artifact, "\(item.versions)", Say.bytes(item.bytes),
                    Say.bytes(item.storedBytes),
                ]
            }
        case .pipeline:
            try output.list(Self.byPipeline(items), ["PIPELINE", "ARTIFACTS", "VERSIONS", "SIZE", "STORED"]) { item in
                [
                    item.pipeline, "\(item.artifacts)", "\(item.versions)", Say.bytes(item.bytes),
                    Say.bytes(item.storedBytes),
                ]
            }
        }
    }

    /// The figures of one pipeline, or of whatever else groups artifacts.
    struct PipelineUsage: Codable, Sendable {
        var pipeline: String
        var artifacts = 0
        var versions = 0
        var bytes: Int64 = 0
        var storedBytes: Int64 = 0
    }

    static func byPipeline(_ items: [UsageItem]) -> [PipelineUsage] {
        Dictionary(grouping: items, by: \.repository).map { name, items in
            items.reduce(into: PipelineUsage(pipeline: name)) { sum, item in
                sum.artifacts += 1
                sum.versions += item.versions
                sum.bytes += item.bytes
                sum.storedBytes += item.storedBytes
            }
        }.sorted { $0.storedBytes > $1.storedBytes }
    }
}
