import AWSProtocol
import AccessControl
import ArtifactStore
import Cryptography
import HTTPTypes
import KeyHierarchy
import Logging
import Synchronization

/// `/-/v1/put…`: a new version of which only what the caller cannot know to be there already is sent.
///
/// A put is begun, names its entries, sends the content it is asked for, and is finished. What it relies on is described
/// in the documentation of `ArtifactStore`, "Uploads".
enum PutRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "POST /-/v1/put": begin, "DELETE /-/v1/put": giveUp, "POST /-/v1/put/entries": entries,
        "GET /-/v1/put/pieces": pieces, "PUT /-/v1/put/content": content, "POST /-/v1/put/finish": finish,
    ]

    /// Versions whose content need not be sent, unless the caller names others.
    private static let basisVersions = 3
    /// Small files that are stored side by side.
    private static let batchBytes = 4 << 20

    @Sendable static func begin(_ request: NativeRequest) async throws -> ServiceResponse {
        let name = try UploadName(try request.require("name"))
        try request.authorise("PutArtifact", name.text)
        let token = request.value("token").map {
            "\($0)/\(request.value("form") ?? "")/\(request.value("key") ?? "")/\(request.value("sensitive") ?? "")"
        }
        let puts = request.services.puts
        let owner = request.principal.arn + " " + request.scope.region
        let once = request.value("request").map { PutSession.digest([owner, $0]) }
        if let session = try puts.resume(
            id: request.value("id"), token: token, request: once, name: name.text, owner: owner)
        {
            try await session.upload.restart()
            return try .json(answer(session, isResumed: true))
        }
        let basis = try await basis(request, name)
        let upload = try await request.services.store.beginUpload(
            request.value("form") == "tree" ? .tree : .blob, scope: request.scope, keyID: request.value("key"),
            repository: name.repository, artifact: name.artifact, isSensitive: request.isSet("sensitive"),
            basis: basis.map(\.id), name: token.map { PutSession.digest([owner, name.text, $0]) })
        do {
            try await request.requireWriting(upload.key, name)
        } catch {
            upload.abandon()
            throw error
        }
        let session = PutSession(
            id: PutSession.newID(), owner: owner, token: token, request: once, name: name.text, upload: upload,
            basis: basis.map { "\($0.draft.repository)/\($0.draft.artifact)@\($0.number)" })
        try puts.add(session)
        return try .json(answer(session, isResumed: false), status: 201)
    }

    private static func answer(_ session: PutSession, isResumed: Bool) -> PutAnswer {
        PutAnswer(
            id: session.id, seed: Hex.encode(session.upload.seed), isResumed: isResumed, basis: session.basis)
    }

    /// What the caller may read anyway: the versions it names, then the newest of the same artifact.
    private static func basis(_ request: NativeRequest, _ name: UploadName) async throws -> [Version] {
        var found: [Version] = []
        for item in request.request.queryItems where item.name == "basis" {
            try request.authorise("GetArtifact", item.value)
            let version = try await request.references.version(try ReferenceText(item.value))
            try await request.requireKey(version.readPermission)
            found.append(version)
        }
        let newest = try await request.services.store.versions(
            VersionFilter(scope: request.scope, repository: name.repository, artifact: name.artifact),
            limit: basisVersions)
        for version in newest.versions {
            do {
                try request.authorise("GetArtifact", "\(name.text)@\(version.number)")
                try await request.requireKey(version.readPermission)
                found.append(version)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                continue  // Who may write but not read is asked for everything.
            }
        }
        return found
    }

    /// Runs `body` with the put that the request names.
    private static func with<T>(
        _ request: NativeRequest, _ body: (PutSession) async throws -> T
    ) async throws -> T {
        let owner = request.principal.arn + " " + request.scope.region
        return try await request.services.puts.with(try request.require("id"), of: owner) { session in
            // Asked each time: what a caller may do can end while it sends.
            try request.authorise("PutArtifact", session.name)
            do {
                return try await body(session)
            } catch let error as PutFormatError {
                throw NativeError(400, "InvalidBody", error.description)
            } catch let error as StoreError where error.code == .full {
                // Its sender cannot go on; what it wrote is given back at once.
                request.services.puts.remove(session.id)
                throw error
            }
        }
    }

    @Sendable static func giveUp(_ request: NativeRequest) async throws -> ServiceResponse {
        let session = try await with(request) { $0 }
        request.services.puts.remove(session.id)
        try await session.upload.forget()
        return try .json(Done("the put was given up"))
    }

    @Sendable static func entries(_ request: NativeRequest) async throws -> ServiceResponse {
        try await with(request) { session in
            let bytes = try await request.request.body.collect(upTo: PutMessages.entriesBytesMaximum)
            return try .json(PutNeeds(try await session.upload.offer(try PutMessages.entries(bytes))))
        }
    }

    @Sendable static func pieces(_ request: NativeRequest) async throws -> ServiceResponse {
        guard let index = Int(try request.require("file")), index >= 0 else {
            throw NativeError(400, "InvalidParameter", "`file` must be the number of an entry")
        }
        return try await with(request) { session in
            let bytes = PutMessages.encode(try await session.upload.pieces(of: index))
            return ServiceResponse(
                status: 200, headers: [.contentType: "application/octet-stream", .cacheControl: "no-store"],
                body: .bytes(bytes))
        }
    }

    @Sendable static func content(_ request: NativeRequest) async throws -> ServiceResponse {
        try await with(request) { session in
            let upload = session.upload
            var reader = PutOperationReader(request.request.body.makeAsyncIterator())
            var batch: [Upload.SmallFile] = []
            var batchBytes = 0
            do {
                while let operation = try await reader.next() {
                    if case .small(let index, let bytes) = operation {
                        batch.append(Upload.SmallFile(index: index, bytes: bytes))
                        batchBytes += bytes.count
                        guard batchBytes >= Self.batchBytes || batch.count >= 256 else { continue }
                    }
                    try await upload.receive(batch)
                    (batch, batchBytes) = ([], 0)
                    switch operation {
                    case .small: break
                    case .open(let index, let offset): try await upload.open(index, at: offset)
                    case .data(let bytes): try await upload.write(bytes)
                    case .copy(let offset, let count): try await upload.copy(offset..<offset + count)
                    case .close: try await upload.close()
                    }
                }
            } catch  where !(error is StoreError) && !(error is PutFormatError) {
                // The connection was cut: what arrived whole is kept.
                try await upload.receive(batch)
                throw error
            }
            try await upload.receive(batch)
            return try .json(PutNeeds(try await upload.needs()))
        }
    }

    @Sendable static func finish(_ request: NativeRequest) async throws -> ServiceResponse {
        let item = try await with(request) { session in
            // A sender that waited too long asks again while the first request is at work: one version, not two.
            guard session.beginFinishing() else {
                throw NativeError(409, "PutBusy", "the put is being published; ask again for the answer")
            }
            defer { session.endFinishing() }
            if let item = session.result.withLock({ $0 }) { return item }
            let name = try UploadName(session.name)
            let draft = VersionDraft(
                scope: request.scope, repository: name.repository, artifact: name.artifact,
                createdBy: request.principal.arn,
                tags: request.request.queryItems.filter { $0.name == "tag" }.map(\.value))
            let (store, staged) = (request.services.store, try await session.upload.finish())
            let version =
                if let once = session.request {
                    try await store.publish(staged, draft, once: once)
                } else {
                    try await store.publish(staged, draft)
                }
            let item = try await request.item(version)
            session.result.withLock { $0 = item }
            // Published: its content is held by the version now.
            session.upload.abandon()
            do {
                try await session.upload.forget()
            } catch {
                request.services.logger.warning("an upload's checkpoint stays", metadata: ["error": "\(error)"])
            }
            return item
        }
        return try .json(item, status: 201)
    }
}

/// `REPOSITORY/ARTIFACT`, where something is to be put.
struct UploadName {
    let repository: String
    let artifact: String

    init(_ name: String) throws {
        guard let slash = name.firstIndex(of: "/"), slash != name.startIndex, name.index(after: slash) != name.endIndex
        else { throw NativeError(400, "InvalidName", "`name` must be REPOSITORY/ARTIFACT, not \(name)") }
        repository = String(name[..<slash])
        artifact = String(name[name.index(after: slash)...])
    }

    var text: String { "\(repository)/\(artifact)" }
}
