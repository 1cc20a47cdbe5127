import Catalog
import Synchronization

/// Carries a value out of a transaction's closure.
final class Handover<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func set(_ new: Value) { value.withLock { $0 = new } }

    /// What was set. Throws when the transaction never ran.
    func get() throws -> Value {
        guard let value = value.withLock({ $0 }) else {
            throw CatalogError(.other, "a transaction ended without running its closure")
        }
        return value
    }
}
