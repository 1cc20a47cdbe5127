package import Foundation

/// The server about itself.
package struct ServerAnswer: Codable, Sendable {
    package var version: String
    package var account: String
    package var region: String
    package var caller: String
    package var time: Date
}

/// One thing the doctor looked at.
package struct Finding: Codable, Sendable {
    package enum Verdict: String, Codable, Sendable { case ok, warning, failed }
    package var subject: String
    package var verdict: Verdict
    package var detail: String

    package init(_ subject: String, _ verdict: Verdict, _ detail: String) {
        self.subject = subject
        self.verdict = verdict
        self.detail = detail
    }
}

/// A Git repository that source actions may name.
package struct RepositoryItem: Codable, Sendable {
    package var name: String
    package var location: String

    package init(name: String, location: String) {
        self.name = name
        self.location = location
    }
}

/// A build project that build actions may name.
package struct ProjectItem: Codable, Sendable {
    package var name: String
    package var buildspec: String?
    package var timeoutSeconds: Int?
    package var environment: [String: String]

    package init(name: String, buildspec: String?, timeoutSeconds: Int?, environment: [String: String]) {
        self.name = name
        self.buildspec = buildspec
        self.timeoutSeconds = timeoutSeconds
        self.environment = environment
    }
}

/// Figures about the store, in the order in which they are shown.
package struct Figures: Codable, Sendable {
    package var figures: [Figure]

    package struct Figure: Codable, Sendable {
        package var name: String
        package var value: Int64
        /// `bytes`, `count`, `permille`, or `text`.
        package var unit: String
        /// What a text says; its value is 0.
        package var text: String?

        package init(_ name: String, _ value: Int64, _ unit: String) {
            self.name = name
            self.value = value
            self.unit = unit
        }

        package init(_ name: String, text: String) {
            self.init(name, 0, "text")
            self.text = text
        }
    }

    package init(_ figures: [Figure]) { self.figures = figures }
}

/// What one artifact takes.
package struct UsageItem: Codable, Sendable {
    package var repository: String
    package var artifact: String
    package var versions: Int
    package var bytes: Int64
    package var storedBytes: Int64
    /// Stored bytes that nothing else needs, when that was asked for.
    package var exclusiveBytes: Int64?
}

/// Stored bytes that deleting all of something would free.
package struct ExclusiveAnswer: Codable, Sendable {
    package var bytes: Int64
}

/// What reading everything back found.
package struct ScrubAnswer: Codable, Sendable {
    package var figures: Figures
    package var damages: [String]
    /// Whether the pass is over; else the next one goes on where it stopped.
    package var isComplete: Bool
    /// Whether it went on with a pass that was left earlier.
    package var isResumed: Bool
}
