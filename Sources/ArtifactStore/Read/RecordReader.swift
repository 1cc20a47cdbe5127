import Cryptography
import Synchronization

/// Reads and checks records. Thread-safe; blocks.
final class RecordReader: Sendable {
    let packs: PackStore
    let workers: WorkerPool
    /// Plaintexts of trees and nodes lately read, by capability.
    private let cache: Mutex<ObjectCache>

    init(packs: PackStore, workers: WorkerPool, cacheBytes: Int = 16 << 20) {
        self.packs = packs
        self.workers = workers
        cache = Mutex(ObjectCache(limit: cacheBytes))
    }

    /// The plaintext of a record: authenticated, inflated to its declared length, and equal to its digest.
    func plaintext(_ ref: Ref, _ domain: RecordDomain, session: IngestSession? = nil) throws -> [UInt8] {
        try read(ref, domain, session) { frame, worker in
            let bytes = try frame.plaintext(worker)
            guard bytes.count == ref.count, SHA256.digest(bytes) == ref.digest else {
                throw FormatError("its content is not what its name says")
            }
            return bytes
        }
    }

    /// The plaintext of a record that was read together with its neighbours and is decrypted in place; nil when it is not
    /// intact.
    func intact(_ record: UnsafeMutableRawBufferPointer, _ ref: Ref, _ domain: RecordDomain) throws -> [UInt8]? {
        do {
            return try workers.with { worker in
                try RecordCipher.open(record, key: ref.key, id: ref.id, domain: domain, worker: worker) { frame in
                    let bytes = try frame.plaintext(worker)
                    return bytes.count == ref.count && SHA256.digest(bytes) == ref.digest ? bytes : nil
                }
            }
        } catch is FormatError {
            return nil
        }
    }

    /// A tree or node, through the cache.
    func object(_ ref: Ref, _ domain: RecordDomain, session: IngestSession? = nil) throws -> [UInt8] {
        if let found = cache.withLock({ $0[ref] }) { return found }
        let bytes = try plaintext(ref, domain, session: session)
        cache.withLock { $0.add(ref, bytes) }
        return bytes
    }

    /// The encoded payload of a chunk: authenticated, not inflated.
    func payload(_ ref: Ref, _ domain: RecordDomain) throws -> (codec: RecordCodec, bytes: [UInt8]) {
        try read(ref, domain, nil) { frame, _ in
            guard frame.plainBytes == ref.count else { throw FormatError("its length is not what its name says") }
            return (frame.codec, Array(frame.payload))
        }
    }

    /// What the index says of a record, without reading it.
    func location(_ ref: Ref, session: IngestSession? = nil) throws -> Location {
        if let held = session?.held(ref.id) { return held.location }
        guard let location = try packs.readable(ref.id) else { throw Self.missing(ref) }
        return location
    }

    private func read<R>(
        _ ref: Ref, _ domain: RecordDomain, _ session: IngestSession?,
        _ body: (RecordCipher.Frame, Worker) throws -> R
    ) throws -> R {
        if let held = session?.held(ref.id) { return try open(held.record, ref, domain, body) }
        guard let location = try packs.readable(ref.id) else { throw Self.missing(ref) }
        do {
            return try open(try packs.readRecord(ref.id, location), ref, domain, body)
        } catch {
            guard error is FormatError || (error as? StoreError)?.code == .integrity else { throw error }
            packs.table.markDamaged(location)
            // Another copy may be intact: the record may have been moved or pushed again meanwhile.
            if let other = try packs.readable(ref.id), other != location,
                let value = try? open(try packs.readRecord(ref.id, other), ref, domain, body)
            {
                return value
            }
            let name = packs.table[location.pack]?.name ?? "journal"
            throw StoreError.integrity(
                "record \(ref.id) at byte \(location.offset) of pack \(name) is damaged: \(error)")
        }
    }

    private func open<R>(
        _ record: [UInt8], _ ref: Ref, _ domain: RecordDomain, _ body: (RecordCipher.Frame, Worker) throws -> R
    ) throws -> R {
        var record = record
        return try workers.with { worker in
            try record.withUnsafeMutableBytes { bytes in
                try RecordCipher.open(bytes, key: ref.key, id: ref.id, domain: domain, worker: worker) { frame in
                    try body(frame, worker)
                }
            }
        }
    }

    private static func missing(_ ref: Ref) -> StoreError {
        StoreError.integrity("record \(ref.id) is not in any pack")
    }
}

/// A bounded cache that forgets about the oldest half when it is full.
struct ObjectCache {
    private let limit: Int
    private var young: [Ref: [UInt8]] = [:]
    private var old: [Ref: [UInt8]] = [:]
    private var youngBytes = 0

    init(limit: Int) { self.limit = limit }

    subscript(_ ref: Ref) -> [UInt8]? {
        mutating get {
            if let found = young[ref] { return found }
            guard let found = old[ref] else { return nil }
            add(ref, found)
            return found
        }
    }

    mutating func add(_ ref: Ref, _ bytes: [UInt8]) {
        if youngBytes + bytes.count > limit / 2 {
            old = young
            young = [:]
            youngBytes = 0
        }
        young[ref] = bytes
        youngBytes += bytes.count
    }
}
