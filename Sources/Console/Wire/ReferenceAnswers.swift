package import Foundation

/// A reason somebody gave for keeping a version.
package struct PinItem: Codable, Sendable {
    package var reference: String
    package var version: String
    package var name: String
    /// `pin`, `hold`, `deployment` or `use`.
    package var kind: String
    package var owner: String
    package var reason: String
    package var created: Date
    package var expires: Date?
}

/// What to pin a version with.
package struct PinRequest: Codable, Sendable {
    package var name: String
    package var reason: String
    package var isHold: Bool
    /// Seconds until the pin stops to count; nil: never.
    package var seconds: Int?

    package init(name: String, reason: String, isHold: Bool, seconds: Int?) {
        self.name = name
        self.reason = reason
        self.isHold = isHold
        self.seconds = seconds
    }
}

/// What the rule of an artifact keeps.
package struct RetentionItem: Codable, Sendable {
    package var repository: String
    package var artifact: String
    package var newest: Int?
    package var ageSeconds: Int?
    package var stage: String?

    package init(repository: String, artifact: String, newest: Int?, ageSeconds: Int?, stage: String?) {
        self.repository = repository
        self.artifact = artifact
        self.newest = newest
        self.ageSeconds = ageSeconds
        self.stage = stage
    }
}
