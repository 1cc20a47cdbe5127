import Foundation
import PipelineEngine

/// What one build is to do, decided before it starts.
struct BuildPlan: Sendable {
    /// Where the build specification comes from.
    enum Specification: Sendable {
        /// A path below the primary source.
        case file(String)
        /// YAML or JSON.
        case inline(String)
        /// Made from the action's own commands.
        case made(Buildspec)

        /// A project's or an action's text: a document when it looks like one, else a path, as in CodeBuild.
        init(_ text: String) {
            let isDocument = text.contains("\n") || text.hasPrefix("{") || text.contains("version:")
            self = isDocument ? .inline(text) : .file(text)
        }
    }

    var buildID: String
    /// The project's name, or the pipeline's for an action without a project.
    var project: String
    var logGroup: String
    var buildNumber: Int64
    var specification: Specification
    /// From least to most important.
    var environment: [BuildVariable]
    var image: String
    var timeout: Duration
    /// The input that `CODEBUILD_SRC_DIR` shows.
    var primary: String?

    /// As `BatchGetBuilds` would know it.
    var externalID: String { "\(project):\(buildID)" }
}

/// A variable for a build's environment, in the form of CodeBuild's API.
public struct BuildVariable: Sendable, Hashable, Codable {
    /// Its name, a shell identifier.
    public var name: String
    /// Its value; for `PARAMETER_STORE` and `SECRETS_MANAGER` the name of where to find it.
    public var value: String
    /// `PLAINTEXT` when absent.
    public var type: String?

    /// A variable.
    public init(name: String, value: String, type: String? = nil) {
        self.name = name
        self.value = value
        self.type = type
    }
}

/// How a phase of a build failed, in CodeBuild's terms.
struct PhaseFailure: Error, Equatable, CustomStringConvertible {
    var phase: String
    var code: String
    var message: String
    /// `FAILED`, `FAULT` or `TIMED_OUT`.
    var state = "FAILED"

    /// As CodePipeline words it.
    var description: String {
        "Build terminated with state: \(state). Phase: \(phase), Code: \(code), Message: \(message)"
    }
}
