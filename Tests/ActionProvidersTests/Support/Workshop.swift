import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import ObjectStorage
import PipelineEngine
import PipelineModel
import Synchronization
import SystemPackage

@testable import ActionProviders

/// A server's lower half in a scratch directory: store, objects and providers, with jobs made by hand.
final class Workshop: Sendable {
    let scratch: Scratch
    let catalog: Catalog
    let keys: KeyHierarchy
    let store: ArtifactStore
    let objects: ObjectStorage
    let providers: ProviderSet

    init(
        allowsUnsandboxed: Bool = true, withEngine: Bool = false,
        jobEnvironment: @escaping @Sendable (ActionJob) async throws -> [String: String] = { _ in [:] }
    ) async throws {
        scratch = try Scratch()
        for name in ["keys", "store"] { try makeDirectory("\(scratch.path)/\(name)", mode: 0o700) }
        catalog = try Catalog(
            path: scratch.path + "/catalog.db",
            migrations: KeySchema.migrations + StoreSchema.migrations + ObjectSchema.migrations
                + ProviderSchema.migrations + (withEngine ? PipelineSchema.migrations : []))
        keys = try await KeyHierarchy.create(catalog: catalog, root: RootLocation(directory: scratch.path + "/keys"))
        store = try await ArtifactStore(
            configuration: StoreConfiguration(directory: FilePath(scratch.path + "/store")), catalog: catalog,
            keys: keys)
        objects = ObjectStorage(store: store, catalog: catalog, keys: keys)
        providers = try await ProviderSet.assemble(
            catalog: catalog, keys: keys, store: store, objects: objects,
            configuration: ProviderConfiguration(
                dataDirectory: scratch.path, allowsUnsandboxed: allowsUnsandboxed, jobEnvironment: jobEnvironment))
    }

    /// The runner for a provider.
    func runner(_ category: ActionCategory, _ provider: String) throws -> any ActionRunner {
        let type = ActionTypeID(category: category, provider: provider)
        guard let runner = providers.runners.first(where: { $0.types.contains(type) }) else {
            throw ActionFailure(.configuration, "no runner for \(type)")
        }
        return runner
    }

    /// Stores files as an artifact.
    func artifact(_ files: [String: String], links: [String: String] = [:], name: String = "src") async throws
        -> JobArtifact
    {
        let directory = scratch.path + "/artifact-\(UUID().uuidString)"
        try makeDirectory(directory, mode: 0o755)
        try Scratch.write(files, below: directory)
        for (link, target) in links { symlink(target, "\(directory)/\(link)") }
        let ingest = try await store.beginIngest(scope: testScope, keyID: nil)
        return try await publish(try await ingest.addDirectory(FilePath(directory)), name)
    }

    /// Stores bytes as an artifact.
    func artifact(bytes: [UInt8], name: String = "src") async throws -> JobArtifact {
        let ingest = try await store.beginIngest(scope: testScope, keyID: nil)
        return try await publish(try await ingest.addBlob(bytes), name)
    }

    private func publish(_ staged: StagedContent, _ name: String) async throws -> JobArtifact {
        let version = try await store.publish(
            staged, VersionDraft(scope: testScope, repository: "web", artifact: name, createdBy: "test"))
        return JobArtifact(name: name, version: version.id, bucket: "artifacts", objectKey: "web/\(name)/abc1234")
    }

    /// The files of a version.
    func files(_ version: VersionID) async throws -> [String: String] {
        let target = scratch.path + "/out-\(UUID().uuidString)"
        _ = try await store.materialise(version, to: FilePath(target))
        return try Scratch.read(target)
    }

    /// An object's text, or nil when there is none.
    func object(_ bucket: String, _ key: String) async throws -> (object: StoredObject, text: String)? {
        do {
            let object = try await objects.head(bucket: bucket, key: key)
            let bytes = try await objects.read(object).collect(upTo: 1 << 20)
            return (object, String(decoding: bytes, as: UTF8.self))
        } catch let error as ObjectStorageError where error.code == "NoSuchKey" {
            return nil
        }
    }
}

/// A job's context without an engine: publishes and remembers.
final class TestContext: ActionContext {
    private struct State {
        var published: [String: VersionID] = [:]
        var progress: [ActionProgress] = []
    }

    let workshop: Workshop
    private let state = Mutex(State())

    init(_ workshop: Workshop) { self.workshop = workshop }

    var store: ArtifactStore { workshop.store }
    var objects: ObjectStorage { workshop.objects }
    var published: [String: VersionID] { state.withLock { $0.published } }
    var progress: [ActionProgress] { state.withLock { $0.progress } }

    func publish(_ staged: StagedContent, as output: String) async throws -> VersionID {
        let version = try await store.publish(
            staged, VersionDraft(scope: testScope, repository: "web", artifact: output, createdBy: "test"))
        state.withLock { $0.published[output] = version.id }
        return version.id
    }

    func report(_ progress: ActionProgress) async throws { state.withLock { $0.progress.append(progress) } }
}

extension ActionJob {
    /// A job for a test.
    static func test(
        _ category: ActionCategory, _ provider: String, _ configuration: [String: String] = [:],
        inputs: [JobArtifact] = [], outputs: [String] = []
    ) -> ActionJob {
        ActionJob(
            id: "job-1", scope: testScope, pipelineName: "web", executionID: "e1", stage: "Stage", action: "Action",
            actionExecutionID: "0b0f0e9c-0000-4000-8000-000000000001",
            type: ActionTypeID(category: category, provider: provider), configuration: configuration, inputs: inputs,
            outputs: outputs.map {
                JobOutput(name: $0, files: [], bucket: "artifacts", objectKey: "web/\($0)/abc1234")
            },
            startedAt: Date(timeIntervalSince1970: 1_572_319_941))
    }
}

/// The failure that `body` ends with.
func actionFailure(of body: () async throws -> some Any) async -> ActionFailure? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? ActionFailure
    }
}
