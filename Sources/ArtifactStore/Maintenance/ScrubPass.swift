import Catalog
import Foundation

/// How far a pass of scrubbing has come. A row of the database, so that a pass survives the process.
struct ScrubPass: Sendable {
    /// Where reading is saved at least once.
    static let sliceBytes: Int64 = 64 << 20

    let level: ScrubLevel
    let isResumed: Bool
    /// The last pack that was looked at; packs are taken in the order of their numbers.
    var pack: UInt32
    /// The version under way, or the last finished one.
    private var version: (createdAt: Int64, id: String)?
    /// Where in the version under way to go on; nil: it is finished.
    var place: DeepCheck.Place?
    private var isUnderWay: Bool

    static func load(_ level: ScrubLevel, fresh: Bool, now: Date, _ catalog: Catalog) async throws -> ScrubPass {
        if fresh {
            _ = try await catalog.write { try $0.execute("DELETE FROM store_scrub WHERE level = ?", level.rawValue) }
        }
        let row = try await catalog.read { try $0.row("SELECT * FROM store_scrub WHERE level = ?", level.rawValue) }
        guard let row else {
            return ScrubPass(level: level, isResumed: false, pack: 0, version: nil, place: nil, isUnderWay: false)
        }
        var version: (Int64, String)?
        if let id = try row.optionalString("version") { version = (try row.int64("version_at"), id) }
        let path = try row.optionalBytes("path")
        let offset = try row.natural("position")
        return ScrubPass(
            level: level, isResumed: true, pack: try row.integer("pack", as: UInt32.self), version: version,
            place: path.map { DeepCheck.Place(path: $0, offset: offset) }, isUnderWay: path != nil)
    }

    /// The version to read next: the one that was left in the middle, else the one published after the last.
    mutating func nextVersion(_ catalog: Catalog) async throws -> VersionID? {
        if isUnderWay, let version {
            isUnderWay = false
            let exists = try await catalog.read {
                try $0.row("SELECT id FROM store_versions WHERE id = ?", version.id) != nil
            }
            if exists { return VersionID(unchecked: version.id) }
            place = nil
        }
        let (time, id) = version.map { ($0.createdAt, $0.id) } ?? (Int64.min, "")
        let row = try await catalog.read {
            try $0.row(
                """
                SELECT id, created_at FROM store_versions WHERE (created_at, id) > (?, ?)
                ORDER BY created_at, id LIMIT 1
                """, time, id)
        }
        guard let row else { return nil }
        version = (try row.int64("created_at"), try row.string("id"))
        place = nil
        return try VersionRow.id(row)
    }

    func save(now: Date, _ catalog: Catalog) async throws {
        let (level, pack, version, place) = (level.rawValue, Int64(pack), version, place)
        try await catalog.write { transaction in
            _ = try transaction.execute(
                """
                INSERT INTO store_scrub (level, pack, version_at, version, path, position, saved_at)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (level) DO UPDATE SET pack = excluded.pack,
                    version_at = excluded.version_at, version = excluded.version, path = excluded.path,
                    position = excluded.position, saved_at = excluded.saved_at
                """, level, pack, version?.createdAt, version?.id, place?.path, place?.offset ?? 0, now.milliseconds)
        }
    }

    func end(_ catalog: Catalog) async throws {
        let level = level.rawValue
        try await catalog.write { _ = try $0.execute("DELETE FROM store_scrub WHERE level = ?", level) }
    }
}
