import ArtifactStore
import Foundation

/// Takes the bytes of one object or part: computes digests and hands them on to the store.
actor ContentSink {
    private let ingest: Ingest
    private let blob: BlobWriter
    private var hasher: ContentHasher
    /// Bytes not yet handed on: transports deliver small pieces, and each hand-over costs a change of threads.
    private var pending: [UInt8] = []
    private static let batchBytes = 256 << 10

    init(_ ingest: Ingest, algorithms: Set<ChecksumAlgorithm>) async throws {
        self.ingest = ingest
        blob = try await ingest.openBlob()
        hasher = ContentHasher(algorithms)
    }

    /// Takes bytes. Returns when the store has room for more.
    func write(_ bytes: [UInt8]) async throws {
        pending += bytes
        if pending.count >= Self.batchBytes { try await flush() }
    }

    /// Hashes a batch while the store works on it.
    private func flush() async throws {
        let batch = pending
        pending = []
        pending.reserveCapacity(Self.batchBytes)
        async let stored: Void = blob.write(batch)
        batch.withUnsafeBytes { hasher.update($0) }
        try await stored
    }

    /// Ends the bytes. Throws, and gives the bytes up, when they are not what was expected.
    func finish(expecting expectation: ContentExpectation, resource: String) async throws -> (
        content: StagedContent, digests: ContentDigests
    ) {
        if !pending.isEmpty { try await flush() }
        let digests = hasher.finish()
        do {
            try expectation.check(digests, resource: resource)
        } catch {
            abandon()
            throw error
        }
        return (try await blob.finish(), digests)
    }

    func abandon() { ingest.abandon() }
}
