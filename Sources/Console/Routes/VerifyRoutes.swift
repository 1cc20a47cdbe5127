import AWSProtocol
package import ArtifactStore
import Foundation

/// `/-/v1/verify…`: whether everything is as it was signed.
enum VerifyRoutes {
    static let table: [String: NativeAPI.Handler] = [
        "GET /-/v1/verify": verify, "GET /-/v1/verify/content": content,
    ]

    /// What one request reads at most: its answer must not keep a client waiting.
    private static let bytesPerRequest: Int64 = 256 << 20

    @Sendable static func verify(_ request: NativeRequest) async throws -> ServiceResponse {
        let store = request.services.store
        switch try await selection(request) {
        case .everything: return try .json(VerifyAnswer(try await store.verify()))
        case .version(let id): return try .json(VerifyAnswer(try await store.verify(id)))
        case .repository(let repository, let artifact, let scope):
            var report = VerificationReport()
            var after: String?
            let filter = VersionFilter(scope: scope, repository: repository, artifact: artifact)
            repeat {
                let page = try await store.versions(filter, after: after, limit: 1000)
                for version in page.versions { report.add(try await store.verify(version.id)) }
                after = page.next
            } while after != nil
            guard report.versions > 0 else {
                throw NativeError(404, "StoreNotFound", "there are no versions of \(try request.require("ref"))")
            }
            return try .json(VerifyAnswer(report))
        }
    }

    /// Reads content back; the answer says where the next request goes on.
    @Sendable static func content(_ request: NativeRequest) async throws -> ServiceResponse {
        var place: VerificationPlace?
        if let token = request.value("after") {
            guard let bytes = Data(base64Encoded: token) else {
                throw NativeError(400, "InvalidParameter", "`after` is not what an earlier answer said")
            }
            place = try JSON.decode(VerificationPlace.self, from: Array(bytes))
        }
        let (report, next) = try await request.services.store.verifyContent(
            try await selection(request), from: place, byteLimit: bytesPerRequest)
        var answer = VerifyAnswer(report)
        // Counted when their statements were compared.
        answer.versions = 0
        answer.next = try next.map { Data(try JSON.compact($0)).base64EncodedString() }
        return try .json(answer)
    }

    private static func selection(_ request: NativeRequest) async throws -> VerificationSelection {
        guard let reference = request.value("ref") else {
            try await request.authoriseOperator("VerifyStore")
            return .everything
        }
        try request.authorise("GetArtifact", reference)
        if reference.contains("@") { return .version(try await request.reference().version.id) }
        let names = reference.split(separator: "/", maxSplits: 1).map(String.init)
        return .repository(names.first ?? "", artifact: names.count > 1 ? names[1] : nil, request.scope)
    }
}

extension VerificationReport {
    mutating func add(_ other: VerificationReport) {
        entries += other.entries
        versions += other.versions
        problems += other.problems
    }
}

extension VerifyAnswer {
    /// What a verification found.
    package init(_ report: VerificationReport) {
        self.init(
            entries: report.entries, heads: report.heads, versions: report.versions, pins: report.pins,
            records: report.records, bytes: report.bytes, problems: report.problems, skipped: report.skipped, next: nil)
    }
}
