package import Foundation

/// An artifact version.
package struct VersionItem: Codable, Sendable {
    package var id: String
    package var repository: String
    package var artifact: String
    package var number: Int
    package var execution: String?
    package var executionNumber: Int?
    package var stage: String?
    package var action: String?
    package var kind: String
    package var contentID: String
    package var bytes: Int64
    package var storedBytes: Int64
    package var files: Int
    package var created: Date
    package var createdBy: String
    package var tags: [String]
    package var keyARN: String?

    /// `PIPELINE/ARTIFACT@413`, the name by which people ask for it.
    package var reference: String {
        "\(repository)/\(artifact)@" + (executionNumber.map { String($0) } ?? "sha256:\(contentID.prefix(12))")
    }
}

/// A file, directory or link in an artifact.
package struct EntryItem: Codable, Sendable {
    package var path: String
    package var kind: String
    package var bytes: Int64
    package var isExecutable: Bool
    package var sha256: String?
    package var target: String?
}

/// What differs between two artifact versions.
package struct DiffAnswer: Codable, Sendable {
    package var a: VersionItem
    package var b: VersionItem
    package var isEqual: Bool
    package var changes: [Change]
    package var added: Int
    package var removed: Int
    package var changed: Int
    package var identical: Int
    package var patch: String?

    /// One path that differs.
    package struct Change: Codable, Sendable {
        package var path: String
        /// `added`, `removed`, `changed`, `mode`, `type`.
        package var change: String
        package var oldBytes: Int64?
        package var newBytes: Int64?
        package var note: String?

        package init(path: String, change: String, oldBytes: Int64?, newBytes: Int64?, note: String?) {
            self.path = path
            self.change = change
            self.oldBytes = oldBytes
            self.newBytes = newBytes
            self.note = note
        }
    }
}
