import Catalog
import Cryptography
import Foundation
import KeyHierarchy
import Synchronization

/// What a collection did, or would do.
public struct CollectionReport: Sendable, Hashable {
    /// The epoch that it began.
    public var epoch: Int64 = 0
    /// Deleted versions whose window had ended.
    public var versionsRemoved = 0
    /// Packs in which nothing is needed any more; they go when no ingest or read is older.
    public var packsCondemned = 0
    /// Packs whose needed records were copied elsewhere.
    public var packsCompacted = 0
    /// Bytes copied for that.
    public var bytesCopied: Int64 = 0
    /// Packs removed.
    public var packsDeleted = 0
    /// Bytes given back.
    public var bytesFreed: Int64 = 0
    /// Bytes of records that are needed.
    public var liveBytes: Int64 = 0
    /// Bytes of all packs.
    public var storedBytes: Int64 = 0
    /// Packs left alone because they are damaged.
    public var packsDamaged = 0
}

extension PackTable {
    /// Whether a record is within the part of its pack that the database knows of.
    func isRegistered(_ location: Location) -> Bool {
        if location.pack == Location.journal { return true }
        return self[location.pack].map { $0.registeredLength >= Int(location.offset) + Int(location.recordBytes) }
            ?? false
    }
}

extension ArtifactStore {
    /// Packs with a smaller share of needed bytes are rewritten.
    private static let compactionShare = 0.6
    /// Of a pack's full size; an open pack in which less than this is waste is left to be filled.
    private static let openWasteShare = 512

    /// Removes what no version needs, beside running ingests and reads.
    ///
    /// Each step is one transaction or touches only what no transaction names any more, so that a crash between any two
    /// leaves a sound store. Nothing relies on clocks: a pack that was condemned is deleted only when every ingest and read
    /// that began before has ended, and a commit that needs it brings it back.
    ///
    /// - Parameter plan: only say what would be done.
    /// - Throws: `StoreError` with `.integrity` when something needed cannot be found; then nothing was deleted.
    @discardableResult
    public func collect(plan: Bool = false) async throws -> CollectionReport {
        guard collectionGate.enter() else {
            throw StoreError(.conflict, "a collection is under way already")
        }
        defer { collectionGate.leave() }
        var report = CollectionReport()
        if !plan {
            try await step(.settled)
            try await settle()
            try await step(.begun)
        }
        report.epoch = plan ? leases.epoch : try await beginEpoch(&report)
        try await step(.marked)
        let ending = plan ? try await endingVersions() : []
        if plan { report.versionsRemoved = ending.count }
        let (marks, needed) = try await mark(plan: plan, except: ending)
        try await step(.decided)
        report.liveBytes = Int64(marks.liveBytes.values.reduce(0, +))
        report.storedBytes = packs.table.all.reduce(0) { $0 + Int64($1.length) }
        let wasteful = try await wastefulOpenPacks(marks)
        if plan { return planned(try await candidatePacks(before: .max) + wasteful, marks, report) }
        try await resurrect(needed)
        try await complete(wasteful)
        let candidates = try await candidatePacks(before: report.epoch)
        // First what earlier collections condemned: one that is always interrupted gives space back all the same.
        try await deleteCondemned(&report)
        for info in candidates where marks.liveBytes[info.number] == nil {
            try await step(.condemning)
            if try await condemn(info.number, report.epoch) { report.packsCondemned += 1 }
        }
        let scoured = try await scouredPacks()
        for info in candidates where Self.isWorthCompacting(info, marks, scoured) {
            try await step(.compacting)
            try await compact(info, marks, &report)
        }
        try await deleteCondemned(&report)
        return report
    }

