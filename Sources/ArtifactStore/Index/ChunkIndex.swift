import Foundation
import Glibc
import Synchronization

/// Where every record is: a tail in memory for what was appended lately, and sorted immutable runs on disk.
///
/// Derived data: the packs' index frames hold the same. A manifest names the runs and the packs that they cover; what is
/// missing is read from the packs at start, and `reset` with a fresh reading of all packs rebuilds everything.
final class ChunkIndex: Sendable {
    private struct State {
        var tail: [RecordID: Location] = [:]
        /// A tail that is being written out; still answers.
        var frozen: [RecordID: Location] = [:]
        /// Newest first.
        var runs: [IndexRun] = []
        /// Bytes of each pack whose records are all in runs.
        var covered: [UInt32: UInt32] = [:]
        var nextRun = 1
        var isFlushing = false
    }

    private let directory: String
    private let tailMaximum: Int
    private let state: Mutex<State>
    /// Runs are merged when so many exist.
    private let fanIn = 8

    /// Opens the index in `directory`, or an empty one when its manifest is missing or damaged.
    init(directory: String, tailMaximum: Int) throws {
        self.directory = directory
        self.tailMaximum = tailMaximum
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var state = State()
        if let manifest = IndexManifest.read(directory) {
            do {
                state.runs = try manifest.runs.map { try IndexRun(path: directory + "/" + $0) }
                state.covered = manifest.covered
            } catch {
                // Derived data: start empty, the packs are read again.
                state.runs = []
            }
            state.nextRun = manifest.nextRun
        }
        let kept = Set(state.runs.map { URL(fileURLWithPath: $0.path).lastPathComponent })
        for name in try FileManager.default.contentsOfDirectory(atPath: directory)
        where name.hasPrefix("run-") && !kept.contains(name) {
            unlink(directory + "/" + name)
        }
        self.state = Mutex(state)
    }

    /// How many bytes of a pack are described by runs.
    func covered(_ pack: UInt32) -> Int { Int(state.withLock { $0.covered[pack] } ?? 0) }

    /// The first location of `id` that `accept` takes, newest first.
    func lookup(_ id: RecordID, accept: (Location) -> Bool) throws -> Location? {
        let runs: [IndexRun]
        let inMemory: Location?
        (inMemory, runs) = state.withLock { state in
            if let location = state.tail[id], accept(location) { return (location, []) }
            if let location = state.frozen[id], accept(location) { return (location, []) }
            return (nil, state.runs)
        }
        if let inMemory { return inMemory }
        var found: Location?
        for run in runs {
            try run.lookup(id) { location in
                guard accept(location) else { return false }
                found = location
                return true
            }
            if found != nil { break }
        }
        return found
    }

    /// Adds or replaces a record's place in the tail.
    func insert(_ id: RecordID, _ location: Location) {
        state.withLock { $0.tail[id] = location }
    }

    /// Adds many.
    func insert(_ entries: [PackEntry]) {
        state.withLock { state in for entry in entries { state.tail[entry.id] = entry.location } }
    }

    /// Removes a record's place from the tail, if it is still `location`.
    func remove(_ id: RecordID, _ location: Location) {
        state.withLock { state in if state.tail[id] == location { state.tail[id] = nil } }
    }

    /// Removes all records of some packs from the tail.
    func remove(packs: Set<UInt32>) {
        if packs.isEmpty { return }
        state.withLock { state in state.tail = state.tail.filter { !packs.contains($0.value.pack) } }
    }

    /// Records known to the index: an upper bound, since merged runs may still hold deleted ones.
    var entryCount: Int {
        state.withLock { $0.tail.count + $0.frozen.count + $0.runs.reduce(0) { $0 + $1.entryCount } }
    }

    /// Whether the tail is due to be written out.
    var isTailFull: Bool { state.withLock { $0.tail.count >= tailMaximum && !$0.isFlushing } }

    /// Writes the tail's entries as a run, merging runs when there are many. Blocks.
    ///
    /// - Parameter durable: how many bytes of each existing pack are durable, and hence which of its records are all in the
    ///   tail or in runs. Entries beyond stay in memory; entries of other packs are dropped when runs are merged.
    func flush(durable: [UInt32: UInt32]) throws {
        let started = state.withLock { state -> Bool in
            guard !state.isFlushing else { return false }
            state.isFlushing = true
            var stay: [RecordID: Location] = [:]
            for (id, location) in state.tail
            where location.offset + location.recordBytes > durable[location.pack] ?? 0 {
                stay[id] = location
            }
            for id in stay.keys { state.tail[id] = nil }
            state.frozen = state.tail
            state.tail = stay
            return true
        }
        guard started else { return }
        do {
            try writeFrozen(durable)
            try merge(durable)
            state.withLock { $0.isFlushing = false }
        } catch {
            state.withLock { state in
                // What was appended meanwhile is newer.
                state.tail.merge(state.frozen) { newer, _ in newer }
                state.frozen = [:]
                state.isFlushing = false
            }
            throw error
        }
    }

