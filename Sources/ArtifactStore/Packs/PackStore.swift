import Cryptography
import Synchronization

/// Records in packs: appended here, found and read in the extension. Thread-safe; all calls block and belong on the store's
/// threads.
final class PackStore: Sendable {
    let backend: any BlobBackend
    let index: ChunkIndex
    let table = PackTable()
    let journal = Journal()
    let fileLists = FileLists()
    let configuration: StoreConfiguration
    let ring: StorageKeyRing
    private let slots: Mutex<Slots>
    let healer = IndexHealer()
    /// Set when the disk was full: then what was not published is given back as soon as it can be.
    let ranOutOfRoom = Mutex(false)

    private struct Slots {
        var data: [PackWriter?]
        var meta: PackWriter?
        /// Every writer by number until a commit has registered its sealed pack.
        var writers: [UInt32: PackWriter] = [:]
        var turn: UInt64
    }

    init(
        configuration: StoreConfiguration, backend: any BlobBackend, index: ChunkIndex, ring: StorageKeyRing
    ) {
        self.ring = ring
        self.configuration = configuration
        self.backend = backend
        self.index = index
        let seed = SecureRandom.bytes(8).little64(at: 0)
        slots = Mutex(Slots(data: Array(repeating: nil, count: max(1, configuration.openDataPacks)), turn: seed))
    }

    /// Makes the assignment of records to packs repeatable: for tests.
    func reseed(_ seed: UInt64) { slots.withLock { $0.turn = seed } }

    /// Takes over a pack that was open when the store was last closed. One too many, such as one that another replaced
    /// after a failed flush, is completed: an open pack that nothing is appended to would never be collected.
    func resume(_ writer: PackWriter) throws {
        let isTaken = slots.withLock { slots -> Bool in
            slots.writers[writer.number] = writer
            switch writer.packClass {
            case .meta:
                guard slots.meta == nil else { return false }
                slots.meta = writer
            case .data:
                guard let free = slots.data.firstIndex(where: { $0 == nil }) else { return false }
                slots.data[free] = writer
            }
            return true
        }
        if !isTaken { note(try writer.seal()) }
    }

    /// Appends a record to one of the open packs, chosen at random among those of its class.
    func append(
        _ record: UnsafeRawBufferPointer, id: RecordID, kind: RecordKind, codec: RecordCodec, plainBytes: Int,
        encodedBytes: Int, check: UInt32, reach: [RecordID]
    ) throws -> Location {
        let packClass: PackClass = kind == .chunk ? .data : .meta
        do {
            while true {
                let (writer, slot) = try self.writer(for: packClass)
                if let location = try writer.append(
                    record, id: id, kind: kind, codec: codec, plainBytes: plainBytes, encodedBytes: encodedBytes,
                    check: check, reach: reach, index: index)
                {
                    return location
                }
                try retire(writer, slot)
            }
        } catch let error as StoreError where error.code == .full {
            ranOutOfRoom.withLock { $0 = true }
            throw error
        }
    }

    private func writer(for packClass: PackClass) throws -> (PackWriter, Int) {
        try slots.withLock { slots in
            var slot = 0
            switch packClass {
            case .meta: if let writer = slots.meta { return (writer, 0) }
            case .data:
                // A multiplicative generator is random enough to keep boundaries from being read off the packs.
                slots.turn = slots.turn &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                slot = Int(slots.turn >> 33) % slots.data.count
                if let writer = slots.data[slot] { return (writer, slot) }
            }
            let storageKey = ring.current
            let made = try PackWriter(
                number: table.takeNumber(), id: SecureRandom.uuidBytes(), packClass: packClass,
                limit: packClass == .data ? configuration.dataPackBytes : configuration.metaPackBytes,
                storageKey: storageKey, backend: backend)
            table.set(
                PackInfo(
                    number: made.number, name: made.name, packClass: packClass, state: .open, isRegistered: false,
                    length: 0, records: 0, lastFrameOffset: 0, lastFrameBytes: 0, plainBytes: 0,
                    storageKeyVersion: Int(storageKey.version)))
            slots.writers[made.number] = made
            if packClass == .meta { slots.meta = made } else { slots.data[slot] = made }
            return (made, slot)
        }
    }

    /// Takes a full (or broken) pack out of its slot and completes it.
    private func retire(_ writer: PackWriter, _ slot: Int) throws {
        let mine = slots.withLock { slots -> Bool in
            switch writer.packClass {
            case .meta:
                guard slots.meta === writer else { return false }
                slots.meta = nil
            case .data:
                guard slots.data[slot] === writer else { return false }
                slots.data[slot] = nil
            }
            return true
        }
        guard mine, !writer.isClosed else { return }
        do {
            note(try writer.seal())
        } catch {
            if writer.isBroken { table.update(writer.number) { $0.isBroken = true } }
            throw error
        }
    }