    /// Packs that are still being filled and of whose records too few are needed: only what is complete can be rewritten.
    private func wastefulOpenPacks(_ marks: Marks) async throws -> [PackInfo] {
        let least = configuration.dataPackBytes / Self.openWasteShare
        return try await pool.run { [packs] in
            packs.openNumbers.sorted().compactMap { packs.table[$0] }.filter { info in
                let live = marks.liveBytes[info.number] ?? 0
                guard info.registeredLength - live >= least else { return false }
                // What no commit has named may be of an ingest under way; and without what stands around the records, or
                // packs of small ones would be rewritten for ever.
                // One whose index frames cannot be read is left as it is: a scrub says so.
                guard let entries = try? packs.entries(of: info) else { return false }
                let all = entries.reduce(0) { $0 + Int($1.location.recordBytes) }
                return all - live >= least && Double(live) < Double(all) * Self.compactionShare
            }
        }
    }

    /// Completes open packs, so that what follows goes into new ones. An ingest that has written to them goes on: its commit
    /// brings them back, and its lease keeps them until then.
    private func complete(_ wasteful: [PackInfo]) async throws {
        if wasteful.isEmpty { return }
        try await pool.run { [packs] in try packs.sealOpenPacks(only: Set(wasteful.map(\.number))) }
        let durables = try await flushes.flush(packs.unregisteredSealed)
        let time = now().milliseconds
        try await catalog.write { transaction in
            let epoch = try transaction.storeState("epoch")
            try CommitPacks.register(durables, epoch: epoch, now: time, transaction)
        }
        packs.registered(durables)
        try await step(.completed)
    }

    /// Packs that hold records of a version which was re-encrypted so that nobody could read them any more.
    private func scouredPacks() async throws -> Set<UInt32> {
        try await catalog.read { transaction in
            Set(try transaction.rows("SELECT pack FROM store_scour").map { try $0.integer("pack", as: UInt32.self) })
        }
    }

    private static func isWorthCompacting(_ info: PackInfo, _ marks: Marks, _ scoured: Set<UInt32> = []) -> Bool {
        guard let live = marks.liveBytes[info.number] else { return false }
        return scoured.contains(info.number) || Double(live) < Double(info.length) * compactionShare
    }

    private func planned(_ candidates: [PackInfo], _ marks: Marks, _ report: CollectionReport) -> CollectionReport {
        var report = report
        for info in candidates {
            if let live = marks.liveBytes[info.number] {
                guard Self.isWorthCompacting(info, marks) else { continue }
                report.packsCompacted += 1
                report.bytesCopied += Int64(live)
                report.bytesFreed += Int64(info.length - live)
            } else {
                report.packsCondemned += 1
                report.bytesFreed += Int64(info.length)
            }
        }
        return report
    }

    /// Gets everything that was published out of memory and into packs that the database knows.
    func settle() async throws {
        try await moveJournal(force: true)
        let open = packs.openNumbers
        let durables = try await flushes.flush(open.union(packs.unregisteredSealed))
        let time = now().milliseconds
        try await catalog.write { transaction in
            let epoch = try transaction.storeState("epoch")
            try CommitPacks.register(durables, epoch: epoch, now: time, transaction)
        }
        packs.registered(durables)
    }

    /// Begins a new epoch, after forgetting versions that can no longer be brought back.
    private func beginEpoch(_ report: inout CollectionReport) async throws -> Int64 {
        report.versionsRemoved = try await forgetDeleted()
        let epoch = try await catalog.write { transaction -> Int64 in
            let epoch = try transaction.storeState("epoch") + 1
            try transaction.execute("UPDATE store_state SET value = ? WHERE name = 'epoch'", epoch)
            return epoch
        }
        leases.setEpoch(epoch)
        return epoch
    }

    /// Versions that one transaction forgets: bounds how long other writers wait.
    private static let forgetBatch = 500

    /// Removes versions whose window has ended, and states it, so that one that is missing otherwise is noticed.
    private func forgetDeleted() async throws -> Int {
        let time = now().milliseconds
        let limit = time - Int64(configuration.undeleteSeconds) * 1000
        var total = 0
        while true {
            let count = try await catalog.write { [versionLog] transaction -> Int in
                let rows = try transaction.rows(
                    "SELECT * FROM store_versions WHERE deleted_at <= ? ORDER BY deleted_at, id LIMIT ?", limit,
                    Self.forgetBatch)
                for row in rows {
                    let id = try VersionRow.id(row)
                    try versionLog.append(
                        try Self.removal(row, at: time), subject: VersionLog.subject(id), transaction)
                    for table in ["store_pins", "store_tags"] {
                        try transaction.execute("DELETE FROM \(table) WHERE version = ?", id.rawValue)
                    }
                    try transaction.execute("DELETE FROM store_versions WHERE id = ?", id.rawValue)
                }
                return rows.count
            }
            total += count
            if count < Self.forgetBatch { return total }
        }
    }

