/// What a verification found.
package struct VerifyAnswer: Codable, Sendable {
    package var figures: Figures
    /// What is wrong, one sentence each.
    package var problems: [String]
    /// What could not be read because its key does not allow it.
    package var skipped: [String]
}
