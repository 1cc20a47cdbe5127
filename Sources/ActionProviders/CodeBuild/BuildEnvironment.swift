import Foundation
import KeyHierarchy
import PipelineEngine

/// The variables that commands of a build start with (AWS CodeBuild user guide, "Environment variables in build
/// environments").
struct BuildEnvironment {
    private(set) var variables: [String: String] = [:]
    /// Names that were given and may not be.
    private(set) var refused: [String] = []
    private(set) var problem: String?

    /// What every build has.
    init(_ plan: BuildPlan, job: ActionJob, sources: BuildSources, layout: JobLayout, startedAt: Date) {
        let region = job.region
        let arn = "arn:aws:codebuild:\(region):\(job.scope.account):build/\(plan.externalID)"
        variables = [
            "PATH": BuildSession.searchPath,
            "HOME": layout.seen(layout.home),
            "LANG": "C.UTF-8",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "CODEBUILD_BUILD_ID": plan.externalID,
            "CODEBUILD_BUILD_ARN": arn,
            "CODEBUILD_BUILD_NUMBER": String(plan.buildNumber),
            "CODEBUILD_BUILD_IMAGE": plan.image,
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_CI": "true",
            "CODEBUILD_INITIATOR": "codepipeline/\(job.pipelineName)",
            "CODEBUILD_LOG_PATH": plan.buildID,
            "CODEBUILD_START_TIME": String(Int64(startedAt.timeIntervalSince1970 * 1000)),
        ]
        variables["CODEBUILD_KMS_KEY_ID"] = job.keyID ?? "arn:aws:kms:\(region):\(job.scope.account):alias/aws/s3"
        if !layout.isSandboxed { variables["TMPDIR"] = layout.temporary }
        variables.merge(sources.variables) { $1 }
    }

    /// Sets variables that a user chose. `CODEBUILD_` names are CodeBuild's own and stay as they are.
    mutating func set(_ name: String, _ value: String) {
        if name.hasPrefix("CODEBUILD_") {
            refused.append(name)
        } else if !Self.isIdentifier(name) {
            problem =
                problem ?? "Invalid environment variable name: \(name). "
                + "Names have letters, digits and underscores and do not begin with a digit"
        } else if value.contains("\0") {
            problem = problem ?? "The value of environment variable \(name) has a NUL character"
        } else {
            variables[name] = value
        }
    }

    static func isIdentifier(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
        }
    }

    var pairs: [(name: String, value: String)] { variables.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
}
