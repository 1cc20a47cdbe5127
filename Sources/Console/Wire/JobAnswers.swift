package import Foundation

/// Work on many versions.
package struct JobAnswer: Codable, Sendable {
    /// A version that was left as it is.
    package struct Skip: Codable, Sendable {
        package var version: String
        package var reason: String
    }

    package var id: String
    package var kind: String
    /// `running`, `done`, `cancelled` or `failed`.
    package var state: String
    package var key: String?
    package var targetKey: String?
    package var total: Int
    package var done: Int
    package var skipped: Int
    package var bytes: Int64
    package var message: String
    package var createdBy: String
    package var created: Date
    package var updated: Date
    package var skips: [Skip]
}
