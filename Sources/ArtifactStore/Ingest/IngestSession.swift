import Compression
import Cryptography
import Synchronization

/// One ingest: what it wrote, what it found already there, and the lease under which it does both. Thread-safe.
final class IngestSession: Sendable {
    let packs: PackStore
    let pool: WorkPool
    let workers: WorkerPool
    let domain: DomainContext
    let cutter: any StreamCutter
    let cutsContainers: Bool
    /// Off for what is sensitive: then the length of a record tells nothing but the length of its content.
    let compresses: Bool
    private let inlineMaximum: Int
    private let state = Mutex(State())

    /// Records kept back because they may fit into the publishing transaction, then everything in packs.
    private struct State {
        var small: [RecordID: JournalRecord] = [:]
        var smallBytes = 0
        var isSpilled = false
        var touched: Set<UInt32> = []
        var journalHits: Set<RecordID> = []
        var newStoredBytes: Int64 = 0
        /// Files whose names this ingest has taken for its lists of their chunks.
        var claims: [RecordID] = []
    }

    /// What a commit needs to know.
    struct Outcome: Sendable {
        var small: [JournalRecord]
        var touched: Set<UInt32>
        var journalHits: Set<RecordID>
        /// Bytes of the records that this ingest stored, whole: header, padding and tag included; in packs, or in the
        /// journal after the commit. An upload that outlived a restart counts those since.
        var newStoredBytes: Int64
    }

    init(
        packs: PackStore, pool: WorkPool, workers: WorkerPool, domain: DomainContext, cutter: any StreamCutter,
        compresses: Bool = true, configuration: StoreConfiguration
    ) {
        self.packs = packs
        self.pool = pool
        self.workers = workers
        self.domain = domain
        self.cutter = cutter
        cutsContainers = configuration.cutsContainers
        self.compresses = compresses
        inlineMaximum = configuration.inlineCommitBytes
    }

    deinit { packs.fileLists.release(state.withLock { $0.claims }) }

    /// Takes a file's name for a list of its chunks until this ingest has ended.
    func claim(_ name: RecordID, for list: SHA256Digest) -> Bool {
        guard packs.fileLists.claim(name, for: list) else { return false }
        state.withLock { $0.claims.append(name) }
        return true
    }

    /// Gives back a name that was taken last.
    func unclaim(_ name: RecordID) {
        let had = state.withLock { state -> Bool in
            guard let index = state.claims.lastIndex(of: name) else { return false }
            state.claims.remove(at: index)
            return true
        }
        if had { packs.fileLists.release([name]) }
    }

    var outcome: Outcome {
        state.withLock { state in
            Outcome(
                small: Array(state.small.values), touched: state.touched, journalHits: state.journalHits,
                newStoredBytes: state.newStoredBytes)
        }
    }

    /// What is handled where the caller runs, in bytes: handing it to another thread and back would take longer.
    private static let lightMaximum = 32 << 10

    /// Runs a body that stores about `count` bytes: on the store's threads or, when that is little and stays in memory until
    /// the commit, at once. At once it takes a fraction of a millisecond and writes nothing.
    func run<T: Sendable>(storing count: Int, _ body: @escaping @Sendable () throws -> T) async throws -> T {
        // Sealing adds some bytes to each record.
        let room = count + count / 4 + 1024
        let isLight =
            count <= Self.lightMaximum
            && state.withLock { !$0.isSpilled && $0.smallBytes + room <= inlineMaximum }
        return isLight ? try body() : try await pool.run(body)
    }

    /// Whether everything that this ingest stored or found is in memory.
    var isInMemory: Bool { state.withLock { !$0.isSpilled && $0.touched.isEmpty } }

    /// Whether this ingest writes to packs.
    var isSpilled: Bool { state.withLock { $0.isSpilled } }

    /// Stores a chunk of a file, unless it is there already.
    func storeChunk(_ bytes: UnsafeRawBufferPointer, digest: SHA256Digest? = nil) throws -> Ref {
        let digest = digest ?? SHA256.digest(bytes)
        let id = domain.recordID(digest, count: Int64(bytes.count))
        let ref = Ref(
            count: bytes.count, digest: digest, id: id, key: domain.recordKey(digest, count: Int64(bytes.count)),
            crc: CRC32.update(CRC32.initial, bytes))
        if try find(id) == nil {
            try write(bytes, ref, kind: .chunk, reach: [], compress: !Self.looksIncompressible(bytes))
        }
        return ref
    }

