public import Catalog
import Foundation
import Glibc
public import KeyHierarchy
import Synchronization
public import SystemPackage

/// A store in a directory of its own, with its catalogue and its keys: all that a program needs to keep versions without a
/// server. One process opens it at a time. A server's data directory holds more than this and is not opened by it.
public final class LocalStore: Sendable {
    /// The store.
    public let store: ArtifactStore
    /// The keys that protect what is in it.
    public let keys: KeyHierarchy
    /// The database, open to tables of the program's own.
    public let catalog: Catalog
    /// Set when the directory was made just now: the passphrase that opens the root key when its key file is lost. Keep it
    /// somewhere else; nobody can tell it again.
    public let recoveryPassphrase: String?  // tidy: to be written down
    private let lock: DirectoryLock

    private init(
        store: ArtifactStore, keys: KeyHierarchy, catalog: Catalog, recoveryPassphrase: String?, lock: DirectoryLock
    ) {
        self.store = store
        self.keys = keys
        self.catalog = catalog
        self.recoveryPassphrase = recoveryPassphrase
        self.lock = lock
    }

    /// Opens the store of a directory, or makes both.
    ///
    /// - Parameters:
    ///   - directory: made, with its parents and for its owner only, when it does not exist.
    ///   - keyFile: the file that opens the root key by itself, best on another volume; nil: beside the data, which
    ///     protects backups of other files only.
    ///   - passphrase: opens the root key where no key file does.
    ///   - acceptsRollback: goes on from a database that is behind what was signed, and has the version log say so: once,
    ///     after a backup was restored on purpose.
    ///   - migrations: tables of the program's own, for rows that ``ArtifactStore/publish(_:_:also:)`` writes with a
    ///     version.
    ///   - configure: changes the store's configuration before it is used.
    /// - Throws: `StoreError` with `.conflict` while another process has the directory, with `.keyUnavailable` while the root
    ///   key stays sealed and with `.integrity` when the database was put back to an earlier state; what the catalogue and the keys throw.
    public static func open(
        _ directory: FilePath, keyFile: FilePath? = nil, passphrase: String? = nil, acceptsRollback: Bool = false,
        migrations: [Migration] = [], configure: (inout StoreConfiguration) -> Void = { _ in }
    ) async throws -> LocalStore {
        try make(directory)
        let lock = try DirectoryLock(directory)
        let catalog = try Catalog(
            path: directory.appending("catalog.sqlite").string,
            migrations: KeySchema.migrations + StoreSchema.migrations + migrations)
        let root = RootLocation(directory: directory.appending("root").string, keyFile: keyFile?.string)
        let keys: KeyHierarchy
        if FileManager.default.fileExists(atPath: root.rootFile) {
            keys = try await KeyHierarchy.open(catalog: catalog, root: root)
            if keys.isSealed {
                guard let passphrase else {
                    throw StoreError(
                        .keyUnavailable, "no key file opens the root key in \(root.directory); a passphrase is needed")
                }
                try await keys.unseal(passphrase: passphrase)
            }
        } else {
            try make(FilePath(root.directory))
            keys = try await KeyHierarchy.create(catalog: catalog, root: root)
        }
        var configuration = StoreConfiguration(directory: directory.appending("store"))
        configure(&configuration)
        let store = try await ArtifactStore(configuration: configuration, catalog: catalog, keys: keys)
        if let problem = try await store.rollbackProblem() {
            guard acceptsRollback else {
                throw StoreError.integrity(
                    "the database in \(directory) is not the latest: \(problem). If it was restored on purpose, open it "
                        + "once with acceptsRollback; what was published since is lost, and the version log records it")
            }
            try await store.acknowledgeRollback(problem, by: "LocalStore")
        }
        return LocalStore(
            store: store, keys: keys, catalog: catalog, recoveryPassphrase: keys.takeRecoveryPassphrase(), lock: lock)
    }

    private static func make(_ directory: FilePath) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: directory.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StoreError(.input, "cannot make the directory \(directory): \(error.localizedDescription)")
        }
    }

    /// Writes out what is only in memory and lets go of the directory. What was published is safe without it.
    public func close() async throws {
        try await store.close()
        try catalog.close()
        lock.release()
    }
}

/// Keeps other processes out of a directory, for as long as it lives.
private final class DirectoryLock: Sendable {
    private let descriptor: Mutex<Int32?>

    init(_ directory: FilePath) throws {
        let path = directory.appending("lock").string
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else {
            throw StoreError(.input, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(file)
            throw StoreError(.conflict, "another process has the store in \(directory) open")
        }
        descriptor = Mutex(file)
    }

    deinit { release() }

    func release() {
        descriptor.withLock { descriptor in
            if let file = descriptor {
                // Closing alone would leave the lock to a child that was forked and has not come to close its copy.
                flock(file, LOCK_UN)
                Glibc.close(file)
            }
            descriptor = nil
        }
    }
}
