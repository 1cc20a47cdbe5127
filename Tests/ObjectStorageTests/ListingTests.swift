import Testing

@testable import ObjectStorage

@Suite struct ListingTests {
    /// All pages of a listing, with markers as a client passes them on.
    private func pages(_ fixture: Fixture, _ bucket: String, _ query: ListQuery) async throws -> (
        keys: [String], prefixes: [String], count: Int
    ) {
        var query = query
        var keys: [String] = []
        var prefixes: [String] = []
        var count = 0
        while true {
            let page = try await fixture.objects.list(bucket, query)
            keys += page.entries.map(\.key)
            prefixes += page.commonPrefixes
            count += 1
            #expect(page.entries.count + page.commonPrefixes.count <= query.limit)
            guard page.isTruncated, let last = page.lastKey else { return (keys, prefixes, count) }
            query.after = last
        }
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func `Pages of any size add up to the whole listing`(_ limit: Int) async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let names = ["a", "a/1", "a/2", "b/", "b/x/1", "b/x/2", "b/y", "c", "é", "z\u{1F600}", "\u{FFFD}"]
        for name in names { try await fixture.put(bucket, name) }
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let flat = try await pages(fixture, bucket, ListQuery(limit: limit))
        #expect(flat.keys == sorted)
        let rolled = try await pages(fixture, bucket, ListQuery(delimiter: "/", limit: limit))
        #expect(
            rolled.keys
                == ["a", "c", "é", "\u{FFFD}", "z\u{1F600}"].sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        #expect(rolled.prefixes == ["a/", "b/"])
        let inner = try await pages(fixture, bucket, ListQuery(prefix: "b/", delimiter: "/", limit: limit))
        #expect(inner.keys == ["b/", "b/y"])
        #expect(inner.prefixes == ["b/x/"])
    }

    @Test(
        arguments: [
            ("", "", "", ["a/b", "a/c", "b", "b.c"], []), ("a", "", "", ["a/b", "a/c"], []),
            ("", "/", "", ["b", "b.c"], ["a/"]), ("", "/", "a/", ["b", "b.c"], []),
            ("", "/", "a/b", ["b", "b.c"], []),
            ("", "", "a/b", ["a/c", "b", "b.c"], []), ("b", "", "a", ["b", "b.c"], []),
            ("", "b", "", ["a/c"], ["a/b", "b"]),
            ("x", "", "", [], []), ("", "", "zzz", [], []), ("a/", "/", "", ["a/b", "a/c"], []),
            ("", "/c", "", ["a/b", "b", "b.c"], ["a/c"]),
        ] as [(String, String, String, [String], [String])])
    func `Prefix, delimiter and marker select as S3 does`(
        _ prefix: String, _ delimiter: String, _ after: String, _ keys: [String], _ prefixes: [String]
    ) async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        for name in ["a/b", "a/c", "b", "b.c"] { try await fixture.put(bucket, name) }
        let page = try await fixture.objects.list(
            bucket, ListQuery(prefix: prefix, delimiter: delimiter, after: after))
        #expect(page.entries.map(\.key) == keys)
        #expect(page.commonPrefixes == prefixes)
        #expect(!page.isTruncated)
    }

    @Test func `A prefix with more keys than a batch is leapt over`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        for index in 0..<150 { try await fixture.put(bucket, "dir/\(index)") }
        try await fixture.put(bucket, "after")
        try await fixture.put(bucket, "zoo")
        let page = try await fixture.objects.list(bucket, ListQuery(delimiter: "/"))
        #expect(page.entries.map(\.key) == ["after", "zoo"])
        #expect(page.commonPrefixes == ["dir/"])
        let first = try await fixture.objects.list(bucket, ListQuery(delimiter: "/", limit: 2))
        #expect(first.isTruncated && first.lastKey == "dir/")
        #expect(try await fixture.objects.list(bucket, ListQuery(limit: 0)).isTruncated == false)
    }

    @Test(arguments: [1, 2, 100])
    func `Versions are listed newest first, also across pages and deletions`(_ limit: Int) async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("versions", .enabled)
        var expected: [String] = []
        for key in ["a", "b"] {
            var ids: [String] = []
            for round in 0..<3 { ids.append(try await fixture.put(bucket, key, "\(round)").versionID) }
            expected += ids.reversed()
        }
        var ids: [String] = []
        var marker = (key: "", version: String?.none)
        while true {
            let page = try await fixture.objects.listVersions(
                bucket, ListQuery(after: marker.key, limit: limit), afterVersion: marker.version)
            ids += page.entries.map(\.versionID)
            // What was listed may be gone when the next page is asked for.
            for entry in page.entries {
                try await fixture.objects.delete(bucket: bucket, key: entry.key, versionID: entry.versionID)
            }
            guard page.isTruncated, let last = page.lastKey else { break }
            marker = (last, page.lastVersionID)
        }
        #expect(ids == expected)
        #expect(try await fixture.count("object_versions") == 0)
    }

    @Test func `Uploads are listed by key and age`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        var ids: [String] = []
        for key in ["a", "a", "b/1", "b/2"] {
            ids.append(try await fixture.objects.createUpload(bucket: bucket, key: key).id)
        }
        let all = try await fixture.objects.listUploads(bucket)
        #expect(all.uploads.map(\.id) == ids)
        let first = try await fixture.objects.listUploads(bucket, ListQuery(limit: 1))
        #expect(first.isTruncated && first.lastUploadID == ids[0])
        let second = try await fixture.objects.listUploads(
            bucket, ListQuery(delimiter: "/", after: "a"), afterUpload: ids[0])
        #expect(second.uploads.map(\.id) == [ids[1]])
        #expect(second.commonPrefixes == ["b/"])
    }
}
