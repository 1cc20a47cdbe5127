/// A build specification, version 0.1 or 0.2, as AWS CodeBuild's user guide defines it ("Build specification
/// reference for CodeBuild").
struct Buildspec: Sendable {
    enum Version: Sendable, Equatable {
        /// Every command has a fresh shell.
        case freshShells
        /// Directory and variables carry over from command to command.
        case oneShell
    }

    enum PhaseName: String, Sendable, CaseIterable {
        case install, preBuild = "pre_build", build, postBuild = "post_build"

        /// As logs and failure messages write it.
        var title: String { rawValue.uppercased() }
    }

    enum OnFailure: Sendable, Equatable {
        /// What the table of phase transitions says.
        case unspecified
        case abort
        case proceed
        /// Runs the phase again up to `attempts` times; with a pattern only when the failure matches it.
        case retry(attempts: Int, pattern: String?)
    }

    struct Phase: Sendable {
        var runAs: String?
        var onFailure = OnFailure.unspecified
        var commands: [String] = []
        var finally: [String] = []
        var runtimeVersions: [(name: String, version: String)] = []
    }

    struct Artifacts: Sendable {
        var files: [String] = []
        var excludePaths: [String] = []
        var baseDirectory: String?
        var discardsPaths = false
        var keepsSymlinks = false
        var name: String?
    }

    var version = Version.oneShell
    var runAs: String?
    var shell: String?
    var variables: [(name: String, value: String)] = []
    var parameterStore: [(name: String, value: String)] = []
    var secretsManager: [(name: String, value: String)] = []
    var exportedVariables: [String] = []
    var phases: [PhaseName: Phase] = [:]
    var artifacts: Artifacts?
    var secondaryArtifacts: [(id: String, artifacts: Artifacts)] = []
    var reportGroups: [String] = []
    var cachePaths: [String] = []
    var hasBatch = false
}

/// A buildspec that cannot be used; CodeBuild's status code for it is `YAML_FILE_ERROR`.
struct BuildspecError: Error, Equatable, CustomStringConvertible {
    let message: String
    var description: String { message }
}
