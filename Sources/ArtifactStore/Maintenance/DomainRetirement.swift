import Catalog
import Foundation
import KeyHierarchy

/// What a look at the epochs of dedup domains found.
public struct DomainRetirementReport: Sendable, Hashable {
    /// Epochs that were destroyed.
    public var destroyed: [StoreDomainEpoch] = []
    /// Epochs that no version needs, which a later look destroys.
    public var waiting: [StoreDomainEpoch] = []
    /// Epochs that versions still need: re-encrypt those, or delete them.
    public var needed: [StoreDomainEpoch] = []
}

extension ArtifactStore {
    /// Destroys the epochs of dedup domains that take no new content and that no version needs, deleted versions that can
    /// be brought back included. Two looks at least a day apart must agree.
    ///
    /// - Parameter immediately: one look is enough.
    public func retireDomainEpochs(immediately: Bool = false) async throws -> DomainRetirementReport {
        var report = DomainRetirementReport()
        for epoch in try await keys.retiredDomainEpochs() {
            guard try await reserve(epoch) else {
                _ = try await keys.noteDomainEpoch(epoch, isUnused: false)
                report.needed.append(epoch)
                continue
            }
            let since: Date?
            do {
                since = try await keys.noteDomainEpoch(epoch, isUnused: true)
                let age = since.map { now().timeIntervalSince($0) } ?? 0
                guard immediately || age >= Double(KeyHierarchy.retirementSeconds) else {
                    retiredDomains.release(epoch)
                    report.waiting.append(StoreDomainEpoch(id: epoch.id, epoch: epoch.epoch, unusedSince: since))
                    continue
                }
                try await keys.destroyDomainEpoch(epoch)
            } catch {
                retiredDomains.release(epoch)
                throw error
            }
            forget(epoch)
            report.destroyed.append(epoch)
        }
        return report
    }

    /// Takes an epoch from publications that are under way, unless a version needs it.
    private func reserve(_ epoch: StoreDomainEpoch) async throws -> Bool {
        try await catalog.write { [retiredDomains] transaction in
            let used = try transaction.row(
                "SELECT id FROM store_versions WHERE domain_id = ? AND domain_epoch = ? LIMIT 1", epoch.id, epoch.epoch)
            guard used == nil else { return false }
            retiredDomains.reserve(epoch)
            return true
        }
    }
}
