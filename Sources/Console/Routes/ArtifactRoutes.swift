import AWSProtocol
import ArtifactStore
import Cryptography
import HTTPTypes
import ObjectStorage

/// `/-/v1/artifacts` and `/-/v1/artifact…`: looking at versions and into them.
enum ArtifactRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/artifacts": list, "GET /-/v1/artifact": show, "GET /-/v1/artifact/entries": entries,
        "GET /-/v1/artifact/content": content, "GET /-/v1/artifact/zip": zip, "PUT /-/v1/artifact/tag": tag,
        "DELETE /-/v1/artifact/tag": untag,
    ]

    @Sendable static func list(_ request: NativeRequest) async throws -> ServiceResponse {
        let names = request.value("name")?.split(separator: "/", maxSplits: 1).map(String.init) ?? []
        try request.authorise("ListArtifacts", request.value("name") ?? "*")
        var filter = VersionFilter(
            scope: request.scope, repository: names.first, artifact: names.count > 1 ? names[1] : nil)
        filter.includesDeleted = request.isSet("deleted")
        // Objects of buckets are versions too, by the thousand; people ask for artifacts.
        if names.isEmpty { filter.exceptRepository = ObjectStorage.repository }
        var left = try request.number("limit", default: 50, max: 10_000)
        var items: [VersionItem] = []
        var after: String?
        repeat {
            let page = try await request.services.store.versions(
                filter, after: after, limit: filter.includesDeleted ? 1000 : min(left, 1000))
            let shown = filter.includesDeleted ? page.versions.filter { $0.deletedAt != nil } : page.versions
            for version in shown { items.append(try await request.item(version)) }
            left -= shown.count
            after = page.next
        } while after != nil && left > 0
        return try .json(items)
    }

    @Sendable static func show(_ request: NativeRequest) async throws -> ServiceResponse {
        return try .json(try await request.item(try await request.target(reads: false)))
    }

    @Sendable static func entries(_ request: NativeRequest) async throws -> ServiceResponse {
        let target = try await request.target()
        let isDeep = request.isSet("recursive")
        let found = try await request.services.store.entries(
            of: target.version.id, under: target.text.place, recursive: isDeep, through: target.share)
        return try .json(found.map(EntryItem.init))
    }

    /// One file: `ref` names its path or, where that is no text, `rawpath` gives its bytes in Base64; without either, the
    /// bytes of a version that is one run of bytes.
    @Sendable static func content(_ request: NativeRequest) async throws -> ServiceResponse {
        let target = try await request.target()
        let (version, store) = (target.version, request.services.store)
        if let encoded = request.value("rawpath") {
            guard let path = Base64.decode(encoded) else {
                throw NativeError(400, "InvalidParameter", "`rawpath` is not Base64")
            }
            let (entry, stream) = try await store.readFile(version.id, rawPath: path, through: target.share)
            return bytesResponse(length: entry.size, stream)
        }
        guard let path = target.text.place else {
            guard version.rootKind == .blob else {
                throw NativeError(
                    400, "IsDirectory", "\(try request.require("ref")) is a directory; name a file in it after a colon")
            }
            let stream = try await store.read(version.id, through: target.share)
            return bytesResponse(length: stream.byteCount, stream)
        }
        let (entry, stream) = try await store.readFile(version.id, path: path, through: target.share)
        return bytesResponse(length: entry.size, stream)
    }

    @Sendable static func zip(_ request: NativeRequest) async throws -> ServiceResponse {
        let target = try await request.target()
        let presentation = try await request.services.store.zip(target.version.id, through: target.share)
        var response = bytesResponse(length: presentation.byteCount, try presentation.stream())
        // Whoever unpacks it can rely on the names in a ZIP that was made here, not on those in one that somebody uploaded.
        response.setHeader("x-coffer-kind", target.version.rootKind.rawValue)
        return response
    }

    @Sendable static func tag(_ request: NativeRequest) async throws -> ServiceResponse {
        let (tag, version) = try await tagged(request)
        try await request.services.store.setTag(tag, on: version.id)
        return try .json(
            Done("\(tag) is \(version.draft.repository)/\(version.draft.artifact) version \(version.number)"))
    }

    @Sendable static func untag(_ request: NativeRequest) async throws -> ServiceResponse {
        let (tag, version) = try await tagged(request)
        guard try await request.services.store.removeTag(tag, from: version.id) else {
            throw NativeError(404, "NoSuchTag", "the version has no tag \(tag)")
        }
        return try .json(Done("\(tag) names no version any more"))
    }

    private static func tagged(_ request: NativeRequest) async throws -> (String, Version) {
        let tag = try request.require("tag")
        try request.authorise("TagArtifact", try request.require("ref"))
        return (tag, try await request.reference().version)
    }

    static func bytesResponse(
        length: Int64?, _ bytes: any AsyncSequence<[UInt8], any Error> & Sendable
    ) -> ServiceResponse {
        ServiceResponse(
            status: 200, headers: [.contentType: "application/octet-stream", .cacheControl: "no-store"],
            body: .stream(length: length, bytes))
    }
}
