import ArgumentParser

/// `coffer pipeline …`.
struct PipelineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline", abstract: "Pipelines: what they are made of.",
        subcommands: [PipelineList.self, PipelineShow.self, PipelinePut.self, PipelineValidate.self])
}
