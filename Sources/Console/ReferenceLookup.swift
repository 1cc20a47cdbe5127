import ArtifactStore
import Cryptography
import Foundation
import KeyHierarchy
import PipelineEngine
import PipelineModel

/// Finds the version that people mean by a reference.
struct ReferenceLookup: Sendable {
    let store: ArtifactStore
    let pipelines: PipelineService
    let scope: AccountRegion

    /// Tries what the store knows (numbers, ids, tags, digests), then beginnings of digests, then stages: what the last
    /// execution that went through a stage left there.
    ///
    /// - Throws: `NativeError` for what another account shared: it is not the caller's own.
    func version(_ text: ReferenceText) async throws -> Version {
        guard text.share == nil, !text.isOfAnother(than: scope.account) else {
            throw NativeError(
                400, "InvalidReference",
                "what another account shared can be read, not changed or passed on; its owner alone does that")
        }
        do {
            return try await resolve(text, text.which)
        } catch let error where error.code == .notFound {
            if text.which.hasPrefix("sha256:"), let found = try await byDigest(text) { return found }
            if let found = try await byStage(text) { return found }
            throw error
        }
    }

    private func resolve(_ text: ReferenceText, _ which: String) async throws(StoreError) -> Version {
        do {
            return try await store.resolve(
                VersionReference(repository: text.repository, artifact: text.artifact, which: which), in: scope)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.input, "\(error)")
        }
    }

    /// The newest version whose content id begins with the digits given.
    private func byDigest(_ text: ReferenceText) async throws -> Version? {
        let digits = text.which.dropFirst("sha256:".count).lowercased()
        var after: String?
        repeat {
            let page = try await store.versions(
                VersionFilter(scope: scope, repository: text.repository, artifact: text.artifact), after: after,
                limit: 1000)
            if let found = page.versions.first(where: { $0.contentID.hex.hasPrefix(digits) }) { return found }
            after = page.next
        } while after != nil
        return nil
    }

    private func byStage(_ text: ReferenceText) async throws -> Version? {
        let stages: [String]
        do {
            let record = try await pipelines.getPipeline(text.repository, in: scope)
            stages = record.declaration.stages.map(\.name)
        } catch let error as PipelineError where error.code == .pipelineNotFound {
            return nil
        }
        guard stages.contains(text.which) else { return nil }
        let passed = try await pipelines.listExecutions(
            of: text.repository, succeededIn: text.which, in: scope, limit: 1)
        guard let execution = passed.items.first else {
            throw StoreError(.notFound, "no execution of \(text.repository) has gone through stage \(text.which) yet")
        }
        return try await resolve(text, execution.id)
    }
}

extension NativeRequest {
    /// Looks for versions in the caller's account and region.
    var references: ReferenceLookup {
        ReferenceLookup(store: services.store, pipelines: services.pipelines, scope: scope)
    }

    /// The version and path of the caller's own that the parameter `ref`, or another one, names.
    func reference(_ parameter: String = "ref") async throws -> (text: ReferenceText, version: Version) {
        let text = try ReferenceText(try require(parameter))
        return (text, try await references.version(text))
    }

    /// A version as lists show it.
    func item(_ version: Version) async throws -> VersionItem {
        var mayViewStorage = true
        do { try authorise("ViewStorage", version.keyARN) } catch { mayViewStorage = false }
        return VersionItem(
            id: version.id.rawValue, repository: version.draft.repository, artifact: version.draft.artifact,
            number: version.number, execution: version.draft.execution,
            executionNumber: version.draft.executionNumber, stage: version.draft.stage, action: version.draft.action,
            kind: version.rootKind.rawValue, contentID: version.contentID.hex, bytes: version.logicalBytes,
            storedBytes: mayViewStorage ? version.newStoredBytes : nil, files: version.fileCount,
            created: version.createdAt,
            createdBy: version.draft.createdBy, tags: try await services.store.tags(of: version.id),
            keyARN: version.keyARN, deleted: version.deletedAt)
    }
}
