public import ArtifactStore
import Cryptography
public import KeyHierarchy
public import PipelineEngine
public import PipelineModel

/// Source actions of the provider Coffer: a version of an artifact, of another pipeline of the account or shared with it by
/// another one.
///
/// The execution takes the content into its own artifact, under the pipeline's key. A share that ends fails the source
/// actions that begin afterwards; executions that have taken the content go on.
public struct ArtifactSource: ActionRunner, SourcePoller {
    /// Throws `KeyError` unless an account may use a key in this way.
    public typealias KeyCheck = @Sendable (KeyPermission, AccountRegion) async throws -> Void

    let store: ArtifactStore
    let requireKey: KeyCheck

    /// Source actions of the provider Coffer, of owner ThirdParty.
    public var types: [ActionTypeID] {
        [ActionTypeID(category: .source, owner: .thirdParty, provider: "Coffer")]
    }

    /// A version that may be read, with the share through which it is.
    private struct Found {
        var version: Version
        var share: ArtifactShare?
        var permission: KeyPermission
    }

    /// The version that the configured name means now; nil while it means none that can be read.
    public func currentRevision(configuration: [String: String], scope: AccountRegion) async throws -> SourceRevision? {
        try await currentRevision(configuration: configuration, scope: scope, pipeline: "")
    }

    /// The version that the configured name means now; nil while it means none that the pipeline can read.
    public func currentRevision(
        configuration: [String: String], scope: AccountRegion, pipeline: String
    ) async throws -> SourceRevision? {
        guard let name = configuration[Self.nameKey] else { return nil }
        do {
            return Self.revision(try await find(name, scope, pipeline), name)
        } catch let error as StoreError where error.code == .notFound || error.code == .keyUnavailable {
            return nil
        }
    }

    /// Publishes a copy of the version as the action's output.
    public func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        let name = try job.required(Self.nameKey)
        guard let output = job.outputs.first else {
            throw ActionFailure(.configuration, "The source action \(job.action) has no output artifact")
        }
        let found: Found
        do {
            found = try await find(name, job.scope, job.pipelineName)
            try await requireKey(found.permission, job.scope)
            let ingest = try await context.store.beginIngest(
                scope: job.scope, keyID: job.keyID, repository: job.pipelineName, artifact: output.name,
                isSensitive: found.version.draft.isSensitive)
            do {
                let staged = try await context.store.copy(found.version.id, through: found.share, into: ingest)
                _ = try await context.publish(staged, as: output.name)
            } catch {
                ingest.abandon()
                throw error
            }
        } catch let error as KeyError where error.code == .accessDenied || error.code == .notFound {
            throw ActionFailure(.permission, "\(name) cannot be read: \(error.message)")
        } catch let error as StoreError {
            throw Self.failure(error, name)
        }
        let revision = Self.revision(found, name)
        let version = found.version
        var variables = [
            "Artifact": "\(version.draft.repository)/\(version.draft.artifact)", "VersionId": version.id.rawValue,
            "VersionNumber": "\(version.number)", "ContentId": "sha256:\(version.contentID.hex)",
            "AccountId": version.draft.scope.account,
        ]
        if let number = version.draft.executionNumber { variables["ExecutionNumber"] = "\(number)" }
        if let execution = version.draft.execution { variables["ExecutionId"] = execution }
        if let share = found.share { variables["ShareId"] = share.shareID }
        return ActionOutcome(
            variables: variables, summary: revision.summary, externalExecutionID: version.id.rawValue,
            revision: revision)
    }

    private static let nameKey = "Artifact"

    private func find(_ name: String, _ scope: AccountRegion, _ pipeline: String) async throws -> Found {
        if name.hasPrefix("share:") {
            return Self.found(
                try await store.sharedVersion(String(name.dropFirst(6)), with: scope, pipeline: pipeline))
        }
        let (account, rest) = VersionReference.account(in: name)
        guard let reference = VersionReference(rest) else {
            throw StoreError(
                .invalid,
                "write PIPELINE/ARTIFACT@WHICH, ACCOUNT/PIPELINE/ARTIFACT@WHICH or share:ID, such as web/app@latest")
        }
        if let account, account != scope.account {
            return Self.found(
                try await store.sharedVersion(of: account, reference, with: scope, pipeline: pipeline))
        }
        let version = try await store.resolve(reference, in: scope)
        return Found(version: version, share: nil, permission: version.readPermission)
    }

    private static func found(_ shared: SharedVersion) -> Found {
        Found(version: shared.version, share: shared.share, permission: shared.permission)
    }

    private static func failure(_ error: StoreError, _ name: String) -> any Error {
        switch error.code {
        case .notFound: ActionFailure(.revisionUnavailable, "\(name) cannot be read: \(error.message)")
        case .keyUnavailable: ActionFailure(.permission, "\(name) cannot be read: \(error.message)")
        case .invalid: ActionFailure(.configuration, "\(name) does not name an artifact version: \(error.message)")
        default: error
        }
    }

    private static func revision(_ found: Found, _ name: String) -> SourceRevision {
        let (version, draft) = (found.version, found.version.draft)
        let owner = found.share.map { " of account \($0.owner.account), share \($0.shareID)" } ?? ""
        return SourceRevision(
            id: version.id.rawValue, changeID: "sha256:\(version.contentID.hex)",
            summary: "\(draft.repository)/\(draft.artifact)@\(draft.executionNumber ?? version.number)\(owner)",
            created: version.createdAt)
    }
}
