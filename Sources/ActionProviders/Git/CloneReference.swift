import Foundation

/// What an artifact in the format `CODEBUILD_CLONE_REF` holds: enough for a build to clone the repository itself.
struct CloneReference: Codable, Sendable, Equatable {
    /// The format's mark and version.
    var codebuildCloneReference = 1
    var repositoryName: String
    var branchName: String
    var commitId: String

    /// The most bytes such a document has.
    static let bytesMax = 16 << 10

    /// The reference in `bytes`, or nil when they are something else.
    static func read(_ bytes: [UInt8]) -> CloneReference? {
        guard bytes.first == UInt8(ascii: "{"),
            let reference = try? JSONDecoder().decode(CloneReference.self, from: Data(bytes)),  // else something else
            reference.codebuildCloneReference == 1
        else { return nil }
        return reference
    }

    func bytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        return Array(try encoder.encode(self))
    }
}
