import Synchronization

/// Packs in memory, with the faults of real disks: for tests. What was not synced is lost by `crash`.
package final class MemoryBackend: BlobBackend {
    /// What a fault does to one call.
    package enum Fault: Sendable {
        /// No space is left.
        case full
        /// The device failed.
        case input
        /// Only the first half of the bytes arrives, then the device fails.
        case torn
        /// Only a part of the bytes finds room.
        case short
    }

    /// The calls that can be made to fail.
    package enum Call: Sendable, Hashable { case create, append, sync, truncate, read, delete }

    private struct File {
        var bytes: [UInt8] = []
        /// What survives a crash.
        var durable: [UInt8] = []
        var isDurable = false
        /// Position in the order of creation.
        var order = 0
    }

    private struct State {
        var files: [String: File] = [:]
        /// Deleted since the last crash: nothing says that the deletion has reached the disk.
        var deleted: [String: File] = [:]
        var calls = 0
        var created = 0
    }

    private let state = Mutex(State())
    private let faults = Mutex<(@Sendable (Call, Int) -> Fault?)?>(nil)

    package init() {}

    /// Asks `fault` before every call, with the number of calls so far.
    package func inject(_ fault: (@Sendable (Call, Int) -> Fault?)?) { faults.withLock { $0 = fault } }

    /// Calls so far.
    package var callCount: Int { state.withLock { $0.calls } }

    /// Loses what was not synced.
    ///
    /// - Parameters:
    ///   - remains: what of the unsynced end of a file reached the disk all the same; by default nothing.
    ///   - revives: whether a file deleted since the last crash is there again; by default none is.
    package func crash(
        remains: (_ unsynced: ArraySlice<UInt8>) -> [UInt8] = { _ in [] }, revives: (String) -> Bool = { _ in false }
    ) {
        state.withLock { state in
            // Oldest first, so that a seed replays whatever the names are.
            for (name, file) in state.deleted.sorted(by: { $0.value.order < $1.value.order }) where revives(name) {
                state.files[name] = file
            }
            state.deleted = [:]
            for name in state.files.sorted(by: { $0.value.order < $1.value.order }).map(\.key) {
                guard let file = state.files[name], file.isDurable else {
                    state.files[name] = nil
                    continue
                }
                let bytes = file.durable + remains(file.bytes.dropFirst(file.durable.count))
                state.files[name] = File(bytes: bytes, durable: bytes, isDurable: true, order: file.order)
            }
        }
    }

    /// Changes stored bytes behind the store's back.
    package func corrupt(_ name: String, _ change: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard var file = state.files[name] else { return }
            change(&file.bytes)
            change(&file.durable)
            state.files[name] = file
        }
    }

    private func fault(_ call: Call) -> Fault? {
        let count = state.withLock { state in
            state.calls += 1
            return state.calls
        }
        return faults.withLock { $0 }?(call, count)
    }

    private func check(_ call: Call) throws {
        switch fault(call) {
        case nil: break
        case .full, .short: throw StoreError(.full, "no space is left on the device")
        case .input, .torn: throw StoreError(.input, "the device failed")
        }
    }

    package func create(_ name: String) throws {
        try check(.create)
        try state.withLock { state in
            guard state.files[name] == nil else { throw StoreError(.input, "pack \(name) exists already") }
            state.created += 1
            state.files[name] = File(isDurable: true, order: state.created)
        }
    }

    package func append(_ name: String, at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws {
        let fault = fault(.append)
        if case .full = fault { throw StoreError(.full, "no space is left on the device") }
        if case .input = fault { throw StoreError(.input, "the device failed") }
        var part = Array(bytes)
        switch fault {
        case .torn: part.removeLast(part.count - part.count / 2)
        case .short: part.removeLast((part.count + 2) / 3)
        default: break
        }
        try state.withLock { state in
            guard var file = state.files.removeValue(forKey: name) else {
                throw StoreError.integrity("pack \(name) is missing")
            }
            defer { state.files[name] = file }
            let end = Int(offset) + part.count
            if file.bytes.count < end { file.bytes += [UInt8](repeating: 0, count: end - file.bytes.count) }
            file.bytes.replaceSubrange(Int(offset)..<end, with: part)
        }
        switch fault {
        case .torn: throw StoreError(.input, "the device failed")
        case .short: throw StoreError(.full, "no space is left on the device")
        default: break
        }
    }

    package func sync(_ name: String) throws {
        try check(.sync)
        state.withLock { state in
            guard var file = state.files.removeValue(forKey: name) else { return }
            file.durable = file.bytes
            file.isDurable = true
            state.files[name] = file
        }
    }

    package func seal(_ name: String) throws { try sync(name) }

    package func truncate(_ name: String, to length: Int64) throws {
        try check(.truncate)
        state.withLock { state in
            guard var file = state.files.removeValue(forKey: name) else { return }
            file.bytes.removeLast(max(0, file.bytes.count - Int(length)))
            file.durable = file.bytes
            state.files[name] = file
        }
    }

    package func read(_ name: String, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws {
        try check(.read)
        try state.withLock { state in
            guard let file = state.files[name] else { throw StoreError.integrity("pack \(name) is missing") }
            let start = Int(offset)
            guard start >= 0, start + buffer.count <= file.bytes.count else {
                throw StoreError.integrity("pack \(name) ends before byte \(start + buffer.count)")
            }
            file.bytes.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + buffer.count]))
            }
        }
    }

    package func length(_ name: String) throws -> Int64? {
        state.withLock { $0.files[name].map { Int64($0.bytes.count) } }
    }

    package func delete(_ name: String) throws {
        try check(.delete)
        state.withLock { state in
            if let file = state.files.removeValue(forKey: name) { state.deleted[name] = file }
        }
    }

    /// In the order of creation, so that a seed replays whatever the names are.
    package func list() throws -> [String] {
        state.withLock { $0.files.sorted { $0.value.order < $1.value.order }.map(\.key) }
    }
}
