import Catalog
import Foundation
import KeyHierarchy

/// Reads versions from their rows.
enum VersionRow {
    static func encode(_ attributes: [String: String]) throws -> String {
        if attributes.isEmpty { return "{}" }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(attributes), as: UTF8.self)
    }

    static func id(_ row: Row) throws -> VersionID { VersionID(unchecked: try row.string("id")) }

    static func draft(_ row: Row) throws -> VersionDraft {
        VersionDraft(
            scope: AccountRegion(account: try row.string("account"), region: try row.string("region")),
            repository: try row.string("repository"), artifact: try row.string("artifact"),
            execution: try row.optionalString("execution"), executionNumber: try row.optionalInt("execution_number"),
            stage: try row.optionalString("stage"), action: try row.optionalString("action"),
            actionExecution: try row.optionalString("action_execution"), createdBy: try row.string("created_by"),
            attributes: try JSONDecoder().decode(
                [String: String].self, from: Data(try row.string("attributes").utf8)))
    }
}

extension ArtifactStore {
    func version(_ row: Row) async throws -> Version {
        let id = try VersionRow.id(row)
        let sealed = try row.bytes("summary")
        do {
            let key = try await storageKeys.key(version: try SealedEnvelope.version(of: sealed))
            guard let kind = Version.RootKind(rawValue: try row.string("root_kind")) else {
                throw FormatError("it is neither directory nor blob")
            }
            return Version(
                id: id, number: try row.int("number"), draft: try VersionRow.draft(row),
                keyID: try row.string("key_id"),
                keyARN: try row.string("key_arn"), rootKind: kind,
                contentID: try VersionSummary.open(sealed, version: id, key: key),
                logicalBytes: try row.int64("logical_bytes"), newStoredBytes: try row.int64("new_stored_bytes"),
                fileCount: try row.int("file_count"), createdAt: try row.date("created_at"),
                deletedAt: try row.optionalDate("deleted_at"),
                zip: Version.Presentation(
                    byteCount: try row.int64("zip_bytes"), etag: try row.string("zip_etag"),
                    number: try row.int("zip_number")))
        } catch let error as FormatError {
            throw StoreError.integrity("version \(id): \(error)")
        }
    }

    func versions(_ rows: [Row]) async throws -> [Version] {
        var result: [Version] = []
        result.reserveCapacity(rows.count)
        for row in rows { result.append(try await version(row)) }
        return result
    }
}
