import AWSProtocol
package import ArtifactStore

/// `/-/v1/verify`: whether everything is as it was signed.
enum VerifyRoutes {
    static let table: [String: NativeAPI.Handler] = ["GET /-/v1/verify": verify]

    @Sendable static func verify(_ request: NativeRequest) async throws -> ServiceResponse {
        let store = request.services.store
        guard let reference = request.value("ref") else {
            try request.authorise("VerifyStore")
            return try .json(VerifyAnswer(try await store.verify(content: request.isSet("content"))))
        }
        try request.authorise("GetArtifact", reference)
        if !reference.contains("@") { return try await artifact(request, reference) }
        return try .json(VerifyAnswer(try await store.verify(try await request.reference().version.id)))
    }

    /// Every version of a pipeline or of one artifact.
    private static func artifact(_ request: NativeRequest, _ name: String) async throws -> ServiceResponse {
        let names = name.split(separator: "/", maxSplits: 1).map(String.init)
        let filter = VersionFilter(
            scope: request.scope, repository: names.first, artifact: names.count > 1 ? names[1] : nil)
        var report = VerificationReport()
        var after: String?
        repeat {
            let page = try await request.services.store.versions(filter, after: after, limit: 1000)
            for version in page.versions { report.add(try await request.services.store.verify(version.id)) }
            after = page.next
        } while after != nil
        guard report.versions + report.problems.count > 0 else {
            throw NativeError(404, "StoreNotFound", "there are no versions of \(name)")
        }
        return try .json(VerifyAnswer(report))
    }
}

extension VerificationReport {
    mutating func add(_ other: VerificationReport) {
        entries += other.entries
        versions += other.versions
        bytes += other.bytes
        problems += other.problems
        skipped += other.skipped
    }
}

extension VerifyAnswer {
    /// What a verification found.
    package init(_ report: VerificationReport) {
        let figures: [Figures.Figure] = [
            .init("log entries verified", Int64(report.entries), "count"),
            .init("signed heads verified", Int64(report.heads), "count"),
            .init("versions compared", Int64(report.versions), "count"),
            .init("pins compared", Int64(report.pins), "count"),
            .init("key records compared", Int64(report.records), "count"),
            .init("bytes read back", report.bytes, "bytes"),
            .init("versions whose key does not allow it", Int64(report.skipped.count), "count"),
            .init("problems", Int64(report.problems.count), "count"),
        ]
        self.init(figures: Figures(figures), problems: report.problems, skipped: report.skipped)
    }
}
