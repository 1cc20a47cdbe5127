import Catalog
import Synchronization

extension ArtifactStore {
    /// Cuts the files of a domain: as configured when the domain is used for the first time, as recorded ever after. A new
    /// epoch begins as the domain was, or with `prf` when that is configured: nobody gives up by a rotation what a domain
    /// was made with.
    func cutter(_ domain: DomainContext) async throws -> any StreamCutter {
        let name = DomainName(id: domain.id, epoch: domain.epoch)
        if let known = cutters.withLock({ $0[name] }) { return known }
        let recorded = try await chunker(domain)
        let made: any StreamCutter =
            switch recorded {
            case .gear: GearCutter(cutKey: domain.cutKey)
            case .prf: try PRFCutter(cutKey: domain.cutKey)
            }
        return cutters.withLock { known in
            if let other = known[name] { return other }
            known[name] = made
            return made
        }
    }

    private func chunker(_ domain: DomainContext) async throws -> StoreConfiguration.Chunker {
        let (id, epoch, wanted) = (domain.id, Int64(domain.epoch), configuration.chunker)
        let select = "SELECT chunker FROM store_domains WHERE domain_id = ? AND domain_epoch = ?"
        var row = try await catalog.read { try $0.row(select, id, epoch) }
        if row == nil {
            let time = now().milliseconds
            row = try await catalog.write { transaction in
                let isKept = try transaction.row(
                    "SELECT chunker FROM store_domains WHERE domain_id = ? AND chunker = ? LIMIT 1", id,
                    StoreConfiguration.Chunker.prf.rawValue)
                try transaction.execute(
                    """
                    INSERT INTO store_domains (domain_id, domain_epoch, chunker, created_at) VALUES (?, ?, ?, ?)
                    ON CONFLICT (domain_id, domain_epoch) DO NOTHING
                    """, id, epoch, isKept == nil ? wanted.rawValue : StoreConfiguration.Chunker.prf.rawValue, time)
                return try transaction.row(select, id, epoch)
            }
        }
        let name = try row?.string("chunker") ?? wanted.rawValue
        guard let chunker = StoreConfiguration.Chunker(rawValue: name) else {
            throw StoreError.invalid("the domain is cut by \(name), which this coffer does not know; use a newer one")
        }
        return chunker
    }
}
