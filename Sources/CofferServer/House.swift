import AWSProtocol
import AccessControl
import ActionProviders
import ArtifactStore
import Catalog
import Cryptography
import Foundation
import KMSAPI
import KeyHierarchy
import Logging
import ObjectStorage
import PipelineEngine
import SystemPackage

/// Everything behind the door, opened from the ground up: catalogue, keys, access, store, objects, providers, engine,
/// fronts. Opening it is the same whether the last process stopped in good order or was killed.
struct House: Sendable {
    let catalog: Catalog
    let keys: KeyHierarchy
    let access: AccessControl
    let store: ArtifactStore
    let objects: ObjectStorage
    let providers: ProviderSet
    let pipelines: PipelineService
    let account: String

    /// Opens the house in a data directory that this process has locked.
    /// - Parameters:
    ///   - endpoint: where jobs reach this server.
    ///   - unseal: waits until somebody has opened a root that no slot opens by itself.
    static func open(
        _ configuration: ServerConfiguration, _ directory: DataDirectory, endpoint: String, logger: Logger,
        unseal: (KeyHierarchy) async throws -> Void
    ) async throws -> House {
        let catalog = try Catalog(path: directory.catalog.string, migrations: migrations)
        let keys = try await openKeys(configuration, directory, catalog, logger, unseal)
        let access = AccessControl(catalog: catalog, keys: keys)
        let account = try await bootstrap(configuration, directory, access, logger)
        let permissions = KMSPermissions(keys: keys, access: access)
        var storing = StoreConfiguration(directory: directory.store)
        storing.executionUses = LiveExecutions.uses
        storing.executionsPast = LiveExecutions.past
        storing.presentationChanged = ObjectStorage.presentationChanged
        storing.scope = configuration.dedupScope
        storing.chunker = configuration.chunker
        storing.witnesses = try await witnesses(configuration, directory, logger)
        let store = try await ArtifactStore(
            configuration: storing, catalog: catalog, keys: keys,
            admits: { key, scope in
                try await permissions.require(
                    "GenerateDataKey", on: key.keyARN, of: Principal.root(account: scope.account, accessKeyID: ""),
                    via: "s3")
            })
        try await checkRollback(configuration, store, logger)
        let objects = ObjectStorage(store: store, catalog: catalog, keys: keys, logger: logger)
        let providers = try await ProviderSet.assemble(
            catalog: catalog, keys: keys, store: store, objects: objects,
            configuration: providerConfiguration(
                configuration, directory, JobCredentials(access: access, keys: keys, endpoint: endpoint), permissions,
                logger))
        var engine = EngineConfiguration()
        engine.pollSeconds = Double(configuration.pollSeconds)
        let sealing = SecretSealing(
            seal: { try await keys.sealServiceSecret($0, name: $1) },
            open: { sealed, name in
                try await keys.openServiceSecret(sealed, name: name).disclosing()
            })
        var environment = EngineEnvironment()
        environment.keyARN = { try keys.keyARN(ofAlias: $0, in: $1, $2) }
        let pipelines = PipelineService(
            catalog: catalog, store: store, objects: objects, runners: providers.runners, pollers: providers.pollers,
            secrets: sealing, configuration: engine, environment: environment, logger: logger)
        return House(
            catalog: catalog, keys: keys, access: access, store: store, objects: objects, providers: providers,
            pipelines: pipelines, account: account)
    }

    /// Writes out what is only in memory and closes the catalogue.
    func close() async throws {
        try await store.close()
        try catalog.close()
    }

    /// The tables of every floor.
    static var migrations: [Migration] {
        KeySchema.migrations + AccessSchema.migrations + StoreSchema.migrations + ObjectSchema.migrations
            + PipelineSchema.migrations + ProviderSchema.migrations
    }

    // MARK: Steps

    /// Refuses to go on from a database that is behind what was signed, until an operator says that it was restored.
    private static func checkRollback(
        _ configuration: ServerConfiguration, _ store: ArtifactStore, _ logger: Logger
    ) async throws {
        guard let problem = try await store.rollbackProblem() else { return }
        guard configuration.acceptsRollback else {
            throw StartupError(
                .rollback,
                "the database is not the latest: \(problem). If it was restored on purpose, start once with "
                    + "--accept-rollback; what was published since is lost, and the version log records it")
        }
        logger.warning("the database was put back: \(problem)")
        try await store.acknowledgeRollback(problem, by: "coffer serve --accept-rollback")
    }

    /// The witnesses of the version log. One on the data's own volume is restored together with it.
    private static func witnesses(_ configuration: ServerConfiguration, _ directory: DataDirectory, _ logger: Logger)
        async throws -> [WitnessFile]
    {
        var witnesses: [WitnessFile] = []
        for name in configuration.witnesses {
            let path = FilePath(FileManager.default.currentDirectoryPath).pushing(FilePath(name))
            let folder = path.removingLastComponent()
            // A network volume that has stalled does not even say what it is.
            let found = try await BoundedWait.blocking(within: .seconds(10)) { DataDirectory.volume(of: folder) }
            guard let found else {
                throw StartupError(
                    .failed,
                    "the witness \(name) cannot be read: its directory \(folder) has not answered for 10 seconds; is its "
                        + "volume reachable?")
            }
            guard let volume = found else {
                throw StartupError(
                    .usage,
                    "the witness \(name) cannot be kept: there is no directory \(folder); is its volume mounted?")
            }
            if volume == DataDirectory.volume(of: directory.store) {
                logger.warning("the witness \(name) lies on the volume of the data: what restores one restores both")
            }
            witnesses.append(WitnessFile(path))
        }
        return witnesses
    }

