import Testing

@testable import ObjectStorage

/// The namespace as a dictionary: what S3 says it should be, written as plainly as possible.
private struct Model {
    struct Version: Equatable {
        var id: String
        /// `nil` for a delete marker.
        var text: String?
    }

    var state = VersioningState.off
    /// Newest first.
    var versions: [String: [Version]] = [:]

    mutating func add(_ key: String, _ id: String, _ text: String?) {
        var list = versions[key] ?? []
        if id == "null" { list.removeAll { $0.id == "null" } }
        list.insert(Version(id: id, text: text), at: 0)
        versions[key] = list
    }

    mutating func remove(_ key: String, _ id: String) {
        versions[key]?.removeAll { $0.id == id }
        if versions[key]?.isEmpty ?? false { versions[key] = nil }
    }

    var keys: [String] { versions.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    func current(prefix: String) -> [String] {
        keys.filter { $0.hasPrefix(prefix) && versions[$0]?.first?.text != nil }
    }
}

@Suite struct ModelTests {
    private static let keys = ["a", "a/b", "a/c", "b", "ä", "z/1/2", "z/1/3"]

    @Test(arguments: 0..<4) func `Random histories agree with the model`(_ run: Int) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let fixture = try await Fixture()
        let bucket = try await fixture.bucket()
        var model = Model()
        for step in 0..<120 {
            let key = Self.keys.randomElement(using: &random) ?? "a"
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                let object = try await fixture.put(bucket, key, "text \(step)")
                model.add(key, object.versionID, "text \(step)")
            case 4:
                let deletion = try await fixture.objects.delete(bucket: bucket, key: key)
                if model.state == .off {
                    model.remove(key, "null")
                } else {
                    model.add(key, deletion.versionID ?? "none", nil)
                }
            case 5:
                guard let id = model.versions[key]?.randomElement(using: &random)?.id else { continue }
                try await fixture.objects.delete(bucket: bucket, key: key, versionID: id)
                model.remove(key, id)
            case 6:
                let other = Self.keys.randomElement(using: &random) ?? "b"
                guard let text = model.versions[key]?.first?.text, key != other else { continue }
                let source = try await fixture.objects.head(bucket: bucket, key: key)
                let copy = try await fixture.objects.copy(source, to: bucket, key: other)
                model.add(other, copy.versionID, text)
            case 7:
                let state = [VersioningState.enabled, .enabled, .suspended].randomElement(using: &random) ?? .enabled
                try await fixture.objects.setVersioning(state, of: bucket)
                model.state = state
            case 8:
                let object = try await upload(fixture, bucket, key, "text \(step)")
                model.add(key, object.versionID, "text \(step)")
            default:
                break
            }
            try await compare(fixture, bucket, model, &random)
        }
        try await readEverything(fixture, bucket, model)
    }

    private func upload(_ fixture: Fixture, _ bucket: String, _ key: String, _ text: String) async throws
        -> StoredObject
    {
        let id = try await fixture.objects.createUpload(bucket: bucket, key: key).id
        var parts: [CompletedPart] = []
        for (number, piece) in [String(text.prefix(5)), String(text.dropFirst(5))].enumerated() {
            let writer = try await fixture.objects.beginPart(number + 1, of: id, bucket: bucket, key: key)
            try await writer.write(Array(piece.utf8))
            parts.append(CompletedPart(number: number + 1, etag: try await writer.finish().etag))
        }
        return try await fixture.objects.completeUpload(id, bucket: bucket, key: key, parts: parts)
    }

    private func compare(_ fixture: Fixture, _ bucket: String, _ model: Model, _ random: inout SeededGenerator)
        async throws
    {
        let prefix = ["", "a", "a/", "z/1", "ä", "q"].randomElement(using: &random) ?? ""
        let listed = try await fixture.objects.list(bucket, ListQuery(prefix: prefix)).entries.map(\.key)
        #expect(listed == model.current(prefix: prefix))
        let versions = try await fixture.objects.listVersions(bucket).entries
        let expected = model.keys.flatMap { key in (model.versions[key] ?? []).map { (key, $0) } }
        #expect(versions.map(\.key) == expected.map(\.0))
        #expect(versions.map(\.versionID) == expected.map(\.1.id))
        #expect(versions.map(\.isDeleteMarker) == expected.map { $0.1.text == nil })
        let latest = model.keys.flatMap { key in (model.versions[key] ?? []).indices.map { $0 == 0 } }
        #expect(versions.map(\.isLatest) == latest)
    }

    private func readEverything(_ fixture: Fixture, _ bucket: String, _ model: Model) async throws {
        for (key, versions) in model.versions {
            for version in versions {
                guard let text = version.text else { continue }
                #expect(try await fixture.text(bucket, key, version.id) == text)
            }
        }
    }
}