    /// Stores a tree or an inner node, unless it is there already.
    func storeObject(_ bytes: [UInt8], kind: RecordKind, reach: [RecordID]) throws -> Ref {
        let digest = SHA256.digest(bytes)
        let id = domain.recordID(digest, count: Int64(bytes.count))
        let key = domain.recordKey(digest, count: Int64(bytes.count))
        let ref = Ref(count: bytes.count, digest: digest, id: id, key: key, crc: 0)
        if try find(id) == nil {
            try bytes.withUnsafeBytes { try write($0, ref, kind: kind, reach: reach, compress: true) }
        }
        return ref
    }

    /// Whether a record is there, noting that this ingest relies on it.
    func find(_ id: RecordID) throws -> Location? {
        let held = state.withLock { $0.small[id]?.location }
        if let held { return held }
        guard let location = try packs.reusable(id) else { return nil }
        state.withLock { state in
            if location.pack == Location.journal {
                state.journalHits.insert(id)
            } else {
                state.touched.insert(location.pack)
            }
        }
        return location
    }

    /// A record that only this ingest knows of so far.
    func held(_ id: RecordID) -> JournalRecord? { state.withLock { $0.small[id] } }

    func write(
        _ bytes: UnsafeRawBufferPointer, _ ref: Ref, kind: RecordKind, reach: [RecordID], compress: Bool
    ) throws {
        try workers.with { worker in
            try RecordCipher.seal(
                bytes, key: ref.key, id: ref.id, domain: domain.records, compress: compress && compresses,
                worker: worker
            ) { sealed in
                let spill = state.withLock { state -> [JournalRecord]? in
                    // Two threads may have come upon the same content; what is kept back is kept once.
                    if state.small[ref.id] != nil { return nil }
                    state.newStoredBytes += Int64(sealed.record.count)
                    if state.isSpilled { return [] }
                    if state.smallBytes + sealed.record.count <= inlineMaximum {
                        state.smallBytes += sealed.record.count
                        state.small[ref.id] = JournalRecord(
                            id: ref.id, kind: kind, codec: sealed.codec, plainBytes: bytes.count,
                            encodedBytes: sealed.encodedBytes, reach: reach, record: Array(sealed.record),
                            check: sealed.check)
                        return nil
                    }
                    state.isSpilled = true
                    return state.small.values.sorted { $0.id < $1.id }
                }
                guard let spill else { return }
                for record in spill {
                    let location = try record.record.withUnsafeBytes {
                        try packs.append(
                            $0, id: record.id, kind: record.kind, codec: record.codec, plainBytes: record.plainBytes,
                            encodedBytes: record.encodedBytes, check: record.check, reach: record.reach)
                    }
                    touch(location, dropping: record.id)
                }
                touch(
                    try packs.append(
                        sealed.record, id: ref.id, kind: kind, codec: sealed.codec, plainBytes: bytes.count,
                        encodedBytes: sealed.encodedBytes, check: sealed.check, reach: reach))
            }
        }
    }

    private func touch(_ location: Location, dropping id: RecordID? = nil) {
        state.withLock { state in
            state.touched.insert(location.pack)
            if let id { state.small[id] = nil }
        }
    }

    /// Whether trying to compress is a waste: the bytes, or those of a sample, are about as evenly spread as random ones.
    static func looksIncompressible(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 1024 else { return false }
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { histogram in
            histogram.initialize(repeating: 0)
            var count = bytes.count
            if count < 8192 {
                for byte in bytes { histogram[Int(byte)] &+= 1 }
            } else {
                count = 4096
                let stride = bytes.count / 16
                for block in 0..<16 {
                    for offset in block * stride..<block * stride + 256 { histogram[Int(bytes[offset])] &+= 1 }
                }
            }
            var squares = 0
            for value in histogram { squares += Int(value) * Int(value) }
            // Of n random bytes the sum is n + n²/256, give or take one in a hundred for the shortest; of English text
            // about four times as much.
            return squares < (count + count * count / 256) * 17 / 16
        }
    }
}
