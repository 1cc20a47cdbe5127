import Glibc
import Synchronization

/// A directory that is being filled.
final class RestoredFolder: Sendable {
    let descriptor: Int32
    let path: String
    /// Set when everything below is written, so that read-only directories can be filled; nil: left as it is.
    let mode: UInt32?

    init(_ descriptor: Int32, path: String, mode: UInt32?) {
        self.descriptor = descriptor
        self.path = path
        self.mode = mode
    }

    deinit { Glibc.close(descriptor) }

    func finish() throws {
        guard let mode else { return }
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw Materialiser.failure("set the mode of", path) }
    }
}

/// A file that is being written, at once or piece by piece in any order. When a file that may replace another is not
/// finished, nothing of it stays.
final class RestoredFile: Sendable {
    let folder: RestoredFolder
    let path: String
    let mode: UInt32
    let name: [CChar]
    /// Whether the name may be taken: then the old file is replaced only when the new one is complete.
    private let updating: Bool
    private let written: [CChar]
    private let state = Mutex(State())

    private struct State {
        var descriptor: Int32 = -1
        var isFinished = false
    }

    init(_ name: [CChar], in folder: RestoredFolder, mode: UInt32, path: String, updating: Bool) {
        self.folder = folder
        self.path = path
        self.mode = mode
        self.name = name
        self.updating = updating
        written = updating ? LocalEntries.temporaryName() : name
    }

    deinit {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            close(state.descriptor)
            if updating, !state.isFinished { unlinkat(folder.descriptor, written, 0) }
        }
    }

    /// Makes the file, empty.
    func create() throws {
        let file = openat(folder.descriptor, written, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Materialiser.failure("create", path) }
        state.withLock { $0.descriptor = file }
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws {
        let file = state.withLock { $0.descriptor }
        try bytes.withUnsafeBytes { raw in
            var done = 0
            while done < raw.count {
                let count = pwrite(file, raw.baseAddress?.advanced(by: done), raw.count - done, Int(offset) + done)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw Materialiser.failure("write", path) }
                done += count
            }
        }
    }

    /// Gives the complete file its mode and name.
    func finish() throws {
        try state.withLock { state in
            guard fchmod(state.descriptor, mode_t(mode)) == 0 else {
                throw Materialiser.failure("set the mode of", path)
            }
            if updating { try LocalEntries.replace(name, with: written, in: folder.descriptor, path: path) }
            state.isFinished = true
            close(state.descriptor)
            state.descriptor = -1
        }
    }
}
