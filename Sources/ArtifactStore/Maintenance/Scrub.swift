import Catalog
import Cryptography
import Foundation
import Synchronization

/// How thoroughly to look for damage.
public enum ScrubLevel: String, Sendable, CaseIterable {
    /// Headers, trailers, lengths and index frames.
    case quick
    /// Every stored byte against its digest. Needs no customer key.
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
    /// Bytes read.
    public var bytes: Int64 = 0
    /// Versions read (deep).
    public var versions = 0
    /// Versions whose key does not allow reading (deep).
    public var skipped: [VersionID] = []
    /// Damage, old and new, of what was looked at.
    public var damage: [Damage] = []
    /// Whether everything was looked at; false when the time or byte limit ended it, to be resumed by the next call.
    public var isComplete = true
}

extension ArtifactStore {
    /// Looks for damage, packs least recently looked at first, so that interrupted runs add up.
    ///
    /// Damaged records no longer serve as duplicates: the next push of their content stores it anew, and reads then use the
    /// new copy.
    ///
    /// - Parameters:
    ///   - bytesPerSecond: upper limit of the reading rate; nil: none.
    ///   - byteLimit: stop after so many bytes; nil: look at everything.
    public func scrub(
        _ level: ScrubLevel, bytesPerSecond: Int? = nil, byteLimit: Int64? = nil
    ) async throws -> ScrubReport {
        guard scrubGate.enter() else { throw StoreError(.conflict, "a scrub is under way already") }
        defer { scrubGate.leave() }
        var report = ScrubReport()
        let lease = leases.begin(expires: nil)
        defer { lease.end() }
        let pace = Pace(bytesPerSecond: bytesPerSecond)
        let rows = try await catalog.read {
            try $0.rows("SELECT * FROM store_packs WHERE state < 3 ORDER BY COALESCE(scrubbed_at, 0), number")
        }
        var found: [(info: PackInfo, problems: [PackCheck.Problem])] = []
        for row in rows {
            if let byteLimit, report.bytes >= byteLimit {
                report.isComplete = false
                break
            }
            try Task.checkCancellation()
            let info = try Recovery.info(row)
            let problems = try await pool.run { [packs] in
                let check = PackCheck(packs, info)
                let structure = try check.structureProblems()
                return level == .quick ? structure : structure + (try check.digestProblems { pace.wait($0) })
            }
            report.packs += 1
            report.bytes += level == .quick ? 4096 : Int64(info.length)
            // A collection may have removed the pack meanwhile: it was condemned before this lease began.
            let isThere = packs.table[info.number].map { $0.state != .deleted } ?? false
            if !problems.isEmpty, isThere { found.append((info, problems)) }
            let time = now().milliseconds
            try await catalog.write { transaction in
                _ = try transaction.execute(
                    "UPDATE store_packs SET scrubbed_at = ? WHERE number = ?", time, Int64(info.number))
            }
        }
        for (info, problems) in found { report.damage.append(try await assess(info, problems)) }
        if level == .deep { try await deepScrub(&report, pace) }
        return report
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

    private func deepScrub(_ report: inout ScrubReport, _ pace: Pace) async throws {
        let ids = try await catalog.read {
            try $0.rows("SELECT id FROM store_versions ORDER BY created_at").map(VersionRow.id)
        }
        for id in ids {
            try Task.checkCancellation()
            let version: OpenVersion
            do {
                version = try await open(id)
            } catch let error as StoreError where error.code == .keyUnavailable || error.code == .notFound {
                report.skipped.append(id)
                continue
            } catch let error as StoreError where error.code == .integrity {
                report.damage.append(Damage(pack: nil, reason: error.message, versions: [id], paths: []))
                continue
            }
            let found = try await pool.run { try DeepCheck(version, pace).run() }
            report.versions += 1
            report.bytes += found.bytes
            for (path, reason) in found.problems {
                report.damage.append(Damage(pack: nil, reason: reason, versions: [id], paths: [path]))
            }
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

/// Limits a rate by waiting.
final class Pace: Sendable {
    private let bytesPerSecond: Int?
    private let debt = Mutex(0.0)

    init(bytesPerSecond: Int?) { self.bytesPerSecond = bytesPerSecond }

    func wait(_ bytes: Int) {
        guard let bytesPerSecond, bytesPerSecond > 0 else { return }
        let seconds = debt.withLock { debt -> Double in
            debt += Double(bytes) / Double(bytesPerSecond)
            guard debt > 0.05 else { return 0 }
            defer { debt = 0 }
            return debt
        }
        if seconds > 0 { Thread.sleep(forTimeInterval: seconds) }
    }
}

/// Finds the files of a version that need certain records, without reading chunks.
private struct DamageSearch {
    private let version: OpenVersion
    private let records: Set<RecordID>
    private var found: [String] = []

    init(_ version: OpenVersion, _ records: Set<RecordID>) {
        self.version = version
        self.records = records
    }

    func run() throws -> [String] {
        var search = self
        switch version.root.content {
        case .blob(let content): search.file(content, "")
        case .tree(let directory): search.directory(directory, "")
        }
        return search.found
    }

    private func name(_ path: String) -> String { version.context.subject + (path.isEmpty ? "" : ":" + path) }

    private mutating func file(_ content: FileContent, _ path: String) {
        var walk = SegmentWalk(version.context, content)
        do {
            if content.refs.contains(where: { records.contains($0.id) }) { return found.append(name(path)) }
            while let (segment, _) = try walk.next() {
                if let ref = segment.ref, records.contains(ref.id) { return found.append(name(path)) }
            }
        } catch {
            // Its list of chunks cannot be read: it is concerned.
            found.append(name(path))
        }
    }

    private mutating func directory(_ directory: DirectoryContent, _ path: String) {
        do {
            for entry in try version.context.entries(directory) {
                let full = (path.isEmpty ? "" : path + "/") + String(decoding: entry.name, as: UTF8.self)
                switch entry.content {
                case .file(let content): file(content, full)
                case .directory(let child): self.directory(child, full)
                case .symlink: break
                }
            }
        } catch {
            found.append(name(path + "/"))
        }
    }
}

/// Reads everything of a version and compares every file with its digest.
private struct DeepCheck {
    private let version: OpenVersion
    private let pace: Pace
    private var bytes: Int64 = 0
    private var problems: [(String, String)] = []

    init(_ version: OpenVersion, _ pace: Pace) {
        self.version = version
        self.pace = pace
    }

    func run() throws -> (bytes: Int64, problems: [(String, String)]) {
        var check = self
        switch version.root.content {
        case .blob(let content): try check.file(content, "")
        case .tree(let directory): try check.directory(directory, "")
        }
        return (check.bytes, check.problems)
    }

    private mutating func note(_ path: String, _ body: () throws -> Void) throws {
        do {
            try version.context.guarding(body)
        } catch let error as StoreError where error.code == .integrity {
            problems.append((version.context.subject + (path.isEmpty ? "" : ":" + path), error.message))
        }
    }

    private mutating func file(_ content: FileContent, _ path: String) throws {
        let (context, pace) = (version.context, pace)
        try note(path) {
            var hash = SHA256()
            let reader = ContentReader(context, content, range: 0..<content.byteCount)
            while let piece = try reader.next() {
                hash.update(piece)
                pace.wait(piece.count)
            }
            guard hash.finish() == content.digest else { throw FormatError("its content is not what its name says") }
        }
        bytes += content.byteCount
    }

    private mutating func directory(_ directory: DirectoryContent, _ path: String) throws {
        var entries: [TreeEntry] = []
        let context = version.context
        try note(path) { entries = try context.entries(directory) }
        for entry in entries {
            let full = (path.isEmpty ? "" : path + "/") + String(decoding: entry.name, as: UTF8.self)
            switch entry.content {
            case .file(let content): try file(content, full)
            case .directory(let child): try self.directory(child, full)
            case .symlink: break
            }
        }
    }
}
