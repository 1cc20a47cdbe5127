package import ArtifactStore

extension Figures {
    /// What the store holds.
    package init(_ statistics: StoreStatistics) {
        let figures: [Figure] = [
            Figure("versions", Int64(statistics.versionCount), "count"),
            Figure("deleted versions", Int64(statistics.deletedCount), "count"),
            Figure("logical bytes", statistics.logicalBytes, "bytes"),
            Figure("unique bytes", statistics.uniqueBytes, "bytes"),
            Figure("stored bytes", statistics.storedBytes, "bytes"),
            Figure("bytes in the journal", statistics.journalBytes, "bytes"),
            Figure("bytes in manifests", statistics.manifestBytes, "bytes"),
            Figure("deduplication, per mille", Int64(statistics.deduplicationFactor * 1000), "permille"),
            Figure("compression, per mille", Int64(statistics.compressionFactor * 1000), "permille"),
            Figure("open packs", Int64(statistics.openPacks), "count"),
            Figure("sealed packs", Int64(statistics.sealedPacks), "count"),
            Figure("condemned packs", Int64(statistics.condemnedPacks), "count"),
            Figure("condemned bytes", statistics.condemnedBytes, "bytes"),
            Figure("records", Int64(statistics.recordCount), "count"),
            Figure("index entries", Int64(statistics.indexEntries), "count"),
            Figure("damaged records", Int64(statistics.damagedRecords), "count"),
            Figure("compresses with", text: statistics.encoder),
        ]
        self.init(figures)
    }

    /// What a collection did.
    package init(_ report: CollectionReport, retired: Int) {
        let figures: [Figure] = [
            Figure("versions retired by rules", Int64(retired), "count"),
            Figure("deleted versions removed", Int64(report.versionsRemoved), "count"),
            Figure("packs condemned", Int64(report.packsCondemned), "count"),
            Figure("packs compacted", Int64(report.packsCompacted), "count"),
            Figure("bytes copied", report.bytesCopied, "bytes"),
            Figure("packs deleted", Int64(report.packsDeleted), "count"),
            Figure("bytes freed", report.bytesFreed, "bytes"),
            Figure("bytes needed", report.liveBytes, "bytes"),
            Figure("bytes stored", report.storedBytes, "bytes"),
            Figure("damaged packs left alone", Int64(report.packsDamaged), "count"),
        ]
        self.init(figures)
    }
}

extension ScrubAnswer {
    /// What reading everything back found.
    package init(_ report: ScrubReport) {
        let figures: [Figures.Figure] = [
            .init("packs read", Int64(report.packs), "count"),
            .init("packs not complete yet", Int64(report.unsealed), "count"),
            .init("bytes read", report.bytes, "bytes"),
            .init("versions read", Int64(report.versions), "count"),
            .init("versions whose key does not allow it", Int64(report.skipped.count), "count"),
            .init("damaged places", Int64(report.damage.count), "count"),
        ]
        self.figures = Figures(figures)
        isComplete = report.isComplete
        isResumed = report.isResumed
        damages = report.damage.map { damage in
            let place = damage.pack.map { "pack \($0): " } ?? ""
            let needed = damage.paths.isEmpty ? damage.versions.map(\.rawValue) : damage.paths
            return place + damage.reason + (needed.isEmpty ? "" : " (needed by \(needed.joined(separator: ", ")))")
        }
    }
}
