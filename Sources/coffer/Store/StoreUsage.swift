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

    @Flag(help: "Also show what only it needs: what deleting it would free. Walks through everything that is stored.")
    var exclusive = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        switch by {
        case .artifact:
            let items: [UsageItem] = try await connection.withClient {
                try await $0.get("/-/v1/store/usage", [("exclusive", exclusive ? "1" : nil)])
            }
            try output.list(items, ["REPOSITORY", "ARTIFACT"] + headings) { item in
                [item.repository, item.artifact]
                    + cells(item.versions, item.bytes, item.storedBytes, item.exclusiveBytes)
            }
        case .pipeline:
            try output.list(try await byPipeline(), ["PIPELINE", "ARTIFACTS"] + headings) { item in
                [item.pipeline, "\(item.artifacts)"]
                    + cells(item.versions, item.bytes, item.storedBytes, item.exclusiveBytes)
            }
        }
    }

    private var headings: [String] { ["VERSIONS", "SIZE", "STORED"] + (exclusive ? ["EXCLUSIVE"] : []) }

    private func cells(_ versions: Int, _ bytes: Int64, _ stored: Int64, _ exclusive: Int64?) -> [String] {
        ["\(versions)", Say.bytes(bytes), Say.bytes(stored)] + [exclusive.map(Say.bytes)].compactMap { $0 }
    }

    /// The figures of one pipeline, or of whatever else groups artifacts.
    struct PipelineUsage: Codable, Sendable {
        var pipeline: String
        var artifacts = 0
        var versions = 0
        var bytes: Int64 = 0
        var storedBytes: Int64 = 0
        var exclusiveBytes: Int64?
    }

    private func byPipeline() async throws -> [PipelineUsage] {
        try await connection.withClient { client in
            let items: [UsageItem] = try await client.get("/-/v1/store/usage")
            var sums = Dictionary(grouping: items, by: \.repository).map { name, items in
                items.reduce(into: PipelineUsage(pipeline: name)) { sum, item in
                    sum.artifacts += 1
                    sum.versions += item.versions
                    sum.bytes += item.bytes
                    sum.storedBytes += item.storedBytes
                }
            }.sorted { ($1.storedBytes, $0.pipeline) < ($0.storedBytes, $1.pipeline) }
            for index in sums.indices where exclusive {
                let answer: ExclusiveAnswer = try await client.get(
                    "/-/v1/store/exclusive", [("name", sums[index].pipeline)])
                sums[index].exclusiveBytes = answer.bytes
            }
            return sums
        }
    }
}
