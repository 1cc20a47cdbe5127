import Catalog
import Cryptography
import Foundation
public import KeyHierarchy

/// Whose content is read back.
public enum VerificationSelection: Sendable, Hashable {
    /// Every version of every account.
    case everything
    /// The versions of a repository (pipeline), or of one of its artifacts.
    case repository(String, artifact: String?, AccountRegion)
    /// One version.
    case version(VersionID)
}

/// Where a verification of content goes on.
public struct VerificationPlace: Sendable, Hashable, Codable {
    /// The version.
    let version: String
    /// The file in it; nil: after the version.
    let path: [UInt8]?
    /// The byte of the file.
    let offset: Int64
}

extension ArtifactStore {
    /// Reads content back and compares it with its hashes, and each version's hash with what was stated.
    ///
    /// - Parameters:
    ///   - place: where the call before stopped; nil: at the beginning.
    ///   - byteLimit: stop after about so many bytes.
    /// - Returns: what was found, and where to go on; nil at the end.
    public func verifyContent(
        _ selection: VerificationSelection = .everything, from place: VerificationPlace? = nil,
        byteLimit: Int64 = .max
    ) async throws -> (report: VerificationReport, next: VerificationPlace?) {
        var report = VerificationReport()
        var place = place
        while report.bytes < byteLimit {
            guard let id = try await nextVersion(selection, place) else { return (report, nil) }
            let begin = place?.path.map { DeepCheck.Place(path: $0, offset: place?.offset ?? 0) }
            let left = try await verifyContent(id, begin, byteLimit - report.bytes, &report)
            place = VerificationPlace(version: id.rawValue, path: left?.path, offset: left?.offset ?? 0)
        }
        return (report, place)
    }

    /// The version that was left in the middle, or the next one.
    private func nextVersion(_ selection: VerificationSelection, _ place: VerificationPlace?) async throws
        -> VersionID?
    {
        if let place, place.path != nil { return VersionID(place.version) }
        let after = place?.version ?? ""
        return try await catalog.read { transaction in
            let row =
                switch selection {
                case .everything:
                    try transaction.row("SELECT id FROM store_versions WHERE id > ? ORDER BY id LIMIT 1", after)
                case .repository(let repository, let artifact, let scope):
                    try transaction.row(
                        """
                        SELECT id FROM store_versions WHERE id > ? AND account = ? AND region = ? AND repository = ?
                            AND (CAST(? AS TEXT) IS NULL OR artifact = ?) AND deleted_at IS NULL ORDER BY id LIMIT 1
                        """, after, scope.account, scope.region, repository, artifact, artifact)
                case .version(let id):
                    try transaction.row("SELECT id FROM store_versions WHERE id > ? AND id = ?", after, id.rawValue)
                }
            return try row.map(VersionRow.id)
        }
    }

    /// Reads about `limit` bytes of a version. Returns where it stopped; nil at the version's end.
    private func verifyContent(
        _ id: VersionID, _ begin: DeepCheck.Place?, _ limit: Int64, _ report: inout VerificationReport
    ) async throws -> DeepCheck.Place? {
        let version: OpenVersion
        do {
            let stated = try await self.version(id).contentID
            version = try await open(id)
            guard version.root.contentID == stated else {
                report.problems.append(
                    "\(version.context.subject): its manifest leads to other content than was stated")
                return nil
            }
        } catch let error as StoreError where error.code == .keyUnavailable {
            report.skipped.append("\(id): \(error.message)")
            return nil
        } catch let error as StoreError where error.code == .notFound {
            return nil  // Removed meanwhile.
        } catch let error as StoreError where error.code == .integrity {
            report.problems.append(error.message)
            return nil
        }
        if begin == nil { report.versions += 1 }
        let found = try await pool.run {
            try DeepCheck(version, from: begin).run(limit, Pace(bytesPerSecond: nil))
        }
        report.bytes += found.bytes
        report.problems += found.problems.map(\.1)
        return found.place
    }
}
