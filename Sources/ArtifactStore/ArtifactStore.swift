public import Catalog
import Cryptography
public import Foundation
public import KeyHierarchy
import Logging
import Synchronization
import SystemPackage

/// The content-addressed, encrypted store of artifact versions.
///
/// Content is ingested under a lease, deduplicated within a domain, compressed, encrypted and appended to packs; one
/// database transaction publishes it as a version, which never changes. Every read is authenticated: a reader gets the
/// published bytes or an integrity error. One process opens a store at a time.
public final class ArtifactStore: Sendable {
    /// How the store works.
    public let configuration: StoreConfiguration
    let catalog: Catalog
    let keys: any StoreKeys
    let pool: WorkPool
    let workers: WorkerPool
    let packs: PackStore
    let reader: RecordReader
    let flushes: FlushGroup
    let leases: Leases
    let storageKeys: StorageKeyRing
    let now: @Sendable () -> Date
    let log = Logger(label: "store")
    let journalGate = Gate()
    let collectionGate = Gate()
    let scrubGate = Gate()
    let rotationGate = Gate()
    let retiredDomains = RetiredDomains()
    let jobs = JobBoard()
    let numbers = NumberCache()
    let versionLog: VersionLog
    let witnesses: [PatientWitness]
    let pinRecords: PinRecords
    /// Called between the steps of a collection; tests stop there.
    let collectionHook = Mutex<(@Sendable (CollectionStep) async throws -> Void)?>(nil)
    /// Takes over what would run on a thread of its own some time after the disk was full; tests say when that is.
    let reclaimHook = Mutex<(@Sendable (_ reclaim: @escaping @Sendable () -> Void) -> Void)?>(nil)
    private let domains = Mutex<[DomainName: DomainContext]>([:])
    let cutters = Mutex<[DomainName: any StreamCutter]>([:])

    struct DomainName: Hashable {
        var id: [UInt8]
        var epoch: UInt32
    }

    /// Opens the store, or makes it: undoes what a crash left half done and reads what the index lacks.
    ///
    /// - Parameters:
    ///   - catalog: opened with `StoreSchema.migrations` among its migrations.
    ///   - backend: where packs live; nil: `packs` in the configured directory.
    ///   - now: the clock.
    /// - Throws: `StoreError`, `CatalogError`, and what the keys throw while they are sealed.
    public init(
        configuration: StoreConfiguration, catalog: Catalog, keys: any StoreKeys, backend: (any BlobBackend)? = nil,
        now: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        self.configuration = configuration
        self.catalog = catalog
        self.keys = keys
        self.now = now
        witnesses = configuration.witnesses.map {
            PatientWitness($0, patience: configuration.witnessPatience, now: now)
        }
        pool = WorkPool(threads: configuration.threads ?? ProcessInfo.processInfo.activeProcessorCount)
        workers = WorkerPool(level: configuration.compressionLevel)
        let current = try await keys.currentStorageKey()
        storageKeys = StorageKeyRing(keys: keys, current: current)
        let used = try await catalog.read {
            try $0.rows("SELECT DISTINCT storage_key FROM store_packs").map {
                try $0.integer("storage_key", as: UInt32.self)
            }
        }
        for version in try await keys.storageKeyVersions() + used { _ = try await storageKeys.key(version: version) }
        let ring = storageKeys
        versionLog = VersionLog(signer: try await keys.signer(), ring: ring)
        pinRecords = PinRecords(versionLog)
        packs = try await pool.run {
            let backend =
                try backend ?? LocalDirectoryBackend(directory: configuration.directory.appending("packs"))
            let index = try ChunkIndex(
                directory: configuration.directory.appending("index").string,
                tailMaximum: configuration.indexTailEntries)
            return PackStore(
                configuration: configuration, backend: backend, index: index, ring: ring)
        }
        reader = RecordReader(packs: packs, workers: workers)
        flushes = FlushGroup(packs: packs, pool: pool)
        let epoch = try await catalog.read { try $0.storeState("epoch") }
        leases = Leases(epoch: epoch)
        try await Recovery(catalog: catalog, packs: packs, pool: pool, ring: ring).run()
        try await LogBeginning(catalog: catalog, store: self).run()
        try await certifySigningKey()
        reclaimWhenFull()
    }

