import Cryptography
import Testing

@testable import ObjectStorage

@Suite struct MultipartTests {
    /// Uploads parts and returns what a completion names.
    private func upload(
        _ fixture: Fixture, _ bucket: String, _ id: String, _ parts: [(Int, String)],
        checksums: Set<ChecksumAlgorithm> = []
    ) async throws -> [CompletedPart] {
        var completed: [CompletedPart] = []
        for (number, text) in parts {
            let writer = try await fixture.objects.beginPart(
                number, of: id, bucket: bucket, key: "k", checksums: checksums)
            try await writer.write(Array(text.utf8))
            completed.append(CompletedPart(number: number, etag: try await writer.finish().etag))
        }
        return completed
    }

    @Test func `Parts become one object that reads as their concatenation`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let id = try await fixture.objects.createUpload(bucket: bucket, key: "k").id
        let named = try await upload(fixture, bucket, id, [(3, "world"), (1, "hello "), (7, "!")])
            .sorted { $0.number < $1.number }
        let object = try await fixture.objects.completeUpload(id, bucket: bucket, key: "k", parts: named)
        #expect(object.size == 12 && object.partCount == 3 && object.etag.hasSuffix("-3"))
        #expect(try await fixture.text(bucket, "k") == "hello world!")
        let text = Array("hello world!")
        for lower in 0..<12 {
            for upper in (lower + 1)...12 {
                let part = try await fixture.text(bucket, "k", range: Int64(lower)..<Int64(upper))
                #expect(part == String(text[lower..<upper]))
            }
        }
        #expect(try await fixture.objects.parts(of: object).map(\.number) == [1, 3, 7])
        let joined = try await fixture.objects.contentVersion(of: object)
        #expect(try await fixture.objects.contentVersion(of: fixture.objects.head(bucket: bucket, key: "k")) == joined)
        #expect(try await fixture.text(bucket, "k") == "hello world!")
        // Once more, as after an answer that was lost.
        let again = try await fixture.objects.completeUpload(id, bucket: bucket, key: "k", parts: named)
        #expect(again.etag == object.etag)
        #expect(try await fixture.count("object_parts") == 0)
        #expect(try await fixture.count("object_uploads") == 0)
    }

    @Test func `Whole-object checksums are computed from the parts`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let whole = Array("hello world!".utf8)
        for (algorithm, kind) in [
            (ChecksumAlgorithm.crc32, ObjectChecksum.Kind.fullObject), (.crc32c, .fullObject),
            (.crc64nvme, .fullObject),
            (.sha256, .composite), (.crc32, .composite), (.sha1, .composite),
        ] {
            let id = try await fixture.objects.createUpload(
                bucket: bucket, key: "k", checksum: algorithm, kind: kind
            ).id
            let named = try await upload(fixture, bucket, id, [(1, "hello "), (2, "world!")])
            let object = try await fixture.objects.completeUpload(id, bucket: bucket, key: "k", parts: named)
            var hasher = ContentHasher([algorithm])
            if kind == .fullObject {
                whole.withUnsafeBytes { hasher.update($0) }
                #expect(object.checksum?.value == hasher.finish().base64(algorithm))
            } else {
                for text in ["hello ", "world!"] {
                    var part = ContentHasher([algorithm])
                    Array(text.utf8).withUnsafeBytes { part.update($0) }
                    (part.finish().checksums[algorithm] ?? []).withUnsafeBytes { hasher.update($0) }
                }
                #expect(object.checksum?.value == hasher.finish().base64(algorithm).map { "\($0)-2" })
            }
            #expect(object.checksum?.kind == kind)
        }
    }

    @Test(
        arguments: [
            ([1, 2], ["", ""], nil), ([2, 1], ["", ""], "InvalidPartOrder"), ([1, 1], ["", ""], "InvalidPartOrder"),
            ([1, 4], ["", ""], "InvalidPart"), ([1, 2], ["", "bad"], "InvalidPart"),
            ([3, 4], ["", ""], "InvalidPart"),
            ([], [], "MalformedXML"), ([2, 3], ["", ""], "EntityTooSmall"),
        ] as [([Int], [String], String?)])
    func `Completions are checked`(_ numbers: [Int], _ tags: [String], _ expected: String?) async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let id = try await fixture.objects.createUpload(bucket: bucket, key: "k").id
        let stored = try await upload(fixture, bucket, id, [(1, "hello "), (2, "tiny"), (3, "x")])
        let named = zip(numbers, tags).map { number, tag in
            CompletedPart(
                number: number, etag: tag.isEmpty ? stored.first { $0.number == number }?.etag ?? "none" : tag)
        }
        let code = try await refusal {
            _ = try await fixture.objects.completeUpload(id, bucket: bucket, key: "k", parts: named)
        }
        #expect(code == expected)
        #expect(try await fixture.objects.list(bucket).entries.isEmpty == (expected != nil))
    }

    @Test func `A part sent again replaces the first`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let id = try await fixture.objects.createUpload(bucket: bucket, key: "k").id
        _ = try await upload(fixture, bucket, id, [(1, "wrong")])
        let named = try await upload(fixture, bucket, id, [(1, "right")])
        let (_, parts, isTruncated) = try await fixture.objects.listParts(of: id, bucket: bucket, key: "k")
        #expect(parts.map(\.size) == [5] && !isTruncated)
        _ = try await fixture.objects.completeUpload(id, bucket: bucket, key: "k", parts: named)
        #expect(try await fixture.text(bucket, "k") == "right")
        #expect(try await fixture.text(bucket, "k") == "right")
    }

    @Test func `An aborted upload takes no more parts`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let id = try await fixture.objects.createUpload(bucket: bucket, key: "k").id
        _ = try await upload(fixture, bucket, id, [(1, "hello")])
        let late = try await fixture.objects.beginPart(2, of: id, bucket: bucket, key: "k")
        try await late.write([1])
        try await fixture.objects.abortUpload(id, bucket: bucket, key: "k")
        #expect(try await refusal { _ = try await late.finish() } == "NoSuchUpload")
        #expect(
            try await refusal { try await fixture.objects.abortUpload(id, bucket: bucket, key: "k") } == "NoSuchUpload")
        #expect(try await fixture.count("object_parts") == 0)
    }

    @Test func `Parts and objects may be copied from ranges and parts`() async throws {
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        let source = try await fixture.put(bucket, "source", "0123456789")
        let id = try await fixture.objects.createUpload(bucket: bucket, key: "k").id
        let one = try await fixture.objects.copyPart(1, of: id, bucket: bucket, key: "k", from: source, range: 2..<8)
        let two = try await fixture.objects.copyPart(2, of: id, bucket: bucket, key: "k", from: source)
        let named = [one, two].map { CompletedPart(number: $0.number, etag: $0.etag) }
        let object = try await fixture.objects.completeUpload(id, bucket: bucket, key: "k", parts: named)
        #expect(try await fixture.text(bucket, "k") == "2345670123456789")
        let copy = try await fixture.objects.copy(object, to: bucket, key: "copy")
        #expect(copy.etag == object.etag && copy.partCount == 2)
        try await fixture.objects.delete(bucket: bucket, key: "k")
        #expect(try await fixture.text(bucket, "copy") == "2345670123456789")
        var changes = CopyChanges()
        changes.checksum = .sha256
        let rewritten = try await fixture.objects.copy(copy, to: bucket, key: "new", changes: changes)
        #expect(rewritten.checksum?.algorithm == .sha256 && rewritten.partCount == 0)
        #expect(try await fixture.text(bucket, "new") == "2345670123456789")
        #expect(
            try await refusal { _ = try await fixture.objects.copy(copy, to: bucket, key: "copy") } == "InvalidRequest")
    }
}
