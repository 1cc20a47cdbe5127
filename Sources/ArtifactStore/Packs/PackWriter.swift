import Cryptography
import Synchronization

/// One pack that is being filled. Thread-safe; appends copy into a buffer of one digest span and write it when full.
final class PackWriter: Sendable {
    /// The pack's number in the index.
    let number: UInt32
    /// The pack's name in the backend: its id in hexadecimal.
    let name: String
    let packClass: PackClass
    private let id: [UInt8]
    let storageKeyVersion: UInt32
    private let storageKey: SecretBytes
    private let backend: any BlobBackend
    private let state: Mutex<State>
    private let limit: Int

    private struct State {
        /// Bytes of the pack so far, buffered ones included.
        var length: Int
        /// Bytes handed to the backend.
        var written: Int
        /// The current digest span.
        var buffer: [UInt8]
        /// Digests of completed spans; nil when the pack was resumed and they must be computed by reading it back.
        var digests: [SHA256Digest]?
        /// Entries since the last index frame.
        var pending: [PackEntry] = []
        var records: UInt32
        var frames: UInt32
        var lastFrameOffset: UInt32
        var lastFrameBytes: UInt32
        var plainBytes: UInt64
        /// Everything below is on disk and described by index frames.
        var durable: Int
        var sealed = false
        /// A flush failed: what follows the durable length is unknown, so nothing more may be appended.
        var broken = false
    }

    /// A new pack. Creates its file and writes its header.
    init(
        number: UInt32, id: [UInt8], packClass: PackClass, limit: Int, storageKey: (version: UInt32, key: SecretBytes),
        backend: any BlobBackend
    ) throws {
        self.number = number
        self.id = id
        name = Hex.encode(id)
        self.packClass = packClass
        self.limit = limit
        storageKeyVersion = storageKey.version
        self.storageKey = storageKey.key
        self.backend = backend
        let header = PackFormat.header(id: id, packClass: packClass, storageKeyVersion: storageKey.version)
        var buffer: [UInt8] = []
        buffer.reserveCapacity(PackFormat.digestSpan)
        buffer += header
        state = Mutex(
            State(
                length: header.count, written: 0, buffer: buffer, digests: [], records: 0, frames: 0,
                lastFrameOffset: 0, lastFrameBytes: 0, plainBytes: 0, durable: 0))
        try backend.create(name)
    }

    /// Resumes a pack whose durable part was found intact.
    init(
        number: UInt32, id: [UInt8], packClass: PackClass, limit: Int, storageKey: (version: UInt32, key: SecretBytes),
        backend: any BlobBackend, durable: Int, records: UInt32, frames: UInt32,
        lastFrame: (offset: UInt32, bytes: UInt32),
        plainBytes: UInt64
    ) throws {
        self.number = number
        self.id = id
        name = Hex.encode(id)
        self.packClass = packClass
        self.limit = limit
        storageKeyVersion = storageKey.version
        self.storageKey = storageKey.key
        self.backend = backend
        // The span under way is read back, so that writing goes on as if never interrupted.
        let spanStart = durable / PackFormat.digestSpan * PackFormat.digestSpan
        var buffer = [UInt8](repeating: 0, count: durable - spanStart)
        try buffer.withUnsafeMutableBytes { try backend.read(Hex.encode(id), at: Int64(spanStart), into: $0) }
        state = Mutex(
            State(
                length: durable, written: durable, buffer: buffer, digests: nil, records: records, frames: frames,
                lastFrameOffset: lastFrame.offset, lastFrameBytes: lastFrame.bytes, plainBytes: plainBytes,
                durable: durable))
    }

