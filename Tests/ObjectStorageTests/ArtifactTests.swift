import ArtifactStore
import Catalog
import Foundation
import SystemPackage
import Testing

@testable import ObjectStorage

@Suite struct ArtifactTests {
    /// Stages a small directory.
    private func stage(_ fixture: Fixture) async throws -> StagedContent {
        let path = fixture.directory + "/work"
        try FileManager.default.createDirectory(atPath: path + "/sub", withIntermediateDirectories: true)
        try Data("hello".utf8).write(to: URL(fileURLWithPath: path + "/sub/file.txt"))
        let ingest = try await fixture.store.beginIngest(scope: fixture.scope, keyID: nil)
        return try await ingest.addDirectory(FilePath(path))
    }

    private func draft(_ fixture: Fixture) -> VersionDraft {
        VersionDraft(scope: fixture.scope, repository: "web", artifact: "app", createdBy: "test")
    }

    @Test func `An artifact and its object appear together and the object shows a ZIP`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("artifacts", .enabled)
        let version = try await fixture.store.publish(
            try await stage(fixture), draft(fixture),
            also: fixture.objects.artifactRows(bucket: bucket, key: "web/app/1.zip"))
        let object = try await fixture.objects.head(bucket: bucket, key: "web/app/1.zip")
        #expect(object.content == version.id && object.presentation == .zip)
        #expect(object.size == version.zip.byteCount && object.etag == version.zip.etag)
        #expect(object.metadata.contentType == "application/zip")
        let bytes = try await fixture.objects.read(object).collect(upTo: 1 << 20)
        #expect(bytes.starts(with: Array("PK".utf8)) && Int64(bytes.count) == object.size)
        let middle = try await fixture.objects.read(object, range: 3..<20).collect(upTo: 100)
        #expect(middle == Array(bytes[3..<20]))
        try await fixture.objects.delete(bucket: bucket, key: object.key, versionID: object.versionID)
        #expect(try await fixture.store.version(version.id).deletedAt == nil)
    }

    @Test func `A ZIP that was put together anew is not read under the tag that it had`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("artifacts", .enabled)
        let version = try await fixture.store.publish(
            try await stage(fixture), draft(fixture),
            also: fixture.objects.artifactRows(bucket: bucket, key: "web/app/1.zip"))
        let before = try await fixture.objects.head(bucket: bucket, key: "web/app/1.zip")
        // As if a chunk had been encoded otherwise until now.
        try await fixture.catalog.write {
            _ = try $0.execute(
                "UPDATE store_versions SET zip_shape = ? WHERE id = ?", [UInt8](repeating: 1, count: 32),
                version.id.rawValue)
        }
        await #expect(throws: ObjectStorageError.self) { try await fixture.objects.read(before, range: 0..<10) }
        let after = try await fixture.objects.head(bucket: bucket, key: "web/app/1.zip")
        #expect(after.etag != before.etag && after.etag.hasSuffix("-p2"))
        let bytes = try await fixture.objects.read(after).collect(upTo: 1 << 20)
        #expect(Int64(bytes.count) == after.size)
    }

    @Test func `An object that cannot be registered keeps the artifact from being published`() async throws {
        let fixture = try await Fixture()
        let staged = try await stage(fixture)
        let code = try await refusal {
            _ = try await fixture.store.publish(
                staged, draft(fixture), also: fixture.objects.artifactRows(bucket: "absent", key: "k"))
        }
        #expect(code == "NoSuchBucket")
        let page = try await fixture.store.versions(VersionFilter(scope: fixture.scope))
        #expect(page.versions.isEmpty)
    }

    @Test func `An existing version is presented, and copies of it stand on their own`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let version = try await fixture.store.publish(try await stage(fixture), draft(fixture))
        let object = try await fixture.objects.put(bucket: bucket, key: "app.zip", presenting: version.id)
        let copy = try await fixture.objects.copy(object, to: bucket, key: "copy.zip")
        #expect(copy.presentation == .bytes && copy.content != version.id && copy.size == object.size)
        let original = try await fixture.objects.read(object).collect(upTo: 1 << 20)
        #expect(try await fixture.objects.read(copy).collect(upTo: 1 << 20) == original)
    }
}
