public import Catalog
public import Foundation
public import KeyHierarchy

/// Numbers by which an engine is tuned.
public struct EngineConfiguration: Sendable {
    /// How often sources are asked for new revisions, in seconds.
    public var pollSeconds: Double = 30
    /// How often time limits and forgotten jobs are looked for, in seconds.
    public var tickSeconds: Double = 2
    /// For how long a job belongs to a worker that does not renew it, in seconds.
    public var leaseSeconds: Double = 60
    /// How many jobs run at once in this process.
    public var jobsMax: Int = 16
    /// Whether no other process works on the same catalogue. Then jobs that a former process held are taken up at once
    /// instead of when their leases end.
    public var isSoleOwner = true
    /// Pipelines in one account and region.
    public var pipelinesMax: Int = 1000
    /// The time limit of an approval that declares none, in minutes.
    public var approvalMinutes: Int = 7 * 24 * 60
    /// After how long an unacknowledged job of a custom action is offered again, in seconds.
    public var redeliverySeconds: Double = 300

    /// For how long executions are remembered, in days.
    public var historyDays: Int = 365

    /// The defaults.
    public init() {}
}

/// Time, ids and randomness, which tests replace.
public struct EngineEnvironment: Sendable {
    /// The time.
    public var now: @Sendable () -> Date
    /// A fresh lowercase UUID.
    public var makeID: @Sendable () -> String
    /// The random end of an object key: seven letters and digits.
    public var makeKeySuffix: @Sendable () -> String
    /// The ARN of the key that an alias means now, in a transaction; other names of keys as they are. Asked once an execution
    /// and alias, so that all artifacts of an execution come under one key whatever becomes of the alias.
    public var keyARN: @Sendable (_ name: String, AccountRegion, Transaction) throws -> String = { name, _, _ in name }
    /// Waits.
    public var sleep: @Sendable (Duration) async throws -> Void
    /// Called at named points between two steps of the driver; what it throws ends the driver there, as if the process
    /// had been killed.
    var fault: @Sendable (String) throws -> Void = { _ in }

    /// The real ones.
    public init() {
        now = { Date() }
        makeID = { UUID().uuidString.lowercased() }
        makeKeySuffix = {
            let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
            return String((0..<7).map { _ in letters[Int.random(in: 0..<letters.count)] })
        }
        sleep = { try await Task.sleep(for: $0) }
    }
}

/// Seals the secret values of configurations before they are stored.
public struct SecretSealing: Sendable {
    /// Seals bytes under a name.
    public var seal: @Sendable (_ plaintext: [UInt8], _ name: String) async throws -> [UInt8]
    /// Opens what was sealed under the same name.
    public var open: @Sendable (_ sealed: [UInt8], _ name: String) async throws -> [UInt8]

    /// A way to seal.
    public init(
        seal: @escaping @Sendable ([UInt8], String) async throws -> [UInt8],
        open: @escaping @Sendable ([UInt8], String) async throws -> [UInt8]
    ) {
        self.seal = seal
        self.open = open
    }
}

/// Thrown by a driver that a fault ended.
struct DriverKilled: Error {}
