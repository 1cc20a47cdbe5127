import Synchronization

/// Epochs into which nothing may be published any more: they are being destroyed, or gone. In memory, since an ingest that
/// could still want one does not outlive the process.
final class RetiredDomains: Sendable {
    private struct Name: Hashable {
        var id: [UInt8]
        var epoch: UInt32
    }

    private let names = Mutex<Set<Name>>([])

    func reserve(_ epoch: StoreDomainEpoch) {
        names.withLock { _ = $0.insert(Name(id: epoch.id, epoch: epoch.epoch)) }
    }

    func release(_ epoch: StoreDomainEpoch) {
        names.withLock { _ = $0.remove(Name(id: epoch.id, epoch: epoch.epoch)) }
    }

    /// Refuses to publish into an epoch that goes.
    func check(_ domain: DomainContext) throws {
        guard names.withLock({ $0.contains(Name(id: domain.id, epoch: domain.epoch)) }) else { return }
        throw StoreError(.leaseExpired, "the keys of this ingest were retired meanwhile; begin again")
    }
}
