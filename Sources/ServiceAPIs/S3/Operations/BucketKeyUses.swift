import AWSProtocol
import AccessControl
import Foundation
import Synchronization

/// What bucket keys save: one question to KMS for a requester, a key, a context and five minutes, instead of one for each
/// object. Forgotten as soon as anything about any key, alias or grant changes, so that a policy or a revoked grant takes
/// effect at once all the same.
final class BucketKeyUses: Sendable {
    /// As AWS limits a bucket key, in seconds.
    static let seconds: TimeInterval = 300
    private static let countMax = 10_000

    private struct Use: Hashable {
        var operation: String
        var keyARN: String
        var context: [String: String]
        var principal: String
        var remoteAddress: String
        var isSecure: Bool
    }

    private struct Answer {
        var until: Date
        var changes: UInt64
    }

    private let allowed = Mutex<[Use: Answer]>([:])
    private let changes: @Sendable () -> UInt64

    /// - Parameter changes: grows whenever anything about keys changes.
    init(changes: @escaping @Sendable () -> UInt64) { self.changes = changes }

    /// Asks KMS unless it has allowed the same within the last minutes.
    func allow(_ use: ObjectKeyUse, _ request: ServiceRequest, asking ask: () async throws -> Void) async throws {
        let name = Use(
            operation: use.operation, keyARN: use.keyARN, context: use.context, principal: use.principal.arn,
            remoteAddress: request.remoteAddress, isSecure: request.isSecure)
        let before = changes()
        let now = request.receivedAt
        let known = allowed.withLock { $0[name] }
        if let known, known.changes == before, now < known.until { return }
        try await ask()
        // What changed while KMS was asked makes the answer good for this object only.
        allowed.withLock { allowed in
            if allowed.count >= Self.countMax { allowed.removeAll(keepingCapacity: true) }
            allowed[name] = Answer(until: now.addingTimeInterval(Self.seconds), changes: before)
        }
    }
}
