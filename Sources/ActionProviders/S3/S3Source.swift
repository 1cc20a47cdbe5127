import ArtifactStore
import Foundation
public import KeyHierarchy
import ObjectStorage
public import PipelineEngine
public import PipelineModel

/// S3 source actions: an object of a versioned bucket, byte for byte.
public struct S3Source: ActionRunner, SourcePoller {
    let objects: ObjectStorage

    /// The name of the user metadata that describes a revision for people.
    static let summaryKey = "codepipeline-artifact-revision-summary"

    /// Source actions of the provider S3.
    public var types: [ActionTypeID] {
        [ActionTypeID(category: .source, provider: "S3")]
    }

    /// The newest version of the configured object.
    public func currentRevision(configuration: [String: String], scope: AccountRegion) async throws -> SourceRevision? {
        guard let bucket = configuration["S3Bucket"], let key = configuration["S3ObjectKey"] else { return nil }
        guard try await objects.headBucket(bucket).scope.account == scope.account else { return nil }
        do {
            return Self.revision(try await objects.head(bucket: bucket, key: key))
        } catch let error as ObjectStorageError where error.code == "NoSuchKey" {
            return nil
        }
    }

    /// Publishes the object as the action's output.
    public func run(_ job: ActionJob, in context: any ActionContext) async throws -> ActionOutcome {
        let bucket = try job.required("S3Bucket")
        var key = try job.required("S3ObjectKey")
        guard let output = job.outputs.first else {
            throw ActionFailure(.configuration, "The source action \(job.action) has no output artifact")
        }
        var version: String?
        for override in job.revisionOverrides {
            switch override.revisionType {
            case "S3_OBJECT_VERSION_ID": version = override.revisionValue
            case "S3_OBJECT_KEY":
                guard try job.flag("AllowOverrideForS3ObjectKey", default: false) else {
                    throw ActionFailure(
                        .configuration,
                        "The object key of action \(job.action) cannot be overridden: AllowOverrideForS3ObjectKey is not true"
                    )
                }
                key = override.revisionValue
            default: continue
            }
        }
        let object = try await find(bucket, key, version, job)
        try await publish(object, as: output.name, job, context)
        let revision = Self.revision(object)
        return ActionOutcome(
            variables: [
                "BucketName": bucket, "ObjectKey": key, "ETag": object.etag, "VersionId": object.versionID,
            ], summary: revision.summary, externalExecutionID: object.versionID, revision: revision)
    }

    private func find(_ bucket: String, _ key: String, _ version: String?, _ job: ActionJob) async throws
        -> StoredObject
    {
        do {
            let owner = try await objects.headBucket(bucket)
            guard owner.scope.account == job.scope.account else {
                throw ActionFailure(.permission, "The bucket \(bucket) belongs to another account")
            }
            guard owner.versioning == .enabled else {
                throw ActionFailure(
                    .configuration,
                    "The bucket \(bucket) is not versioned. An S3 source needs a bucket with versioning enabled")
            }
            return try await objects.head(bucket: bucket, key: key, versionID: version)
        } catch let error as ObjectStorageError {
            switch error.code {
            case "NoSuchBucket": throw ActionFailure(.configuration, "The bucket \(bucket) does not exist")
            case "NoSuchKey":
                throw ActionFailure(.revisionUnavailable, "The object \(key) does not exist in the bucket \(bucket)")
            case "NoSuchVersion", "MethodNotAllowed", "InvalidArgument":
                throw ActionFailure(
                    .revisionUnavailable, "The object \(key) of the bucket \(bucket) has no version \(version ?? "")")
            default: throw error
            }
        }
    }

    /// The store recognises every chunk it has, so the bytes pass by but are not kept twice.
    private func publish(_ object: StoredObject, as output: String, _ job: ActionJob, _ context: any ActionContext)
        async throws
    {
        let ingest = try await context.store.beginIngest(
            scope: job.scope, keyID: job.keyID, repository: job.pipelineName, artifact: output)
        do {
            let blob = try await ingest.openBlob()
            for try await piece in try await objects.read(object) { try await blob.write(piece) }
            _ = try await context.publish(try await blob.finish(), as: output)
        } catch {
            ingest.abandon()
            throw error
        }
    }

    private static func revision(_ object: StoredObject) -> SourceRevision {
        SourceRevision(
            id: object.versionID, changeID: object.etag,
            summary: object.metadata.user[summaryKey] ?? "Amazon S3 version id: \(object.versionID)",
            created: object.lastModified)
    }
}
