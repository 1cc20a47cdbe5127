import Testing

@testable import ObjectStorage

@Suite struct VersioningTests {
    @Test func `Without versioning a write replaces and a deletion removes`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let first = try await fixture.put(bucket, "k", "one")
        #expect(first.versionID == "null" && first.shownVersionID == nil)
        try await fixture.put(bucket, "k", "two")
        #expect(try await fixture.text(bucket, "k") == "two")
        #expect(try await fixture.count("object_versions") == 1)
        let deletion = try await fixture.objects.delete(bucket: bucket, key: "k")
        #expect(!deletion.isDeleteMarker && deletion.versionID == nil)
        #expect(try await refusal { _ = try await fixture.objects.head(bucket: bucket, key: "k") } == "NoSuchKey")
        try await fixture.objects.delete(bucket: bucket, key: "k")
    }

    @Test func `With versioning every write stays until it is deleted by id`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("kept", .enabled)
        let one = try await fixture.put(bucket, "k", "one").versionID
        let two = try await fixture.put(bucket, "k", "two").versionID
        let marker = try await fixture.objects.delete(bucket: bucket, key: "k")
        #expect(marker.isDeleteMarker)
        #expect(try await refusal { _ = try await fixture.text(bucket, "k") } == "NoSuchKey")
        #expect(try await fixture.text(bucket, "k", one) == "one")
        #expect(
            try await refusal {
                _ = try await fixture.objects.head(bucket: bucket, key: "k", versionID: marker.versionID)
            } == "MethodNotAllowed")
        try await fixture.objects.delete(bucket: bucket, key: "k", versionID: marker.versionID)
        #expect(try await fixture.text(bucket, "k") == "two")
        try await fixture.objects.delete(bucket: bucket, key: "k", versionID: two)
        #expect(try await fixture.text(bucket, "k") == "one")
        #expect(try await refusal { _ = try await fixture.text(bucket, "k", two) } == "NoSuchVersion")
        #expect(try await refusal { _ = try await fixture.text(bucket, "k", "nonsense") } == "InvalidArgument")
    }

    @Test func `Suspended versioning replaces only the null version`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        try await fixture.put(bucket, "k", "before")
        try await fixture.objects.setVersioning(.enabled, of: bucket)
        let kept = try await fixture.put(bucket, "k", "kept").versionID
        try await fixture.objects.setVersioning(.suspended, of: bucket)
        let null = try await fixture.put(bucket, "k", "null again")
        #expect(null.versionID == "null" && null.shownVersionID == "null")
        #expect(try await fixture.objects.listVersions(bucket).entries.map(\.versionID) == ["null", kept])
        let deletion = try await fixture.objects.delete(bucket: bucket, key: "k")
        #expect(deletion.isDeleteMarker && deletion.versionID == "null")
        #expect(try await fixture.objects.listVersions(bucket).entries.map(\.isDeleteMarker) == [true, false])
        #expect(try await fixture.text(bucket, "k", kept) == "kept")
        #expect(try await refusal { try await fixture.objects.setVersioning(.off, of: bucket) } != nil)
    }

    @Test(
        arguments: [
            ("", "*", "", nil), ("old", "*", "", "PreconditionFailed"), ("old", "", "match", nil),
            ("old", "", "other", "PreconditionFailed"), ("", "", "match", "NoSuchKey"), ("deleted", "*", "", nil),
            ("deleted", "", "*", "NoSuchKey"), ("old", "", "*", nil),
        ] as [(String, String, String, String?)])
    func `Conditional writes look at the current version`(
        _ before: String, _ noneMatch: String, _ match: String, _ expected: String?
    ) async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("conditional", .enabled)
        var tag = "0123"
        if !before.isEmpty { tag = try await fixture.put(bucket, "k", before).etag }
        if before == "deleted" { try await fixture.objects.delete(bucket: bucket, key: "k") }
        var conditions = WriteConditions()
        if !noneMatch.isEmpty { conditions.ifNoneMatch = noneMatch }
        if !match.isEmpty { conditions.ifMatch = match == "match" ? "\"\(tag)\"" : match }
        let code = try await refusal { [conditions] in
            try await fixture.put(bucket, "k", "new", conditions: conditions)
        }
        #expect(code == expected)
        if expected != nil, before == "old" { #expect(try await fixture.text(bucket, "k") == "old") }
    }

    @Test func `Of two writes that race for a new key one wins`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let conditions = WriteConditions(ifNoneMatch: "*")
        var writers: [ObjectWriter] = []
        for _ in 0..<4 {
            writers.append(try await fixture.objects.beginPut(bucket: bucket, key: "k", conditions: conditions))
        }
        for (index, writer) in writers.enumerated() { try await writer.write([UInt8(index)]) }
        var won = 0
        for writer in writers {
            let code = try await refusal { _ = try await writer.finish() }
            #expect(code == nil || code == "PreconditionFailed")
            if code == nil { won += 1 }
        }
        #expect(won == 1)
        #expect(try await fixture.objects.list(bucket).entries.count == 1)
    }

    @Test func `Bytes that are not what was promised leave nothing`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let expectations = [
            ContentExpectation(md5: Array(repeating: 0, count: 16)),
            ContentExpectation(checksums: [.crc32: "AAAAAA=="]),
            ContentExpectation(byteCount: 4),
        ]
        for (expectation, code) in zip(expectations, ["BadDigest", "BadDigest", "IncompleteBody"]) {
            let writer = try await fixture.objects.beginPut(bucket: bucket, key: "k", checksums: [.crc32])
            try await writer.write([1, 2, 3])
            #expect(try await refusal { _ = try await writer.finish(expecting: expectation) } == code)
        }
        #expect(try await fixture.objects.list(bucket).entries.isEmpty)
    }

    @Test func `Batches report each refusal in its place`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket("batch", .enabled)
        let kept = try await fixture.put(bucket, "a")
        try await fixture.put(bucket, "b")
        let results = try await fixture.objects.delete(
            bucket: bucket,
            [
                ObjectIdentifier(key: "a", ifMatch: "other"), ObjectIdentifier(key: "b"),
                ObjectIdentifier(key: "absent"), ObjectIdentifier(key: "a", versionID: "nonsense"),
            ])
        #expect(results.map { $0.error?.code } == ["PreconditionFailed", nil, nil, "NoSuchVersion"])
        #expect(results[1].isDeleteMarker && results[2].isDeleteMarker)
        #expect(try await fixture.objects.list(bucket).entries.map(\.key) == [kept.key])
    }

    @Test func `What no object refers to is released from the store`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        try await fixture.put(bucket, "a", "one")
        let source = try await fixture.objects.head(bucket: bucket, key: "a")
        _ = try await fixture.objects.copy(source, to: bucket, key: "b")
        try await fixture.put(bucket, "a", "two")
        #expect(try await fixture.text(bucket, "b") == "one")
        try await fixture.objects.delete(bucket: bucket, key: "b")
        guard let content = source.content else {
            Issue.record("an object without content")
            return
        }
        #expect(try await fixture.isReleased(content))
    }

    @Test func `Tags replace one another`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        try await fixture.put(bucket, "k")
        let tags = [ObjectTag(key: "a", value: "1"), ObjectTag(key: "b", value: "")]
        try await fixture.objects.setTags(tags, bucket: bucket, key: "k")
        #expect(try await fixture.objects.head(bucket: bucket, key: "k").tags == tags)
        try await fixture.objects.setTags([], bucket: bucket, key: "k")
        #expect(try await fixture.objects.head(bucket: bucket, key: "k").tags.isEmpty)
    }
}
