import Foundation
import Testing

@testable import ObjectStorage

@Suite struct LifecycleTests {
    @Test(arguments: [
        (1, "1970-01-01T10:00:00Z", "1970-01-03T00:00:00Z"), (1, "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
        (30, "1970-01-01T23:59:59Z", "1970-02-01T00:00:00Z"),
    ])
    func `Days end at the midnight after them`(_ days: Int, _ start: String, _ due: String) throws {
        let start = try Date(start, strategy: .iso8601)
        #expect(LifecycleRule.due(days, after: start) == (try Date(due, strategy: .iso8601)))
    }

    @Test func `Current objects expire by prefix, size, tag and age`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        for key in ["tmp/a", "tmp/long", "tmp/tagged", "keep/a"] {
            try await fixture.put(bucket, key, key == "tmp/long" ? "long text" : "x")
        }
        try await fixture.objects.setTags([ObjectTag(key: "t", value: "1")], bucket: bucket, key: "tmp/tagged")
        var rule = LifecycleRule()
        rule.prefix = "tmp/"
        rule.expirationDays = 1
        #expect(try await fixture.objects.applyLifecycle([rule], to: bucket).expired == 0)
        fixture.advance(days: 3)
        rule.tags = [ObjectTag(key: "t", value: "1")]
        #expect(try await fixture.objects.applyLifecycle([rule], to: bucket).expired == 1)
        rule.tags = []
        rule.sizeLessThan = 5
        #expect(try await fixture.objects.applyLifecycle([rule], to: bucket).expired == 1)
        #expect(try await fixture.objects.list(bucket).entries.map(\.key) == ["keep/a", "tmp/long"])
    }

    @Test func `Old versions go, the newest of them stay, and lone markers vanish`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("history", .enabled)
        for round in 0..<5 { try await fixture.put(bucket, "k", "\(round)") }
        try await fixture.put(bucket, "gone")
        try await fixture.objects.delete(bucket: bucket, key: "gone")
        var rule = LifecycleRule()
        rule.noncurrentDays = 1
        rule.newerNoncurrentVersions = 2
        rule.removesLoneMarkers = true
        fixture.advance(days: 3)
        #expect(try await fixture.objects.applyLifecycle([rule], to: bucket).deletedVersions == 2)
        #expect(try await fixture.text(bucket, "k") == "4")
        var all = LifecycleRule()
        all.noncurrentDays = 1
        all.removesLoneMarkers = true
        try await fixture.objects.applyLifecycle([all], to: bucket)
        try await fixture.objects.applyLifecycle([all], to: bucket)
        #expect(try await fixture.objects.listVersions(bucket).entries.map(\.key) == ["k"])
        var expire = LifecycleRule()
        expire.expirationDate = Date(timeIntervalSince1970: 0)
        #expect(try await fixture.objects.applyLifecycle([expire], to: bucket).expired == 1)
        #expect(try await fixture.objects.listVersions(bucket).entries.map(\.isDeleteMarker) == [true, false])
    }

    @Test func `Stale uploads are aborted`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        _ = try await fixture.objects.createUpload(bucket: bucket, key: "old/k")
        _ = try await fixture.objects.createUpload(bucket: bucket, key: "other")
        var rule = LifecycleRule()
        rule.prefix = "old/"
        rule.abortUploadDays = 1
        fixture.advance(days: 3)
        #expect(try await fixture.objects.applyLifecycle([rule], to: bucket).abortedUploads == 1)
        #expect(try await fixture.objects.listUploads(bucket).uploads.map(\.key) == ["other"])
    }
}