    /// Completes the open packs, so that what follows goes into new ones.
    ///
    /// - Parameters:
    ///   - version: leave those alone that were begun under this storage key or a later one.
    ///   - numbers: leave all others alone.
    func sealOpenPacks(olderThan version: UInt32 = .max, only numbers: Set<UInt32>? = nil) throws {
        let writers = slots.withLock { slots -> [PackWriter] in
            let writers = (slots.data + [slots.meta]).compactMap { $0 }.filter {
                $0.storageKeyVersion < version && (version != .max || !$0.isEmpty)
                    && numbers?.contains($0.number) ?? true
            }
            for writer in writers {
                if slots.meta === writer { slots.meta = nil }
                for slot in slots.data.indices where slots.data[slot] === writer { slots.data[slot] = nil }
            }
            return writers
        }
        for writer in writers where !writer.isClosed { note(try writer.seal()) }
    }

    private func note(_ durable: PackWriter.Durable) {
        table.update(durable.number) { info in
            // A flush that waited for the device may report after the pack has grown or was completed.
            guard durable.length >= info.length else { return }
            info.length = durable.length
            info.records = durable.records
            info.lastFrameOffset = durable.lastFrameOffset
            info.lastFrameBytes = durable.lastFrameBytes
            info.plainBytes = durable.plainBytes
            if durable.isSealed, info.state == .open {
                info.state = .sealed
                info.isRegistered = false
            }
        }
    }

    /// Makes everything in the given packs durable and tells what a commit must write about them. Packs that are complete
    /// and registered need nothing.
    func flush(_ numbers: Set<UInt32>) throws -> [PackWriter.Durable] {
        var result: [PackWriter.Durable] = []
        for number in numbers.sorted() {
            guard let writer = slots.withLock({ $0.writers[number] }) else { continue }
            do {
                let durable = try writer.flush()
                note(durable)
                result.append(durable)
            } catch {
                if writer.isBroken { table.update(number) { $0.isBroken = true } }
                throw error
            }
        }
        return result
    }

    /// Packs that are complete but that no commit has named yet.
    var unregisteredSealed: Set<UInt32> {
        let numbers = slots.withLock { Array($0.writers.keys) }
        return Set(numbers.filter { table[$0].map { $0.state == .sealed && !$0.isRegistered } ?? false })
    }

    /// Takes packs that no commit has named out of use.
    func takeUnregistered() -> [PackWriter] {
        slots.withLock { slots in
            let found = slots.writers.values.filter { table[$0.number].map { $0.registeredLength == 0 } ?? false }
            for writer in found {
                if slots.meta === writer { slots.meta = nil }
                for slot in slots.data.indices where slots.data[slot] === writer { slots.data[slot] = nil }
            }
            return found.sorted { $0.number < $1.number }
        }
    }

    /// Forgets a pack that is no more.
    func forget(_ number: UInt32) {
        slots.withLock { _ = $0.writers.removeValue(forKey: number) }
        table.remove(number)
    }

    /// A commit has written these to the database.
    func registered(_ durables: [PackWriter.Durable]) {
        for durable in durables {
            table.update(durable.number) { info in
                info.isRegistered = info.isRegistered || durable.isSealed || info.state == .open
                info.registeredLength = max(info.registeredLength, durable.length)
            }
            if durable.isSealed { slots.withLock { _ = $0.writers.removeValue(forKey: durable.number) } }
        }
    }

    /// Packs that are being filled.
    var openNumbers: Set<UInt32> {
        slots.withLock { slots in
            Set((slots.data + [slots.meta]).compactMap { $0 }.filter { !$0.isEmpty && !$0.isClosed }.map(\.number))
        }
    }

    func writer(_ number: UInt32) -> PackWriter? { slots.withLock { $0.writers[number] } }

    /// How much of each existing pack the database knows of. Records below are all entered into the index: a commit
    /// registers what a flush wrote, and a record is entered before a flush can write it.
    private var registeredLengths: [UInt32: UInt32] {
        var result: [UInt32: UInt32] = [:]
        for info in table.all where info.state != .deleted {
            result[info.number] = UInt32(clamping: info.registeredLength)
        }
        return result
    }

    /// Writes the index's tail to disk when it has grown enough.
    func flushIndexIfNeeded(force: Bool = false) throws {
        guard force || index.isTailFull else { return }
        try index.flush(durable: registeredLengths)
    }
}

extension PackStore {
    /// The size at which packs of a class are sealed.
    func limit(_ packClass: PackClass) -> Int {
        packClass == .data ? configuration.dataPackBytes : configuration.metaPackBytes
    }
}