    /// The versions that a collection would forget now.
    private func endingVersions() async throws -> Set<VersionID> {
        let limit = now().milliseconds - Int64(configuration.undeleteSeconds) * 1000
        return try await catalog.read { transaction in
            Set(
                try transaction.rows("SELECT id FROM store_versions WHERE deleted_at <= ?", limit).map(VersionRow.id))
        }
    }

    private static func removal(_ row: Row, at time: Int64) throws -> Statement {
        let draft = try VersionRow.draft(row)
        var statement = Statement(.removal, at: time)
        statement.version = try row.string("id")
        statement.account = draft.scope.account
        statement.region = draft.scope.region
        statement.repository = draft.repository
        statement.artifact = draft.artifact
        statement.number = Int(try row.natural("number"))
        return statement
    }

    /// Marks from every version that is visible or can be brought back.
    func mark(plan: Bool = false, except: Set<VersionID> = []) async throws -> (Marks, needed: Set<UInt32>) {
        var attempts = 0
        while true {
            let roots = try await catalog.read { transaction -> [RecordID] in
                var roots: [RecordID] = []
                try transaction.forEach("SELECT id, roots FROM store_versions") { row in
                    if !except.isEmpty, except.contains(try VersionRow.id(row)) { return }
                    let bytes = try DamagedRow.naming("version \(try VersionRow.id(row))") {
                        let bytes = try row.bytes("roots")
                        // A part of them would have the rest of the version's content collected.
                        guard bytes.count % RecordID.byteCount == 0 else {
                            throw FormatError("the list of its records is damaged")
                        }
                        return bytes
                    }
                    bytes.withUnsafeBytes { raw in
                        for start in stride(from: 0, to: raw.count - 15, by: 16) {
                            roots.append(RecordID(UnsafeRawBufferPointer(rebasing: raw[start..<start + 16])))
                        }
                    }
                }
                return roots
            }
            do {
                return try await pool.run { [packs] in
                    var marker = Marker(packs)
                    do {
                        try marker.mark(roots)
                    } catch let error as FormatError {
                        throw StoreError.integrity("the collection stopped: \(error)")
                    }
                    return (marker.marks, marker.needed)
                }
            } catch let error as StoreError where error.code == .integrity && attempts < 2 && !plan {
                // An ingest may have stored a damaged or condemned record anew in a pack that no commit names yet.
                attempts += 1
                try await settle()
            }
        }
    }

    private func candidatePacks(before epoch: Int64) async throws -> [PackInfo] {
        try await catalog.read { transaction in
            try transaction.rows(
                "SELECT * FROM store_packs WHERE state = 1 AND last_ref_epoch < ? ORDER BY number", epoch
            ).map(Recovery.info)
        }
    }

    private func resurrect(_ numbers: Set<UInt32>) async throws {
        for number in numbers.sorted() {
            try await catalog.write { transaction in
                _ = try transaction.execute(
                    "UPDATE store_packs SET state = 1, condemned_epoch = NULL WHERE number = ? AND state = 2",
                    Int64(number))
            }
            packs.table.update(number) { if $0.state == .condemned { $0.state = .sealed } }
        }
    }

    private func condemn(_ number: UInt32, _ epoch: Int64) async throws -> Bool {
        let done = try await catalog.write { transaction in
            try transaction.execute(
                """
                UPDATE store_packs SET state = 2, condemned_epoch = ?
                WHERE number = ? AND state = 1 AND last_ref_epoch < ?
                """, epoch, Int64(number), epoch) > 0
        }
        if done { packs.table.update(number) { $0.state = .condemned } }
        return done
    }