    /// Appends a record and tells where it is, or nil when the pack is full, sealed or broken and another must be used.
    /// The place is entered into `index` before the pack can be closed, so that a closed pack is a fully indexed one.
    func append(
        _ record: UnsafeRawBufferPointer, id: RecordID, kind: RecordKind, codec: RecordCodec, plainBytes: Int,
        encodedBytes: Int, check: UInt32, reach: [RecordID], index: ChunkIndex
    ) throws -> Location? {
        try state.withLock { state in
            guard !state.sealed, !state.broken else { return nil }
            if state.records > 0, state.length + record.count > limit { return nil }
            let location = Location(
                pack: number, offset: UInt32(state.length), recordBytes: UInt32(record.count),
                plainBytes: UInt32(plainBytes), encodedBytes: UInt32(encodedBytes), ordinal: state.records, kind: kind,
                codec: codec, check: check)
            try put(record, &state)
            state.records += 1
            state.plainBytes += UInt64(plainBytes)
            state.pending.append(PackEntry(id: id, location: location, reach: reach))
            index.insert(id, location)
            return location
        }
    }

    /// Appends bytes. When writing fails nothing is lost: what is buffered stays buffered and is written the next time; the
    /// bytes of a record that was not completed are waste that no index frame names.
    private func put(_ bytes: UnsafeRawBufferPointer, _ state: inout State) throws {
        var rest = bytes
        while !rest.isEmpty {
            if state.buffer.count == PackFormat.digestSpan { try closeSpan(&state) }
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(PackFormat.digestSpan - state.buffer.count))
            state.buffer.append(contentsOf: part)
            state.length += part.count
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
        }
        if state.buffer.count == PackFormat.digestSpan { try closeSpan(&state) }
    }

    private func closeSpan(_ state: inout State) throws {
        try write(&state)
        state.digests?.append(SHA256.digest(state.buffer))
        state.buffer.removeAll(keepingCapacity: true)
    }

    /// Hands the buffer's unwritten end to the backend. Repeating a failed write is harmless: the place is the same.
    private func write(_ state: inout State) throws {
        let spanStart = state.length - state.buffer.count
        let skip = state.written - spanStart
        guard skip < state.buffer.count else { return }
        try state.buffer.withUnsafeBytes { bytes in
            try backend.append(name, at: Int64(state.written), UnsafeRawBufferPointer(rebasing: bytes.dropFirst(skip)))
        }
        state.written = state.length
    }

    /// Appends an index frame for the records that none describes yet.
    private func closeFrame(_ state: inout State) throws {
        guard !state.pending.isEmpty else { return }
        let frame = IndexFrame(
            previousOffset: state.lastFrameOffset, previousBytes: state.lastFrameBytes, entries: state.pending)
        let offset = state.length
        let sealed = try IndexFrameCipher(packID: id, storageKey: storageKey).seal(
            frame.encode(), version: storageKeyVersion, offset: offset)
        try sealed.withUnsafeBytes { try put($0, &state) }
        state.pending.removeAll(keepingCapacity: true)
        state.lastFrameOffset = UInt32(offset)
        state.lastFrameBytes = UInt32(sealed.count)
        state.frames += 1
    }

    /// What a commit writes to the database about a pack.
    struct Durable: Sendable {
        var number: UInt32
        var name: String
        var packClass: PackClass
        var length: Int
        var records: Int
        var frames: Int
        var lastFrameOffset: Int
        var lastFrameBytes: Int
        var plainBytes: Int
        var isSealed: Bool
        var storageKeyVersion: Int
    }

    /// Makes everything appended so far durable and described. Blocks.
    func flush() throws -> Durable {
        let (snapshot, mustSync) = try state.withLock { state -> (State, Bool) in
            if state.sealed { return (state, false) }
            guard !state.broken else { throw StoreError(.input, "pack \(name) could not be written") }
            try closeFrame(&state)
            try write(&state)
            var copy = state
            copy.buffer = []
            return (copy, state.durable < state.length)
        }
        if mustSync {
            do {
                try backend.sync(name)
            } catch {
                // What a failed flush left on the disk is unknown, and asking again would not tell.
                state.withLock { $0.broken = true }
                throw error
            }
            state.withLock { $0.durable = max($0.durable, snapshot.length) }
        }
        return describe(snapshot)
    }

    /// Completes the pack: index frame, digests, trailer. Blocks. Later appends are refused.
    func seal() throws -> Durable {
        let snapshot = try state.withLock { state -> State in
            if state.sealed { return state }
            guard !state.broken else { throw StoreError(.input, "pack \(name) could not be written") }
            try closeFrame(&state)
            try write(&state)
            let bodyBytes = state.length
            var digests = try state.digests ?? readDigests(upTo: bodyBytes / PackFormat.digestSpan)
            if !state.buffer.isEmpty { digests.append(SHA256.digest(state.buffer)) }
            var list: [UInt8] = []
            for digest in digests { digest.withUnsafeBytes { list.append(contentsOf: $0) } }
            let trailer = PackFormat.Trailer(
                lastFrameOffset: state.lastFrameOffset, lastFrameBytes: state.lastFrameBytes, records: state.records,
                frames: state.frames, plainBytes: state.plainBytes, bodyBytes: UInt64(bodyBytes),
                digest: SHA256.digest(list))
            let tail = list + PackFormat.encode(trailer)
            try tail.withUnsafeBytes { try backend.append(name, at: Int64(bodyBytes), $0) }
            do {
                try backend.seal(name)
            } catch {
                state.broken = true
                throw error
            }
            state.length += tail.count
            state.written = state.length
            state.durable = state.length
            state.sealed = true
            state.buffer = []
            return state
        }
        return describe(snapshot)
    }

    private func readDigests(upTo count: Int) throws -> [SHA256Digest] {
        var span = [UInt8](repeating: 0, count: PackFormat.digestSpan)
        var digests: [SHA256Digest] = []
        for index in 0..<count {
            try span.withUnsafeMutableBytes {
                try backend.read(name, at: Int64(index * PackFormat.digestSpan), into: $0)
            }
            digests.append(SHA256.digest(span))
        }
        return digests
    }

    private func describe(_ state: State) -> Durable {
        Durable(
            number: number, name: name, packClass: packClass, length: state.length, records: Int(state.records),
            frames: Int(state.frames), lastFrameOffset: Int(state.lastFrameOffset),
            lastFrameBytes: Int(state.lastFrameBytes), plainBytes: Int(state.plainBytes), isSealed: state.sealed,
            storageKeyVersion: Int(storageKeyVersion))
    }

    /// Whether a flush failed.
    var isBroken: Bool { state.withLock { $0.broken } }

    /// Whether nothing more will be appended.
    var isClosed: Bool { state.withLock { $0.sealed || $0.broken } }

    /// Whether the pack has reached its size.
    var isFull: Bool { state.withLock { $0.length >= limit - limit / 32 } }

    /// Whether the pack holds no record.
    var isEmpty: Bool { state.withLock { $0.records == 0 } }

    /// Fills `target` where some of it is still buffered, or tells that the backend has it all. A record may begin in a
    /// span that was handed over and end in the buffered one: its beginning is then read back.
    func readBuffered(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws -> Bool {
        try state.withLock { state in
            guard !state.sealed, offset + target.count > state.written else { return false }
            let spanStart = state.length - state.buffer.count
            guard offset + target.count <= state.length else { return false }
            let before = max(0, spanStart - offset)
            if before > 0 {
                try backend.read(
                    name, at: Int64(offset), into: UnsafeMutableRawBufferPointer(rebasing: target.prefix(before)))
            }
            let rest = UnsafeMutableRawBufferPointer(rebasing: target.dropFirst(before))
            let start = offset + before - spanStart
            state.buffer.withUnsafeBytes { bytes in
                rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + rest.count]))
            }
            return true
        }
    }

    /// Where the newest index frame is, and the entries that no frame describes yet, at one moment.
    var described: (offset: Int, bytes: Int, pending: [PackEntry]) {
        state.withLock { (Int($0.lastFrameOffset), Int($0.lastFrameBytes), $0.pending) }
    }
}
