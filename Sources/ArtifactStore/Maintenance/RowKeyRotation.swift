import Catalog

/// What a rotation of the row key did.
public struct RowKeyReport: Sendable, Hashable {
    /// The row key that is current.
    public var version: UInt32 = 0
    /// Rows whose codes were made anew: keys, aliases, grants, shares and pins.
    public var rows = 0
    /// Older row keys that were destroyed.
    public var destroyed: [UInt32] = []
}

extension ArtifactStore {
    /// Pins whose codes one transaction makes anew.
    private static let recodeBatch = 500

    /// Makes a new row key current, and all codes of rows anew under it. A crash in between loses nothing: codes are right
    /// under either key, and the next rotation finishes.
    ///
    /// - Parameter destroyingOld: destroy the older row keys, under which nothing is left then. Whoever learnt one can make no
    ///   code for a row any more.
    /// - Throws: `StoreError` with `.conflict` while another rotation runs.
    public func rotateRowKey(destroyingOld: Bool = false) async throws -> RowKeyReport {
        guard rotationGate.enter() else { throw StoreError(.conflict, "a rotation is under way already") }
        defer { rotationGate.leave() }
        var report = RowKeyReport()
        (report.version, report.rows) = try await versionLog.signer.rotateRowKey()
        report.rows += try await recodePins()
        if destroyingOld { report.destroyed = try await versionLog.signer.destroyOldRowKeys() }
        return report
    }

    private func recodePins() async throws -> Int {
        var total = 0
        var place = (version: "", name: "")
        while true {
            let from = place
            let (next, count) = try await catalog.write { [pinRecords] transaction in
                try pinRecords.recode(after: from, limit: Self.recodeBatch, transaction)
            }
            total += count
            guard let next else { return total }
            place = next
        }
    }
}
