import ArtifactStore
import Cryptography
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
    /// What publishing it added to the storage; only for who may view storage (`coffer:ViewStorage`), since it tells
    /// whether content was there already, be it somebody else's.
    package var storedBytes: Int64?
    package var files: Int
    package var created: Date
    package var createdBy: String
    package var tags: [String]
    package var keyARN: String?
    /// When it was deleted; it can still be brought back.
    package var deleted: Date?

    /// `PIPELINE/ARTIFACT@413`, the name by which people ask for it.
    package var reference: String {
        "\(repository)/\(artifact)@\(executionNumber ?? number)"
    }
}

/// A file, directory or link in an artifact.
package struct EntryItem: Codable, Sendable {
    package var path: String
    /// The path's bytes in Base64, where they are not UTF-8.
    package var rawPath: String?
    package var kind: String
    package var bytes: Int64
    package var isExecutable: Bool
    package var sha256: String?
    /// Where a symlink points.
    package var target: String?
    /// The same in Base64, where it is not UTF-8.
    package var rawTarget: String?
    /// Permission bits.
    package var mode: UInt32?

    init(_ entry: Entry) {
        path = entry.path
        rawPath = Array(entry.path.utf8) == entry.rawPath ? nil : Base64.encode(entry.rawPath)
        kind = entry.kind.rawValue
        bytes = entry.size
        isExecutable = entry.isExecutable
        sha256 = entry.contentID?.hex
        target = entry.linkTarget
        rawTarget = entry.rawLinkTarget.flatMap { Array((entry.linkTarget ?? "").utf8) == $0 ? nil : Base64.encode($0) }
        mode = entry.mode
    }

    /// The path as it is.
    package var pathBytes: [UInt8] { rawPath.flatMap { Base64.decode($0) } ?? Array(path.utf8) }
    /// The target as it is.
    package var targetBytes: [UInt8] { rawTarget.flatMap { Base64.decode($0) } ?? Array((target ?? "").utf8) }
}

/// Why a version is kept.
package struct WhyAnswer: Codable, Sendable {
    package var version: VersionItem
    package var reasons: [String]
    /// Stored bytes that deleting it would free, when that was asked for.
    package var exclusiveBytes: Int64?
}
