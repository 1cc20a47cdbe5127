import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import Logging
import ObjectStorage
import PipelineModel
import Synchronization
import SystemPackage
import Testing

@testable import PipelineEngine

/// A catalogue, a store and buckets in a directory of their own, over which services come and go.
final class EngineFixture: Sendable {
    let directory: String
    let catalog: Catalog
    let store: ArtifactStore
    let objects: ObjectStorage
    let scope = AccountRegion(account: "111122223333", region: "us-east-1")
    let clock = ManualClock()
    let runner = FakeRunner()
    let poller = FakePoller()

    init(bucket: String? = "demo-artifacts") async throws {
        directory = NSTemporaryDirectory() + "coffer-engine-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        catalog = try Catalog(
            path: directory + "/catalog.db",
            migrations: KeySchema.migrations + StoreSchema.migrations + ObjectSchema.migrations
                + PipelineSchema.migrations)
        let keys = try await KeyHierarchy.create(catalog: catalog, root: RootLocation(directory: directory))
        store = try await ArtifactStore(
            configuration: StoreConfiguration(directory: FilePath(directory + "/store")), catalog: catalog, keys: keys)
        objects = ObjectStorage(store: store, catalog: catalog, keys: keys)
        if let bucket { try await objects.createBucket(bucket, in: scope) }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// A service that does not run yet.
    func service(
        secrets: SecretSealing? = nil, fault: @escaping @Sendable (String) throws -> Void = { _ in },
        configure: (inout EngineConfiguration) -> Void = { _ in }
    ) -> PipelineService {
        var environment = EngineEnvironment()
        environment.now = { [clock] in clock.now }
        // Nothing happens by waiting: tests call what the loops would.
        environment.sleep = { _ in try await Task.sleep(for: .seconds(86400)) }
        environment.fault = fault
        var configuration = EngineConfiguration()
        configure(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return PipelineService(
            catalog: catalog, store: store, objects: objects, runners: [runner], pollers: [poller], secrets: secrets,
            configuration: configuration, environment: environment, logger: logger)
    }

    /// Runs `body` while a service runs.
    func running<T: Sendable>(
        _ service: PipelineService, _ body: @Sendable @escaping (PipelineService) async throws -> T
    ) async throws -> T {
        let loop = Task { try await service.run() }
        do {
            let value = try await body(service)
            loop.cancel()
            _ = await loop.result
            return value
        } catch {
            loop.cancel()
            _ = await loop.result
            throw error
        }
    }

    func rows(_ sql: String) async throws -> [Row] { try await catalog.read { try $0.rows(sql) } }
}

extension PipelineService {
    /// Waits until something happened, then gives the changes so far.
    @discardableResult
    func wait(
        _ pipeline: String, _ scope: AccountRegion, after: Int64 = 0,
        until isDone: @escaping @Sendable (PipelineChange) -> Bool
    ) async throws -> [PipelineChange] {
        var seen: [PipelineChange] = []
        for try await change in try await events(of: pipeline, after: after, in: scope) {
            seen.append(change)
            if isDone(change) { return seen }
        }
        return seen
    }

    /// Waits until an execution has ended for good or for now, and gives its status.
    @discardableResult
    func waitForEnd(
        _ execution: String, _ pipeline: String, _ scope: AccountRegion, after: Int64 = 0
    ) async throws -> ExecutionSummary {
        let ends: Set<String> = ["SUCCEEDED", "FAILED", "STOPPED", "SUPERSEDED", "CANCELED"]
        try await wait(pipeline, scope, after: after) {
            $0.subject == .execution && $0.executionID == execution && ends.contains($0.state)
        }
        return try await getExecution(execution, of: pipeline, in: scope)
    }
}

/// A clock that moves when told.
final class ManualClock: Sendable {
    private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
    var now: Date { time.withLock { $0 } }
    func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
}

/// Does what tests say; by default publishes a small blob for each output.
final class FakeRunner: ActionRunner {
    typealias Behaviour = @Sendable (ActionJob, any ActionContext) async throws -> ActionOutcome
    let types = [
        ActionTypeID(category: .source, provider: "S3"), ActionTypeID(category: .build, provider: "CodeBuild"),
        ActionTypeID(category: .deploy, provider: "S3"),
    ]
    private let behaviours = Mutex<[String: Behaviour]>([:])
    private let seen = Mutex<[ActionJob]>([])

