import ArtifactStore
import Foundation
import KeyHierarchy
import ObjectStorage
public import PipelineEngine
public import PipelineModel

/// S3 deploy actions: an artifact as one object, or each of its files as an object.
///
/// A deployment that is run again after a crash writes the same keys and passes over what it had finished.
public struct S3Deploy: ActionRunner {
    let objects: ObjectStorage

    /// Files on their way at the same time.
    private static let parallelFiles = 8

    /// The canned ACLs that S3 knows (Amazon S3 user guide, "Canned ACL").
    private static let cannedACLs: Set<String> = [
        "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read",
        "bucket-owner-full-control", "log-delivery-write",
    ]

    /// Deploy actions of the provider S3.
    public var types: [ActionTypeID] {
        [ActionTypeID(category: .deploy, provider: "S3")]
    }

    /// Writes the objects.
    public func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        let bucket = try job.required("BucketName")
        guard let input = job.inputs.first else {
            throw ActionFailure(.configuration, "The deploy action \(job.action) has no input artifact")
        }
        if let acl = job.value("CannedACL"), !Self.cannedACLs.contains(acl) {
            throw ActionFailure(
                .configuration,
                "CannedACL \(acl) is unknown. Use one of \(Self.cannedACLs.sorted().joined(separator: ", "))")
        }
        let extract = try job.flag("Extract", default: true)
        let key = job.value("ObjectKey").map { Self.substituted($0, job) }
        if !extract, key == nil {
            throw ActionFailure(.configuration, "The action \(job.action) needs ObjectKey, because Extract is false")
        }
        do {
            guard try await objects.headBucket(bucket).scope.account == job.scope.account else {
                throw ActionFailure(.permission, "The bucket \(bucket) belongs to another account")
            }
            let summary: String
            if !extract, let key {
                try await deployWhole(input, bucket, key, job)
                summary = "Deployed \(input.name) to s3://\(bucket)/\(key)"
            } else {
                let count = try await deployFiles(input, bucket, key ?? "", job, context)
                summary = "Deployed \(count) files to s3://\(bucket)/\(key ?? "")"
            }
            // What runs in the stage from now on; the mark leaves the version that ran before.
            try await objects.store.pin(
                input.version, name: job.stage, kind: .deployment, owner: job.pipelineName, reason: summary)
            return ActionOutcome(summary: summary)
        } catch let error as ObjectStorageError {
            switch error.code {
            case "NoSuchBucket": throw ActionFailure(.configuration, "The bucket \(bucket) does not exist")
            case "KeyTooLongError", "InvalidArgument": throw ActionFailure(.configuration, error.message)
            default: throw error
            }
        }
    }

    /// `{datetime}` is when the action started and `{uuid}` its execution's id, so that they stay what they are when
    /// the job is run again.
    static func substituted(_ key: String, _ job: ActionJob) -> String {
        let time = CivilTime(secondsSince1970: Int64(job.startedAt.timeIntervalSince1970))
        return key.replacing(
            "{datetime}", with: time.text(dateSeparator: "-", between: "_", timeSeparator: "-")
        ).replacing("{uuid}", with: job.actionExecutionID)
    }

    private func options(_ job: ActionJob, path: String) -> ObjectOptions {
        var metadata = ObjectMetadata(contentType: ContentType.of(path))
        metadata.cacheControl = job.value("CacheControl")
        return ObjectOptions(
            metadata: metadata, encryption: job.value("KMSEncryptionKeyARN").map { .kms(keyID: $0) } ?? .bucketDefault)
    }

    // MARK: - One object

    private func deployWhole(_ input: JobArtifact, _ bucket: String, _ key: String, _ job: ActionJob) async throws {
        var options = options(job, path: key)
        let version = try await objects.store.version(input.version)
        if version.rootKind == .tree { options.metadata.contentType = "application/zip" }
        if job.fencingToken > 1, let present = try await existing(bucket, key),
            present.lastModified >= job.startedAt, present.size == version.zip.byteCount
        {
            return
        }
        // A copy of its own: what is deployed stays when the pipeline's old artifacts are cleared away.
        try await copy(try await objects.store.zip(input.version).stream(), to: key, bucket, options)
    }

    /// What is there now, or nil.
    private func existing(_ bucket: String, _ key: String) async throws -> StoredObject? {
        do {
            return try await objects.head(bucket: bucket, key: key)
        } catch let error as ObjectStorageError where error.code == "NoSuchKey" {
            return nil
        }
    }

    // MARK: - Each file

    private func deployFiles(
        _ input: JobArtifact, _ bucket: String, _ prefix: String, _ job: ActionJob, _ context: any ActionContext
    ) async throws -> Int {
        let store = objects.store
        guard try await store.isArchive(input.version) else {
            throw ActionFailure(
                .jobFailed,
                "The input artifact \(input.name) is not a ZIP archive and cannot be extracted. Use Extract false")
        }
        let entries = try await store.entries(of: input.version, under: nil, recursive: true)
        let files = entries.filter { $0.kind != .directory }
        let byPath = Dictionary(entries.map { ($0.path, $0) }) { first, _ in first }
        let base = prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/"
        var done = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, entry) in files.enumerated() {
                if index >= Self.parallelFiles {
                    try await group.next()
                    done += 1
                }
                guard let source = Self.followed(entry, byPath) else { continue }
                group.addTask {
                    try await self.deploy(source, of: input.version, to: base + entry.path, bucket, job)
                }
            }
            while try await group.next() != nil { done += 1 }
        }
        return done
    }

    /// The file that a link within the artifact stands for; nil for one that leads to a directory or out of it.
    private static func followed(_ entry: Entry, _ byPath: [String: Entry]) -> Entry? {
        var entry = entry
        for _ in 0..<16 {
            guard entry.kind == .symlink else { return entry.kind == .file ? entry : nil }
            guard let target = entry.linkTarget, !target.hasPrefix("/") else { return nil }
            let path = PathText.absolute(target, from: PathText.parent("/" + entry.path)).dropFirst()
            guard let next = byPath[String(path)] else { return nil }
            entry = next
        }
        return nil
    }

    private func deploy(_ entry: Entry, of version: VersionID, to key: String, _ bucket: String, _ job: ActionJob)
        async throws
    {
        if try await isDone(entry, bucket, key, job) { return }
        let (_, stream) = try await objects.store.readFile(version, path: entry.path)
        try await copy(stream, to: key, bucket, options(job, path: key))
    }

    private func copy(_ stream: ByteStream, to key: String, _ bucket: String, _ options: ObjectOptions) async throws {
        let writer = try await objects.beginPut(bucket: bucket, key: key, options: options)
        do {
            for try await piece in stream { try await writer.write(piece) }
            _ = try await writer.finish()
        } catch {
            await writer.abandon()
            throw error
        }
    }

    /// Whether an earlier run of this same job wrote the object.
    private func isDone(_ entry: Entry, _ bucket: String, _ key: String, _ job: ActionJob) async throws -> Bool {
        guard job.fencingToken > 1, let digest = entry.contentID, let object = try await existing(bucket, key),
            object.lastModified >= job.startedAt, object.size == entry.size, let content = object.content
        else { return false }
        return try await objects.store.version(content).contentID == digest
    }
}
