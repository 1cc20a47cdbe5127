import Catalog
import Logging

/// How thoroughly to look for damage.
public enum ScrubLevel: String, Sendable, CaseIterable {
    /// Headers, trailers, lengths and index frames.
    case quick
    /// Every stored byte against its digest. Needs no customer key. Packs that are still being filled have no digests: only
    /// their structure is looked at, and ``ScrubReport/unsealed`` counts them.
    case pack
    /// Every version down to the plaintext of every file. Needs the keys; versions whose key is disabled are skipped.
    case deep
}

/// One damaged place.
public struct Damage: Sendable, Hashable {
    /// The pack's name; nil for damage found in a version.
    public let pack: String?
    /// What is wrong.
    public let reason: String
    /// Versions that need what is damaged.
    public let versions: [VersionID]
    /// Files of those versions, as `REPOSITORY/ARTIFACT@NUMBER:PATH`, where the keys allow to name them.
    public let paths: [String]
}

/// What scrubbing found.
public struct ScrubReport: Sendable {
    /// Packs looked at.
    public var packs = 0
    /// Of these, packs that are still being filled, of which no level but `deep` sees the content.
    public var unsealed = 0
    /// Bytes read.
    public var bytes: Int64 = 0
    /// Versions read (deep).
    public var versions = 0
    /// Versions whose key does not allow reading (deep).
    public var skipped: [VersionID] = []
    /// Damage, old and new, of what was looked at.
    public var damage: [Damage] = []
    /// Whether the pass ended; false when the byte limit stopped it, to be resumed by the next call.
    public var isComplete = true
    /// Whether this call went on with a pass that an earlier one left.
    public var isResumed = false
}

extension ArtifactStore {
    /// Looks for damage: at every pack, then, deep, at every version.
    ///
    /// A call goes on where the last one of its level stopped, be it at its limit, by cancellation or with the process: at
    /// the same pack, and in the middle of a version or of a large file. What it looks at is one pass; the call that ends
    /// a pass says so, and the next one begins another.
    ///
    /// Damaged records no longer serve as duplicates: the next push of their content stores it anew, and reads then use the
    /// new copy.
    ///
    /// - Parameters:
    ///   - bytesPerSecond: upper limit of the reading rate; nil: none.
    ///   - byteLimit: stop after about so many bytes; nil: finish the pass.
    ///   - fresh: begin a new pass, whatever became of the last one.
    public func scrub(
        _ level: ScrubLevel, bytesPerSecond: Int? = nil, byteLimit: Int64? = nil, fresh: Bool = false
    ) async throws -> ScrubReport {
        guard scrubGate.enter() else { throw StoreError(.conflict, "a scrub is under way already") }
        defer { scrubGate.leave() }
        let lease = leases.begin(expires: nil)
        defer { lease.end() }
        var pass = try await ScrubPass.load(level, fresh: fresh, now: now(), catalog)
        var report = ScrubReport()
        report.isResumed = pass.isResumed
        let pace = Pace(bytesPerSecond: bytesPerSecond)
        let limit = byteLimit ?? Int64.max
        try await scrubPacks(level, &pass, &report, pace, limit)
        if level == .deep, report.isComplete { try await scrubVersions(&pass, &report, pace, limit) }
        if report.isComplete { try await pass.end(catalog) }
        return report
    }

    private func scrubPacks(
        _ level: ScrubLevel, _ pass: inout ScrubPass, _ report: inout ScrubReport, _ pace: Pace, _ limit: Int64
    ) async throws {
        let done = Int64(pass.pack)
        let rows = try await catalog.read {
            try $0.rows("SELECT * FROM store_packs WHERE state < 3 AND number > ? ORDER BY number", done)
        }
        for row in rows {
            guard report.bytes < limit else {
                report.isComplete = false
                return
            }
            try Task.checkCancellation()
            let info = try Recovery.info(row)
            let problems = try await pool.run { [packs] in
                let check = PackCheck(packs, info)
                let structure = try check.structureProblems()
                return level == .quick ? structure : structure + (try check.digestProblems { pace.wait($0) })
            }
            report.packs += 1
            if info.state == .open { report.unsealed += 1 }
            report.bytes += level == .quick || info.state == .open ? 4096 : Int64(info.length)
            // A collection may have removed the pack meanwhile: it was condemned before this lease began.
            let isThere = packs.table[info.number].map { $0.state != .deleted } ?? false
            if !problems.isEmpty, isThere { report.damage.append(try await assess(info, problems)) }
            pass.pack = info.number
            try await pass.save(now: now(), catalog)
        }
    }

