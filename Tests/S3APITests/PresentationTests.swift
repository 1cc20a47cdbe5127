import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import ObjectStorage
import SystemPackage
import Testing

@testable import S3API

/// An artifact shown as a ZIP whose bytes are no longer those of its tag, since a chunk had to be encoded anew.
@Suite struct PresentationTests {
    /// An object that shows a directory, and the tag that it had until its ZIP was put together anew.
    private func outdated(_ fixture: FrontFixture) async throws -> String {
        try await fixture.send("PUT", "/bucket")
        let path = fixture.directory + "/work"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Data(String(repeating: "hello ", count: 100).utf8).write(to: URL(fileURLWithPath: path + "/file.txt"))
        let store = fixture.objects.store
        let ingest = try await store.beginIngest(scope: AccountRegion(account: fixture.account, region: "us-east-1"))
        let version = try await store.publish(
            try await ingest.addDirectory(FilePath(path)),
            VersionDraft(scope: ingest.scope, repository: "web", artifact: "app", createdBy: "test"))
        try await fixture.objects.put(bucket: "bucket", key: "app.zip", presenting: version.id)
        let before = try await fixture.send("GET", "/bucket/app.zip")
        #expect(before.status == 200)
        try await fixture.catalog.write {
            _ = try $0.execute(
                "UPDATE store_versions SET zip_shape = ? WHERE id = ?", [UInt8](repeating: 1, count: 32),
                version.id.rawValue)
        }
        return try #require(before.header("etag"))
    }

    @Test func `A range under the old tag fails its precondition`() async throws {
        let fixture = try await FrontFixture()
        let old = try await outdated(fixture)
        let get = try await fixture.send("GET", "/bucket/app.zip", "", ["range": "bytes=0-9", "if-match": old])
        #expect(get.status == 412 && get.code == "PreconditionFailed")
    }

    @Test func `A range that holds only for the old tag becomes the whole object`() async throws {
        let fixture = try await FrontFixture()
        let old = try await outdated(fixture)
        let get = try await fixture.send("GET", "/bucket/app.zip", "", ["range": "bytes=0-9", "if-range": old])
        #expect(get.status == 200)
        let new = try #require(get.header("etag"))
        #expect(new != old)
        let head = try await fixture.send("HEAD", "/bucket/app.zip")
        #expect(head.header("etag") == new)
        let range = try await fixture.send("GET", "/bucket/app.zip", "", ["range": "bytes=0-1", "if-match": new])
        #expect(range.status == 206 && range.body == "PK")
    }

    @Test func `A read without conditions gets the bytes under their own tag`() async throws {
        let fixture = try await FrontFixture()
        let old = try await outdated(fixture)
        let get = try await fixture.send("GET", "/bucket/app.zip")
        #expect(get.status == 200 && get.header("etag") != old)
        #expect(try await fixture.send("GET", "/bucket/app.zip", "", ["if-none-match": old]).status == 200)
    }
}