    /// Copies a pack's needed records elsewhere, publishes their places, and condemns the pack.
    private func compact(_ info: PackInfo, _ marks: Marks, _ report: inout CollectionReport) async throws {
        let copied: [PackEntry]
        do {
            copied = try await pool.run { [packs] in try Compaction(packs).copy(info, marks) }
        } catch let error as StoreError where error.code == .integrity {
            report.packsDamaged += 1
            return
        }
        try await step(.copied)
        let targets = Set(copied.map(\.location.pack))
        let durables = try await flushes.flush(targets.union(packs.unregisteredSealed))
        let time = now().milliseconds
        try await catalog.write { transaction in
            let epoch = try transaction.storeState("epoch")
            try CommitPacks.register(durables, epoch: epoch, now: time, transaction)
            _ = try CommitPacks.rely(on: targets, epoch: epoch, transaction)
        }
        packs.registered(durables)
        report.bytesCopied += copied.reduce(0) { $0 + Int64($1.location.recordBytes) }
        try await step(.registered)
        if try await condemn(info.number, report.epoch) { report.packsCompacted += 1 }
    }

    /// Deletes condemned packs that no lease can still need.
    private func deleteCondemned(_ report: inout CollectionReport) async throws {
        let oldest = leases.oldestEpoch(at: now()) ?? Int64.max
        let rows = try await catalog.read {
            try $0.rows("SELECT * FROM store_packs WHERE state = 3 OR (state = 2 AND condemned_epoch < ?)", oldest)
        }
        for row in rows {
            let info = try Recovery.info(row)
            let epoch = try row.optionalInt64("condemned_epoch")
            try await step(.deleting)
            let mine = try await catalog.write { transaction in
                try transaction.execute(
                    "UPDATE store_packs SET state = 3 WHERE number = ? AND (state = 3 OR (state = 2 AND condemned_epoch = ?))",
                    Int64(info.number), epoch) > 0
            }
            guard mine else { continue }
            packs.table.update(info.number) { $0.state = .deleted }
            try await step(.unlinking)
            try await pool.run { [packs] in try packs.backend.delete(info.name) }
            try await step(.unlinked)
            try await catalog.write { transaction in
                try transaction.execute("DELETE FROM store_damage WHERE pack = ?", Int64(info.number))
                try transaction.execute("DELETE FROM store_scour WHERE pack = ?", Int64(info.number))
                _ = try transaction.execute(
                    "DELETE FROM store_packs WHERE number = ? AND state = 3", Int64(info.number))
            }
            packs.table.remove(info.number)
            report.packsDeleted += 1
            report.bytesFreed += Int64(info.length)
        }
    }

    /// Places between the steps of a collection, where a test may stop it as a crash would.
    enum CollectionStep: Sendable, CaseIterable {
        case settled, begun, marked, decided, completed, condemning, compacting, copied, registered, deleting,
            unlinking, unlinked
    }

    private func step(_ step: CollectionStep) async throws { try await collectionHook.withLock { $0 }?(step) }
}

/// Copies records as they are, so that compressed bytes, and with them ZIP views, never change.
private struct Compaction {
    private let packs: PackStore

    init(_ packs: PackStore) { self.packs = packs }

    func copy(_ info: PackInfo, _ marks: Marks) throws -> [PackEntry] {
        // Without the customer's key a record cannot be checked; the pack's digests can.
        if let problem = try PackCheck(packs, info).digestProblems().first {
            throw StoreError.integrity("pack \(info.name) is damaged: \(problem.reason)")
        }
        var moved: [PackEntry] = []
        for entry in try packs.entries(of: info).sorted(by: { $0.location.offset < $1.location.offset })
        where marks.contains(entry.location) {
            let record = try packs.readRecord(entry.id, entry.location)
            let location = try record.withUnsafeBytes {
                try packs.append(
                    $0, id: entry.id, kind: entry.location.kind, codec: entry.location.codec,
                    plainBytes: Int(entry.location.plainBytes), encodedBytes: Int(entry.location.encodedBytes),
                    check: entry.location.check, reach: entry.reach)
            }
            moved.append(PackEntry(id: entry.id, location: location, reach: entry.reach))
        }
        return moved
    }
}