    /// Records which records are concerned and finds the versions and files that need them.
    private func assess(_ info: PackInfo, _ problems: [PackCheck.Problem]) async throws -> Damage {
        let entries = try await pool.run { [packs] in
            // Unreadable index frames: the index in memory and on disk still knows what the pack held.
            (try? packs.entries(of: info)) ?? []
        }
        let hit = entries.filter { entry in
            let place = Int(entry.location.offset)..<Int(entry.location.offset) + Int(entry.location.recordBytes)
            return problems.contains { $0.range.map { $0.overlaps(place) } ?? true }
        }
        let reason = problems.map(\.reason).joined(separator: "; ")
        let time = now().milliseconds
        for entry in hit { packs.table.markDamaged(entry.location) }
        try await catalog.write { transaction in
            for entry in hit {
                try transaction.execute(
                    """
                    INSERT INTO store_damage (pack, record_offset, record, reason, found_at) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (pack, record_offset) DO UPDATE SET found_at = excluded.found_at
                    """, Int64(info.number), Int64(entry.location.offset), entry.id.bytes, reason, time)
            }
        }
        let affected = try await affected(by: Set(hit.map(\.id)))
        return Damage(pack: info.name, reason: reason, versions: affected.versions, paths: affected.paths)
    }

    /// The versions that need one of `records` and, where their keys allow, the files.
    private func affected(by records: Set<RecordID>) async throws -> (versions: [VersionID], paths: [String]) {
        if records.isEmpty { return ([], []) }
        let rows = try await catalog.read { try $0.rows("SELECT * FROM store_versions WHERE deleted_at IS NULL") }
        var versions: [VersionID] = []
        var paths: [String] = []
        for row in rows {
            guard let version = try? await open(row, leases.begin(expires: nil)) else { continue }
            let found = try await pool.run { try DamageSearch(version, records).run() }
            if !found.isEmpty {
                versions.append(version.id)
                paths += found
            }
        }
        return (versions, paths)
    }

    /// Reads versions, oldest first, a slice at a time; where it stands is saved after each.
    private func scrubVersions(
        _ pass: inout ScrubPass, _ report: inout ScrubReport, _ pace: Pace, _ limit: Int64
    ) async throws {
        while let id = try await pass.nextVersion(catalog) {
            guard report.bytes < limit else {
                report.isComplete = false
                return
            }
            do {
                let check = try DeepCheck(try await open(id), from: pass.place)
                while true {
                    try Task.checkCancellation()
                    let slice = min(limit - report.bytes, ScrubPass.sliceBytes)
                    let found = try await pool.run { try check.run(slice, pace) }
                    report.bytes += found.bytes
                    for (path, reason) in found.problems {
                        log.error("a scrub found damage", metadata: ["path": "\(path)", "reason": "\(reason)"])
                        report.damage.append(Damage(pack: nil, reason: reason, versions: [id], paths: [path]))
                    }
                    guard let place = found.place else { break }
                    pass.place = place
                    try await pass.save(now: now(), catalog)
                    if report.bytes >= limit {
                        report.isComplete = false
                        return
                    }
                }
                report.versions += 1
            } catch let error as StoreError where error.code == .keyUnavailable || error.code == .notFound {
                report.skipped.append(id)
            } catch let error as StoreError where error.code == .integrity {
                report.damage.append(Damage(pack: nil, reason: error.message, versions: [id], paths: []))
            }
            pass.place = nil
            try await pass.save(now: now(), catalog)
        }
    }

    /// Forgets the chunk index and reads it again from the packs.
    ///
    /// - Returns: the number of records found.
    public func rebuildIndex() async throws -> Int {
        try await moveJournal(force: true)
        return try await pool.run { [packs] in try packs.rebuildIndex() }
    }
}