    /// Writes out what is only in memory, so that the next start has less to read. Nothing acknowledged depends on it.
    public func close() async throws {
        try await moveJournal(force: true)
        try await recordHead(isLast: true)
        let packs = packs
        try await pool.run { try packs.flushIndexIfNeeded(force: true) }
    }

    /// Begins an ingest under a lease, for content that `keyID` (id, ARN or alias; nil: the default key) will protect.
    ///
    /// - Parameters:
    ///   - repository: what the version will be published under; needed where deduplication is limited to a pipeline or
    ///     artifact.
    ///   - artifact: the same; needed where deduplication is limited to an artifact.
    ///   - isSensitive: stores without compression what may hold a secret beside text that somebody else chose: how well the
    ///     two compress together would tell what they have in common. The version stays so when it is re-encrypted.
    public func beginIngest(
        scope: AccountRegion, keyID: String? = nil, repository: String? = nil, artifact: String? = nil,
        isSensitive: Bool = false
    ) async throws -> Ingest {
        let place = Ingest.Place(repository: repository, artifact: artifact)
        switch configuration.scope {
        case .pipeline where repository == nil, .artifact where repository == nil || artifact == nil:
            throw StoreError.invalid(
                "equal content is shared within one \(configuration.scope.rawValue) only: the ingest must say which it is for"
            )
        default: break
        }
        let key = try await keys.resolve(keyID, in: scope)
        let domain = try await keys.domain(
            for: domainScope(key, scope, repository: repository ?? "", artifact: artifact ?? ""))
        return try await beginIngest(into: domain, scope: scope, key: key, place: place, isSensitive: isSensitive)
    }

    /// Whether content of an ingest may be published under a name: not in the domain of another pipeline or artifact.
    func isMeant(_ place: Ingest.Place, for draft: VersionDraft) -> Bool {
        switch configuration.scope {
        case .key, .account: true
        case .pipeline: place.repository == draft.repository
        case .artifact: place.repository == draft.repository && place.artifact == draft.artifact
        }
    }

    /// The domain that new content belongs to.
    func domainScope(_ key: StoreKeyReference, _ scope: AccountRegion, repository: String, artifact: String)
        -> StoreDomainScope
    {
        switch configuration.scope {
        case .key: .key(key, scope)
        case .account: .account(scope)
        case .pipeline: .pipeline(repository, key, scope)
        case .artifact: .artifact("\(repository)/\(artifact)", key, scope)
        }
    }

    /// Begins an ingest into a domain that was chosen already.
    func beginIngest(
        into domain: StoreDomain, scope: AccountRegion, key: StoreKeyReference, place: Ingest.Place = .init(),
        isSensitive: Bool
    ) async throws -> Ingest {
        let domain = context(domain)
        let lease = leases.begin(expires: now().addingTimeInterval(Double(configuration.leaseSeconds)))
        let session = IngestSession(
            packs: packs, pool: pool, workers: workers, domain: domain, cutter: try await cutter(domain),
            compresses: !isSensitive, configuration: configuration)
        return Ingest(scope: scope, key: key, place: place, session: session, lease: lease)
    }

    private func context(_ domain: StoreDomain) -> DomainContext {
        domains.withLock { known in
            let name = DomainName(id: domain.id, epoch: domain.epoch)
            if let found = known[name] { return found }
            let made = DomainContext(domain)
            known[name] = made
            return made
        }
    }

    /// Forgets the secrets of an epoch that was destroyed.
    func forget(_ epoch: StoreDomainEpoch) {
        let name = DomainName(id: epoch.id, epoch: epoch.epoch)
        domains.withLock { $0[name] = nil }
        cutters.withLock { $0[name] = nil }
    }
}

extension Transaction {
    /// A number of the store's own, such as the epoch.
    func storeState(_ name: String) throws -> Int64 {
        guard let row = try row("SELECT value FROM store_state WHERE name = ?", name) else {
            throw FormatError("the store's table of numbers lacks \(name)")
        }
        return try row.natural("value")
    }
}