    private static func openKeys(
        _ configuration: ServerConfiguration, _ directory: DataDirectory, _ catalog: Catalog, _ logger: Logger,
        _ unseal: (KeyHierarchy) async throws -> Void
    ) async throws -> KeyHierarchy {
        let location = RootLocation(directory: directory.root.string)
        guard try DataDirectory.contents(of: FilePath(location.rootFile)) != nil else {
            return try await createKeys(location, catalog, logger)
        }
        let keys = try await KeyHierarchy.open(catalog: catalog, root: location)
        if keys.isSealed {
            if let passphrase = configuration.rootPassphrase {
                try await keys.unseal(passphrase: passphrase)
            } else {
                try await unseal(keys)
            }
        }
        return keys
    }

    private static func createKeys(_ location: RootLocation, _ catalog: Catalog, _ logger: Logger) async throws
        -> KeyHierarchy
    {
        let keys = try await KeyHierarchy.create(catalog: catalog, root: location)
        if let recovery = keys.takeRecoveryPassphrase() {
            StandardError.say(
                """
                coffer: the recovery passphrase of this installation, shown only now. Keep it apart from the data:
                coffer:     \(recovery)

                """)
        }
        return keys
    }

    /// Makes or finds the account, and sees to it that the root access key is in its file.
    private static func bootstrap(
        _ configuration: ServerConfiguration, _ directory: DataDirectory, _ access: AccessControl, _ logger: Logger
    ) async throws -> String {
        let stored = try await access.rootKey()?.principal.account
        let account = configuration.account ?? stored ?? "000000000000"
        do {
            let made = try await access.bootstrap(
                account: account, accessKeyID: configuration.rootAccessKeyID,
                secret: configuration.rootSecretAccessKey)
            let pair = RootCredentials(
                accessKeyID: made.credential.principal.accessKeyID, secretAccessKey: made.credential.secretText)
            // Also written again when it is missing: a crash may have come between the account and the file.
            if try made.isNew || RootCredentials.read(directory.credentials) == nil {
                try pair.write(to: directory.credentials)
            }
            if made.isNew {
                StandardError.say(
                    """
                    coffer: account \(account) is new; its root access key is in \(directory.credentials).
                    coffer: eval "$(coffer env --data \(directory.path))" leads the AWS tools here.

                    """)
            } else if let id = configuration.rootAccessKeyID, id != pair.accessKeyID {
                logger.warning("COFFER_ROOT_ACCESS_KEY_ID is for the first start; this account has a key already")
            }
        } catch let error as BootstrapError {
            throw StartupError(.usage, error.description)
        }
        return account
    }

    private static func providerConfiguration(
        _ configuration: ServerConfiguration, _ directory: DataDirectory, _ credentials: JobCredentials,
        _ permissions: KMSPermissions, _ logger: Logger
    ) -> ProviderConfiguration {
        ProviderConfiguration(
            dataDirectory: directory.path.string, allowsUnsandboxed: configuration.allowUnsandboxed,
            jobEnvironment: { try await credentials.environment(for: $0) },
            requireKey: { permission, scope in
                try await permissions.require(
                    permission.operation, on: permission.keyARN, context: permission.context,
                    of: Principal.root(account: scope.account, accessKeyID: ""), via: "s3")
            }, logger: logger)
    }
}

/// What a job's commands find in their environment: this server, and credentials for the job's own artifacts only.
private struct JobCredentials: Sendable {
    let access: AccessControl
    let keys: KeyHierarchy
    let endpoint: String

    func environment(for job: ActionJob) async throws -> [String: String] {
        var grant = SessionGrant.artifacts(
            reading: job.inputs.map { "\($0.bucket)/\($0.objectKey)" },
            writing: job.outputs.map { "\($0.bucket)/\($0.objectKey)" })
        let shares = try await keys.shares(with: job.scope).filter {
            $0.pipeline == job.pipelineName && $0.isActive(at: Date())
        }
        if !shares.isEmpty {
            grant.statements.append(
                .init(
                    actions: ["coffer:GetArtifact"], resources: shares.map { "share:\($0.shareID)" }, isLiteral: true))
        }
        let owner = Principal.root(account: job.scope.account, accessKeyID: "")
        let session = try await access.issueSession(
            for: owner, grant: grant, name: job.actionExecutionID, seconds: 12 * 3600)
        return [
            "AWS_ACCESS_KEY_ID": session.principal.accessKeyID, "AWS_SECRET_ACCESS_KEY": session.secretText,
            "AWS_SESSION_TOKEN": session.sessionToken ?? "", "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": job.region, "AWS_DEFAULT_REGION": job.region,
        ]
    }
}
