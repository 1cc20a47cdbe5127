import Catalog
import Cryptography
import Synchronization

/// The keys of the codes over records and of the chain of the security journal, shared by everything that was opened from
/// one root: whoever began before a rotation knows the new keys as soon as they are stored.
///
/// A record's code may be under any row key that is not destroyed, until a rotation has made it anew. An entry of the journal
/// is under exactly one key: the one that the entries before it made current.
final class CodeKeys: Sendable {
    private struct State {
        /// The current one first.
        var rows: [SecretBytes] = []
        var journal: [UInt32: SecretBytes] = [:]
    }

    private let state = Mutex(State())

    /// Takes the keys as they are stored now.
    func update(_ keys: InstanceKeys) throws {
        let current = try keys.current(.row)
        let older = keys.all(.row).filter { $0.key != current.version }.sorted { $0.key > $1.key }.map(\.value)
        let journal = keys.all(.journal)
        state.withLock { $0 = State(rows: [current.key] + older, journal: journal) }
    }

    /// Forgets them all, when the root is sealed.
    func forget() { state.withLock { $0 = State() } }

    /// The row keys that codes may be under, the current one first.
    var rows: [SecretBytes] { state.withLock { $0.rows } }

    /// The journal key of a version, nil when this process has not seen it yet.
    func journal(_ version: UInt32) -> SecretBytes? { state.withLock { $0.journal[version] } }

    /// The lowest version: the key of the first entries.
    var firstJournalVersion: UInt32 { state.withLock { $0.journal.keys.min() ?? 1 } }
}
