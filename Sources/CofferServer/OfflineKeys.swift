import Catalog
public import KeyHierarchy
import SystemPackage

/// A data directory's key hierarchy, opened without a server.
public enum OfflineKeys {
    /// Where a data directory keeps its root.
    public static func location(_ dataDirectory: String) -> RootLocation {
        RootLocation(directory: FilePath(dataDirectory).appending("root").string)
    }

    /// Makes a data directory with its root, without starting a server. Returns the recovery passphrase: show it once.
    ///
    /// Throws ``StartupError`` with kind `held` while a server has the directory.
    public static func initialise(dataDirectory: String) async throws -> String? {
        let directory = try DataDirectory(dataDirectory, create: true)
        let catalog = try Catalog(path: directory.catalog.string, migrations: House.migrations)
        let keys = try await KeyHierarchy.create(catalog: catalog, root: location(dataDirectory))
        let recovery = keys.takeRecoveryPassphrase()
        try catalog.close()
        return withExtendedLifetime(directory) { recovery }
    }

    /// Opens the hierarchy for `body` and closes it afterwards.
    ///
    /// Throws ``StartupError`` with kind `held` while a server has the directory.
    public static func with<Result: Sendable>(
        dataDirectory: String, rootPassphrase: String?, _ body: (KeyHierarchy) async throws -> Result
    ) async throws -> Result {
        let directory = try DataDirectory(dataDirectory, create: false)
        let catalog = try Catalog(path: directory.catalog.string, migrations: House.migrations)
        let keys = try await KeyHierarchy.open(catalog: catalog, root: location(dataDirectory))
        if keys.isSealed {
            guard let rootPassphrase else {
                throw StartupError(
                    .failed, "the root key is sealed; set COFFER_ROOT_PASSPHRASE to one of its passphrases")
            }
            try await keys.unseal(passphrase: rootPassphrase)
        }
        let result = try await body(keys)
        try catalog.close()
        return withExtendedLifetime(directory) { result }
    }
}
