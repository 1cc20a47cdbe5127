import ArtifactStore
import Foundation
import KeyHierarchy
import ObjectStorage
import PipelineEngine
import PipelineModel
import Testing

@testable import ActionProviders

@Suite struct S3DeployTests {
    private func deploy(_ shop: Workshop, _ input: JobArtifact, _ configuration: [String: String], token: Int64 = 1)
        async throws
        -> ActionOutcome
    {
        var job = ActionJob.test(
            .deploy, "S3", configuration.merging(["BucketName": "site"]) { own, _ in own }, inputs: [input])
        job.fencingToken = token
        return try await shop.runner(.deploy, "S3").run(job, in: TestContext(shop))
    }

    private func keys(_ shop: Workshop) async throws -> [String] {
        try await shop.objects.list("site", ListQuery()).entries.map(\.key)
    }

    @Test("Each file becomes an object with its type, and links become what they point to")
    func extract() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("site", in: testScope)
        let input = try await shop.artifact(
            ["index.html": "<p>", "css/a.css": "p{}", "raw": "?", "data.JSON": "{}"],
            links: ["home.html": "index.html", "css/up.html": "../index.html", "out": "/etc/passwd", "dir": "css"])
        let outcome = try await deploy(
            shop, input,
            ["Extract": "true", "CacheControl": "public, max-age=0", "CannedACL": "bucket-owner-full-control"])
        #expect(outcome.summary == "Deployed 6 files to s3://site/")
        #expect(try await keys(shop) == ["css/a.css", "css/up.html", "data.JSON", "home.html", "index.html", "raw"])
        let page = try #require(try await shop.object("site", "index.html"))
        #expect(page.text == "<p>" && page.object.metadata.contentType == "text/html")
        #expect(page.object.metadata.cacheControl == "public, max-age=0")
        #expect(try await shop.object("site", "css/up.html")?.text == "<p>")
        #expect(try await shop.object("site", "raw")?.object.metadata.contentType == "application/octet-stream")
        #expect(try await shop.object("site", "data.JSON")?.object.metadata.contentType == "application/json")
    }

    @Test("A prefix may hold the time and an id")
    func prefix() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("site", in: testScope)
        let input = try await shop.artifact(["a": "1"])
        _ = try await deploy(shop, input, ["Extract": "true", "ObjectKey": "v/{datetime}-{uuid}"])
        #expect(try await keys(shop) == ["v/2019-10-29_03-32-21-0b0f0e9c-0000-4000-8000-000000000001/a"])
    }

    @Test("A ZIP that was uploaded is extracted like a tree")
    func extractZip() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("site", in: testScope)
        let tree = try await shop.artifact(["index.html": "<p>", "a/b.txt": "b"])
        let zip = try await shop.store.zip(tree.version).stream().collect(upTo: 1 << 20)
        _ = try await deploy(shop, try await shop.artifact(bytes: zip, name: "zip"), ["Extract": "true"])
        #expect(try await keys(shop) == ["a/b.txt", "index.html"])
        #expect(try await shop.object("site", "a/b.txt")?.text == "b")
    }

    @Test("Without extraction the artifact is one object: a tree as a ZIP, bytes as they are")
    func whole() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("site", in: testScope)
        let tree = try await shop.artifact(["a.txt": "1"])
        _ = try await deploy(shop, tree, ["Extract": "false", "ObjectKey": "r/app.zip"])
        let object = try #require(try await shop.object("site", "r/app.zip")).object
        #expect(object.metadata.contentType == "application/zip")
        let zip = try await shop.store.zip(tree.version).stream().collect(upTo: 1 << 20)
        #expect(try await shop.objects.read(object).collect(upTo: 1 << 20) == zip)
        let blob = try await shop.artifact(bytes: [1, 2, 3], name: "blob")
        _ = try await deploy(shop, blob, ["Extract": "false", "ObjectKey": "r/app.bin"])
        let bytes = try #require(try await shop.object("site", "r/app.bin")).object
        #expect(try await shop.objects.read(bytes).collect(upTo: 10) == [1, 2, 3])
    }

    @Test("A job that runs again after a crash writes nothing twice")
    func again() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("site", in: testScope, versioning: .enabled)
        let input = try await shop.artifact(["a": "1", "b": "2"])
        for token in [1, 2] as [Int64] {
            _ = try await deploy(shop, input, ["Extract": "true"], token: token)
            _ = try await deploy(shop, input, ["Extract": "false", "ObjectKey": "whole.zip"], token: token)
        }
        #expect(try await shop.objects.listVersions("site", ListQuery()).entries.map(\.key) == ["a", "b", "whole.zip"])
    }

    @Test(
        "What cannot work is refused",
        arguments: [
            (["Extract": "maybe"], "true or false"), (["Extract": "false"], "needs ObjectKey"),
            (["Extract": "true", "CannedACL": "everyone"], "CannedACL everyone"),
            (["Extract": "true", "BucketName": "nowhere"], "bucket nowhere does not exist"),
            (["Extract": "true", "BucketName": "theirs"], "another account"),
        ])
    func refusals(configuration: [String: String], reason: String) async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("site", in: testScope)
        try await shop.objects.createBucket("theirs", in: .init(account: "111111111111", region: "us-east-1"))
        let input = try await shop.artifact(["a": "1"])
        let error = await actionFailure { try await deploy(shop, input, configuration) }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test("Bytes that are no ZIP cannot be extracted")
    func notAZip() async throws {
        let shop = try await Workshop()
        try await shop.objects.createBucket("site", in: testScope)
        let input = try await shop.artifact(bytes: Array("plain text, longer than a ZIP's end".utf8))
        let error = await actionFailure { try await deploy(shop, input, ["Extract": "true"]) }
        #expect(error?.message.contains("not a ZIP archive") == true)
    }
}
