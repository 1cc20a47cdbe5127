import KeyHierarchy
import Synchronization

/// The last numbers that artifacts got, to guess the next one. Only a guess: the database assigns numbers.
final class NumberCache: Sendable {
    private struct Artifact: Hashable {
        let scope: AccountRegion
        let repository: String
        let artifact: String

        init(_ draft: VersionDraft) {
            scope = draft.scope
            repository = draft.repository
            artifact = draft.artifact
        }
    }

    private static let countMax = 4096
    private let numbers = Mutex<[Artifact: Int]>([:])

    /// The number that the next version of an artifact will probably get.
    func next(_ draft: VersionDraft) -> Int? { numbers.withLock { $0[Artifact(draft)].map { $0 + 1 } } }

    func set(_ number: Int, _ draft: VersionDraft) {
        numbers.withLock { numbers in
            if numbers.count >= Self.countMax { numbers.removeAll(keepingCapacity: true) }
            numbers[Artifact(draft)] = number
        }
    }
}
