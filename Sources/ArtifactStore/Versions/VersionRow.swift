import Catalog
import Cryptography
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
        guard
            let attributes = try? JSONDecoder().decode(
                [String: String].self, from: Data(try row.string("attributes").utf8))
        else { throw FormatError("its attributes are damaged") }
        return VersionDraft(
            scope: AccountRegion(account: try row.string("account"), region: try row.string("region")),
            repository: try row.string("repository"), artifact: try row.string("artifact"),
            execution: try row.optionalString("execution"),
            executionNumber: try row.optionalNatural("execution_number").map { Int($0) },
            stage: try row.optionalString("stage"), action: try row.optionalString("action"),
            actionExecution: try row.optionalString("action_execution"), createdBy: try row.string("created_by"),
            attributes: attributes)
    }
}

extension ArtifactStore {
    func version(_ row: Row) async throws -> Version {
        let id = try VersionRow.id(row)
        let (sealed, version) = try DamagedRow.naming("version \(id)") {
            let sealed = try row.bytes("summary")
            return (sealed, try SealedEnvelope.version(of: sealed))
        }
        let key: SecretBytes
        do {
            key = try await storageKeys.key(version: version)
        } catch let error as FormatError {
            throw StoreError.integrity("version \(id): \(error)")
        }
        return try DamagedRow.naming("version \(id)") {
            guard let kind = Version.RootKind(rawValue: try row.string("root_kind")) else {
                throw FormatError("it is neither directory nor blob")
            }
            return Version(
                id: id, number: Int(try row.natural("number")), draft: try VersionRow.draft(row),
                keyID: try row.string("key_id"),
                keyARN: try row.string("key_arn"), rootKind: kind,
                contentID: try VersionSummary.open(sealed, version: id, key: key),
                logicalBytes: try row.natural("logical_bytes"), newStoredBytes: try row.natural("new_stored_bytes"),
                fileCount: Int(try row.natural("file_count")), createdAt: try row.date("created_at"),
                deletedAt: try row.optionalDate("deleted_at"),
                zip: Version.Presentation(
                    byteCount: try row.natural("zip_bytes"), etag: try row.string("zip_etag"),
                    number: Int(try row.natural("zip_number"))))
        }
    }

    func versions(_ rows: [Row]) async throws -> [Version] {
        var result: [Version] = []
        result.reserveCapacity(rows.count)
        for row in rows { result.append(try await version(row)) }
        return result
    }
}
