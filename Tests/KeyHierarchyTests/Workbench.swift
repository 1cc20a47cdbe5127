import Catalog
import Foundation
import Testing

@testable import KeyHierarchy

/// A scratch directory with a catalogue and a root; removed at the end.
final class Workbench: Sendable {
    let directory: String
    let catalog: Catalog
    let location: RootLocation

    init() throws {
        directory = FileManager.default.temporaryDirectory.path + "/coffer-keys-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        catalog = try Catalog(path: directory + "/catalog.db", migrations: KeySchema.migrations)
        location = RootLocation(directory: directory)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }  // A leftover in the scratch space does no harm.

    func reopened() async throws -> KeyHierarchy { try await KeyHierarchy.open(catalog: catalog, root: location) }

    func mode(_ path: String, _ mode: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}

let home = AccountRegion(account: "000000000000", region: "us-east-1")
