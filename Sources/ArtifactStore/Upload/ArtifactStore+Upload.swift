public import KeyHierarchy

extension ArtifactStore {
    /// Begins an upload of which only what is new is sent; parameters as in
    /// ``beginIngest(scope:keyID:repository:artifact:isSensitive:)``.
    ///
    /// - Parameter basis: versions that the sender may read, the most similar first. What they hold is not asked for. The
    ///   caller answers for the permission; versions whose key cannot be used do not count.
    /// - Parameter name: names the upload for whoever repeats it after a restart of the process: what was received under the
    ///   same name, key and place before, and was not collected since, is not asked for again. The caller answers for it
    ///   that only the same sender can use a name. Nil: nothing outlives the process.
    public func beginUpload(
        _ kind: Version.RootKind, scope: AccountRegion, keyID: String? = nil, repository: String? = nil,
        artifact: String? = nil, isSensitive: Bool = false, basis: [VersionID] = [], name: String? = nil
    ) async throws -> Upload {
        var versions: [OpenVersion] = []
        for id in basis {
            do {
                versions.append(try await open(id))
            } catch let error as StoreError
                where [.keyUnavailable, .notFound, .integrity].contains(error.code)
            {
                continue  // Then its content is sent.
            }
        }
        let ingest = try await beginIngest(
            scope: scope, keyID: keyID, repository: repository, artifact: artifact, isSensitive: isSensitive)
        guard let name else { return Upload(ingest, kind: kind, basis: UploadBasis(versions)) }
        let checkpoint = UploadCheckpoint(
            self, ingest, name: name, repository: repository ?? "", artifact: artifact ?? "")
        return Upload(
            ingest, kind: kind, basis: UploadBasis(versions), checkpoint: checkpoint,
            earlier: try await checkpoint.earlier())
    }
}