    private func writeFrozen(_ durable: [UInt32: UInt32]) throws {
        let (frozen, number) = state.withLock { ($0.frozen, $0.nextRun) }
        guard !frozen.isEmpty else { return }
        let path = directory + "/run-\(number)"
        try IndexRunWriter.write(path: path, expected: frozen.count) { writer in
            for id in frozen.keys.sorted() { if let location = frozen[id] { try writer.add(id, location) } }
        }
        let run = try IndexRun(path: path)
        try state.withLock { state in
            state.runs.insert(run, at: 0)
            state.frozen = [:]
            state.nextRun += 1
            state.covered = durable
            try save(state)
        }
    }

    private func merge(_ durable: [UInt32: UInt32]) throws {
        // Merge the newest runs of about one size: each level holds fewer than `fanIn`.
        while true {
            let (runs, number) = state.withLock { ($0.runs, $0.nextRun) }
            guard runs.count >= fanIn else { return }
            var count = fanIn
            var total = runs.prefix(fanIn).reduce(0) { $0 + $1.entryCount }
            while count < runs.count, runs[count].entryCount < total {
                total += runs[count].entryCount
                count += 1
            }
            let chosen = Array(runs.prefix(count))
            let path = directory + "/run-\(number)"
            try IndexRunWriter.write(path: path, expected: total) { writer in
                try IndexRun.merge(chosen) { id, location in
                    if durable[location.pack] != nil { try writer.add(id, location) }
                }
            }
            let merged = try IndexRun(path: path)
            try state.withLock { state in
                state.runs.removeFirst(count)
                state.runs.insert(merged, at: 0)
                state.nextRun += 1
                try save(state)
            }
            for run in chosen { unlink(run.path) }
        }
    }

    private func save(_ state: State) throws {
        try IndexManifest(
            runs: state.runs.map { URL(fileURLWithPath: $0.path).lastPathComponent },
            covered: state.covered, nextRun: state.nextRun
        ).write(directory)
    }

    /// Forgets everything, in memory and on disk.
    func reset() throws {
        try state.withLock { state in
            let runs = state.runs
            state.tail = [:]
            state.frozen = [:]
            state.runs = []
            state.covered = [:]
            try save(state)
            for run in runs { unlink(run.path) }
        }
    }
}

/// The list of runs and of how much of each pack they cover: `"CFIM0002"`, next run u64, counts u32 each, run names, pack
/// numbers with covered bytes u32 each, CRC-32. Replaced atomically.
struct IndexManifest {
    var runs: [String]
    var covered: [UInt32: UInt32]
    var nextRun: Int

    private static let magic = Array("CFIM0002".utf8)

    static func read(_ directory: String) -> IndexManifest? {
        guard let data = FileManager.default.contents(atPath: directory + "/manifest") else { return nil }
        let bytes = [UInt8](data)
        guard bytes.count >= 28, Array(bytes[0..<8]) == magic,
            Compressed.crc(bytes.dropLast(4)) == bytes.little32(at: bytes.count - 4)
        else { return nil }
        var position = 24
        var runs: [String] = []
        for _ in 0..<bytes.little32(at: 16) {
            guard position + 4 <= bytes.count else { return nil }
            let count = Int(bytes.little32(at: position))
            guard position + 4 + count <= bytes.count else { return nil }
            runs.append(String(decoding: bytes[position + 4..<position + 4 + count], as: UTF8.self))
            position += 4 + count
        }
        let count = Int(bytes.little32(at: 20))
        guard position + 8 * count + 4 == bytes.count else { return nil }
        var covered: [UInt32: UInt32] = [:]
        for index in 0..<count {
            covered[bytes.little32(at: position + 8 * index)] = bytes.little32(at: position + 8 * index + 4)
        }
        return IndexManifest(runs: runs, covered: covered, nextRun: Int(bytes.little64(at: 8)))
    }

    func write(_ directory: String) throws {
        var bytes = Self.magic
        bytes.appendLittle(UInt64(nextRun))
        bytes.appendLittle(UInt32(runs.count))
        bytes.appendLittle(UInt32(covered.count))
        for run in runs {
            bytes.appendLittle(UInt32(run.utf8.count))
            bytes += Array(run.utf8)
        }
        for number in covered.keys.sorted() {
            bytes.appendLittle(number)
            bytes.appendLittle(covered[number] ?? 0)
        }
        bytes.appendLittle(Compressed.crc(bytes[...]))
        let path = directory + "/manifest"
        // Losing the manifest costs a re-reading of the packs, never data: no directory flush.
        guard FileManager.default.createFile(atPath: path + ".new", contents: Data(bytes)),
            rename(path + ".new", path) == 0
        else { throw StoreError(.input, "the chunk index's manifest cannot be written") }
    }
}
