import Foundation

@testable import ArtifactStore

extension StoreModel {
    private func stored(_ order: Int) async throws -> Version? {
        let filter = VersionFilter(scope: fixture.scope, execution: "execution-\(order)", includesDeleted: true)
        return try await fixture.store.versions(filter).versions.first
    }

    /// Looks up what came of an operation that did not end in good order.
    func settle(_ doubt: Doubt) async throws {
        switch doubt {
        case .publish(let order, let artifact, let bytes):
            guard let version = try await stored(order) else { return note("\(order) was not published") }
            note("\(order) was published")
            versions[order] = Known(id: version.id, artifact: artifact, bytes: bytes)
        case .deletion(let order):
            guard let known = versions[order] else { return }
            guard let version = try await stored(order) else {
                // It may have been collected before its deletion was reported.
                guard let deletedAt = known.deletedAt ?? known.deletionBegan,
                    clock.now >= deletedAt + Self.undeleteSeconds
                else {
                    throw ModelFailure("\(order) vanished")
                }
                return versions[order] = nil
            }
            versions[order]?.deletedAt = version.deletedAt
            if version.deletedAt != nil { tags = tags.filter { $0.value != order } }
        case .pin(let order):
            guard let id = versions[order]?.id else { return }
            versions[order]?.isPinned = try await !fixture.store.pins(of: id).isEmpty
        case .tag(let tag):
            let holder = try await holder(tag)
            tags[tag] = versions.first { $0.value.id == holder }?.key
        }
    }

    private func holder(_ tag: String) async throws -> VersionID? {
        do {
            return try await fixture.store.resolve(
                VersionReference(repository: "web", artifact: "blob", which: tag), in: fixture.scope
            ).id
        } catch let error as StoreError where error.code == .notFound {
            return nil
        }
    }

    /// Compares the store with the model: versions, deletions, pins, tags, and every byte. Nothing else is under way.
    func check() async throws {
        try await checkList()
        for (tag, order) in tags.sorted(by: { $0.key < $1.key }) {
            guard try await holder(tag) == versions[order]?.id else { throw ModelFailure("the tag \(tag) has moved") }
        }
        for (order, version) in versions.sorted(by: { $0.key < $1.key }) where version.deletedAt == nil {
            guard try await fixture.store.pins(of: version.id).isEmpty != version.isPinned else {
                throw ModelFailure("\(order) is pinned otherwise")
            }
            guard try await open(version).collect(upTo: 1 << 20) == version.bytes else {
                throw ModelFailure("\(order) reads back as something else")
            }
            guard version.artifact == "tree" else { continue }
            try await checkZip(order, version)
        }
        try await checkDeleted()
    }

    /// Compares a directory's ZIP with what it was when it was read first: one encoder is at work, so that not even a chunk
    /// that was stored anew may change it.
    private func checkZip(_ order: Int, _ version: Known) async throws {
        let zip = try await fixture.store.zip(version.id)
        let bytes = try await zip.stream().collect(upTo: 1 << 20)
        let encodings = try await encodings(of: version.id)
        if let known = version.zip, known.bytes != bytes || known.etag != zip.etag {
            let place = Swift.zip(known.bytes, bytes).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            let changes = encodings.filter { $0.value != known.encodings[$0.key] }.map { path, encoding in
                "\(path) was \(known.encodings[path] ?? "missing") and is \(encoding)"
            }
            throw ModelFailure(
                """
                the ZIP of \(order) changed from \(known.bytes.count) bytes and \(known.etag) to \(bytes.count) and \
                \(zip.etag), at \(place.map(String.init) ?? "no byte"): \(changes.sorted().joined(separator: ", "))
                """)
        }
        versions[order]?.zip = Known.Zip(bytes: bytes, etag: zip.etag, encodings: encodings)
    }

    /// How the chunks of a directory's files are encoded, by path.
    private func encodings(of id: VersionID) async throws -> [String: String] {
        let version = try await fixture.store.open(id)
        guard case .tree(let root) = version.root.content else { return [:] }
        let context = version.context
        return try await fixture.store.pool.run {
            var result: [String: String] = [:]
            func walk(_ directory: DirectoryContent, _ path: String) throws {
                for entry in try context.entries(directory) {
                    let path = path + "/" + String(decoding: entry.name, as: UTF8.self)
                    switch entry.content {
                    case .directory(let child): try walk(child, path)
                    case .symlink: break
                    case .file(let content):
                        var walk = SegmentWalk(context, content)
                        while let (segment, _) = try walk.next() {
                            guard let ref = segment.ref else { continue }
                            let place = try context.reader.location(ref, session: nil)
                            result[path, default: ""] +=
                                "[\(place.codec) \(place.encodedBytes) of \(place.plainBytes), check \(place.check)]"
                        }
                    }
                }
            }
            try walk(root, "")
            return result
        }
    }

    /// What was deleted can be brought back whole until its window ends.
    private func checkDeleted() async throws {
        for (order, version) in versions.sorted(by: { $0.key < $1.key }) {
            guard let deletedAt = version.deletedAt, clock.now < deletedAt + Self.undeleteSeconds else { continue }
            try await fixture.store.undelete(version.id)
            guard try await open(version).collect(upTo: 1 << 20) == version.bytes else {
                throw ModelFailure("\(order) came back as something else")
            }
            try await fixture.store.delete([version.id])
            versions[order]?.deletedAt = try await fixture.store.version(version.id).deletedAt
        }
    }

    private func checkList() async throws {
        let filter = VersionFilter(scope: fixture.scope, includesDeleted: true)
        let rows = try await fixture.store.versions(filter, limit: 1000).versions
        var found: [VersionID: Version] = [:]
        for row in rows { found[row.id] = row }
        for (order, version) in versions.sorted(by: { $0.key < $1.key }) {
            if let row = found.removeValue(forKey: version.id) {
                guard row.deletedAt == version.deletedAt else { throw ModelFailure("\(order) is deleted otherwise") }
            } else {
                guard let deletedAt = version.deletedAt, clock.now >= deletedAt + Self.undeleteSeconds else {
                    throw ModelFailure("\(order) is gone")
                }
                versions[order] = nil
            }
        }
        guard found.isEmpty else { throw ModelFailure("there are versions that nobody published: \(found.keys)") }
    }
}
