import Logging
import Synchronization

extension ArtifactStore {
    /// Sees to it that what an ingest wrote before the disk was full is given back when the ingest ends, rather than at the
    /// next collection or start: there is no room for waiting.
    func reclaimWhenFull() {
        leases.whenLastIngestEnds { [weak self] in
            guard let self, packs.ranOutOfRoom.withLock({ $0 }) else { return }
            let reclaim: @Sendable () -> Void = { [weak self] in self?.reclaimUnpublished() }
            if let hook = reclaimHook.withLock({ $0 }) { return hook(reclaim) }
            pool.submit(reclaim)
        }
    }

    /// Removes packs that no commit has named, unless somebody may still name them. Blocks.
    private func reclaimUnpublished() {
        // Collections, the journal and rotations write or name packs too.
        guard collectionGate.enter() else { return }
        defer { collectionGate.leave() }
        guard journalGate.enter() else { return }
        defer { journalGate.leave() }
        guard rotationGate.enter() else { return }
        defer { rotationGate.leave() }
        let freed = packs.dropUnregistered { [leases] in leases.hasIngests }
        guard let freed else { return }
        packs.ranOutOfRoom.withLock { $0 = false }
        if freed > 0 {
            log.notice("the disk was full; gave back what was not published", metadata: ["bytes": "\(freed)"])
        }
    }
}

extension PackStore {
    /// Removes the packs that no commit has named; answers how many bytes they had, or nil when it was not possible.
    ///
    /// First they stop being a place to rely on or to append to. Only if nobody is at work after that can nobody have begun
    /// to rely on them before.
    ///
    /// - Parameter isInUse: whether there is an ingest that may have relied on them.
    func dropUnregistered(unless isInUse: () -> Bool) -> Int64? {
        if isInUse() { return nil }
        let victims = takeUnregistered()
        let states = victims.map { table[$0.number]?.state ?? .open }
        for writer in victims { table.update(writer.number) { $0.state = .condemned } }
        if isInUse() {
            for (writer, state) in zip(victims, states) {
                table.update(writer.number) { $0.state = state }
                // Back to where records are appended. Should it be one too many and not be completed either, the next
                // start does that.
                if !writer.isClosed { try? resume(writer) }
            }
            return nil
        }
        var freed: Int64 = 0
        for writer in victims {
            // Should this fail, the next start removes what is left: nothing names it.
            let length = try? backend.length(writer.name)
            if (try? backend.delete(writer.name)) != nil { freed += length ?? 0 }
            forget(writer.number)
        }
        index.remove(packs: Set(victims.map(\.number)))
        return freed
    }
}
