public import ArtifactStore
import Catalog
import KeyHierarchy
import SystemPackage

/// A data directory's store, opened without a server.
public enum OfflineStore {
    /// Opens the store for `body` and closes it afterwards.
    ///
    /// Throws ``StartupError`` with kind `held` while a server has the directory.
    public static func with<Result: Sendable>(
        dataDirectory: String, rootPassphrase: String?, _ body: (ArtifactStore) async throws -> Result
    ) async throws -> Result {
        let directory = try DataDirectory(dataDirectory, create: false)
        let catalog = try Catalog(path: directory.catalog.string, migrations: House.migrations)
        let keys = try await KeyHierarchy.open(
            catalog: catalog, root: RootLocation(directory: directory.root.string))
        if keys.isSealed {
            guard let rootPassphrase else {
                throw StartupError(
                    .failed, "the root key is sealed; set COFFER_ROOT_PASSPHRASE to one of its passphrases")
            }
            try await keys.unseal(passphrase: rootPassphrase)
        }
        let store = try await ArtifactStore(
            configuration: StoreConfiguration(directory: directory.store), catalog: catalog, keys: keys)
        let result = try await body(store)
        try await store.close()
        try catalog.close()
        return withExtendedLifetime(directory) { result }
    }
}
