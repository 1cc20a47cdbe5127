import PipelineModel

/// Declarations that tests vary.
enum Samples {
    static let role = "arn:aws:iam::111122223333:role/pipe"

    static func source(_ name: String = "Fetch", output: String = "Src", namespace: String? = nil) -> ActionDeclaration
    {
        ActionDeclaration(
            name: name, actionTypeId: ActionTypeID(category: .source, provider: "S3"),
            configuration: ["S3Bucket": "in", "S3ObjectKey": "app.zip"], outputArtifacts: [.init(name: output)],
            namespace: namespace)
    }

    static func approval(_ name: String = "Ok", order: Int? = nil) -> ActionDeclaration {
        ActionDeclaration(name: name, actionTypeId: .manualApproval, runOrder: order)
    }

    static func build(
        _ name: String = "Make", inputs: [String] = ["Src"], outputs: [String] = ["App"], order: Int? = nil,
        configuration: [String: String] = ["ProjectName": "p"], namespace: String? = nil
    ) -> ActionDeclaration {
        ActionDeclaration(
            name: name, actionTypeId: ActionTypeID(category: .build, provider: "CodeBuild"), runOrder: order,
            configuration: configuration, outputArtifacts: outputs.map { .init(name: $0) },
            inputArtifacts: inputs.map { .init(name: $0) }, namespace: namespace)
    }

    /// The smallest pipeline that is accepted.
    static func pipeline(_ change: (inout PipelineDeclaration) -> Void = { _ in }) -> PipelineDeclaration {
        var pipeline = PipelineDeclaration(
            name: "demo", roleArn: role, artifactStore: .init(location: "demo-artifacts"),
            stages: [
                StageDeclaration(name: "Source", actions: [source()]),
                StageDeclaration(name: "Gate", actions: [approval()]),
            ])
        change(&pipeline)
        return pipeline
    }
}