    var jobs: [ActionJob] { seen.withLock { $0 } }

    func on(_ action: String, _ behaviour: @escaping Behaviour) { behaviours.withLock { $0[action] = behaviour } }

    func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        seen.withLock { $0.append(job) }
        if let behaviour = behaviours.withLock({ $0[job.action] }) { return try await behaviour(job, context) }
        return try await Self.publishAll(job, context)
    }

    static func publishAll(_ job: ActionJob, _ context: any ActionContext) async throws -> ActionOutcome {
        for output in job.outputs {
            let ingest = try await context.store.beginIngest(scope: job.scope, keyID: job.keyID)
            let text = "\(output.name) of \(job.executionID) from \(job.inputs.map(\.version.rawValue))"
            _ = try await context.publish(try await ingest.addBlob(Array(text.utf8)), as: output.name)
        }
        return ActionOutcome(
            variables: ["Made": job.action], summary: "done \(job.action)",
            revision: job.type.category == .source ? SourceRevision(id: "r1", summary: "first") : nil)
    }
}

/// A source whose newest revision tests set.
final class FakePoller: SourcePoller {
    let types = [ActionTypeID(category: .source, provider: "S3")]
    private let newest = Mutex<String?>(nil)

    func set(_ revision: String?) { newest.withLock { $0 = revision } }

    func currentRevision(configuration: [String: String], scope: AccountRegion) async throws -> SourceRevision? {
        newest.withLock { $0 }.map { SourceRevision(id: $0) }
    }
}

/// A door that opens once.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }
    func open() { continuation.finish() }
    func pass() async { for await _ in stream {} }
}

/// Declarations that tests vary.
enum Pipelines {
    static func source(_ name: String = "Fetch", output: String = "SourceArtifact") -> ActionDeclaration {
        ActionDeclaration(
            name: name, actionTypeId: ActionTypeID(category: .source, provider: "S3"),
            configuration: ["S3Bucket": "in", "S3ObjectKey": "app.zip"], outputArtifacts: [.init(name: output)],
            namespace: "Src")
    }

    static func build(_ name: String = "Make", order: Int = 1, output: String = "App") -> ActionDeclaration {
        ActionDeclaration(
            name: name, actionTypeId: ActionTypeID(category: .build, provider: "CodeBuild"), runOrder: order,
            configuration: ["ProjectName": "p-#{Src.Made}"], outputArtifacts: [.init(name: output)],
            inputArtifacts: [.init(name: "SourceArtifact")])
    }

    static func deploy(_ name: String = "Ship", input: String = "App") -> ActionDeclaration {
        ActionDeclaration(
            name: name, actionTypeId: ActionTypeID(category: .deploy, provider: "S3"),
            configuration: ["BucketName": "out", "Extract": "true"], inputArtifacts: [.init(name: input)])
    }

    static func approval(_ name: String = "Ok") -> ActionDeclaration {
        ActionDeclaration(name: name, actionTypeId: .manualApproval, configuration: ["CustomData": "please"])
    }

    /// Source, build, deploy.
    static func three(
        _ name: String = "demo", _ change: (inout PipelineDeclaration) -> Void = { _ in }
    ) -> PipelineDeclaration {
        var pipeline = PipelineDeclaration(
            name: name, roleArn: "arn:aws:iam::111122223333:role/pipe",
            artifactStore: .init(location: "demo-artifacts"),
            stages: [
                StageDeclaration(name: "Source", actions: [source()]),
                StageDeclaration(name: "Build", actions: [build()]),
                StageDeclaration(name: "Deploy", actions: [deploy()]),
            ])
        change(&pipeline)
        return pipeline
    }

    /// Source, approval.
    static func gated(_ name: String = "gated") -> PipelineDeclaration {
        three(name) { $0.stages = [$0.stages[0], StageDeclaration(name: "Gate", actions: [approval()])] }
    }
}
