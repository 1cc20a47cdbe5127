import ArtifactStore
import Cryptography
import Foundation
import Synchronization

/// A put under way, from its beginning to its answer.
final class PutSession: Sendable {
    let id: String
    /// The ARN of who began it; nobody else may go on with it.
    let owner: String
    /// What the put is of, by which a sender that was broken off finds it again; nil when it cannot be.
    let token: String?
    /// Names the request of the sender, so that one which is repeated after a restart publishes nothing a second time.
    let request: String?
    let name: String
    let upload: Upload
    let basis: [String]
    /// The published version, for a sender that did not get the answer.
    let result = Mutex<VersionItem?>(nil)
    private let isFinishing = Mutex(false)

    /// False while another request publishes it.
    func beginFinishing() -> Bool {
        isFinishing.withLock { busy in
            defer { busy = true }
            return !busy
        }
    }

    func endFinishing() { isFinishing.withLock { $0 = false } }

    static func newID() -> String { Hex.encode(SecureRandom.bytes(16)) }

    /// A name made of parts, none of which can pass for another.
    static func digest(_ parts: [String]) -> String {
        SHA256.digest(parts.flatMap { Array("\($0.utf8.count):\($0)".utf8) }).hex
    }

    init(
        id: String, owner: String, token: String?, request: String? = nil, name: String, upload: Upload, basis: [String]
    ) {
        self.id = id
        self.owner = owner
        self.token = token
        self.request = request
        self.name = name
        self.upload = upload
        self.basis = basis
    }
}

/// The puts of one server. In memory, like the leases that they hold: a restart ends them all, and nothing of them was
/// published. What they received is kept by checkpoints of the uploads, for the put that comes next.
final class PutSessions: Sendable {
    /// Puts side by side.
    static let most = 64
    /// A put that nobody goes on with for so long is given up.
    static let idleSeconds = 3600.0

    /// A sender that is at work never pauses for so long.
    static let pauseSeconds = 10.0

    private struct Slot {
        var session: PutSession
        var lastUsed: Date
        var users = 0
        /// The last request failed, as it does when a connection is cut: its sender may be gone.
        var isCut = false
    }

    private struct State {
        var slots: [String: Slot] = [:]
        var isSwept = false
    }

    private let state = Mutex(State())

    /// Takes in a new put, giving up the one idle for longest where there are too many.
    ///
    /// - Throws: when all of them are busy.
    func add(_ session: PutSession, now: Date = Date()) throws {
        try state.withLock { state in
            if state.slots.count >= Self.most {
                guard let idle = state.slots.values.filter({ $0.users == 0 }).min(by: { $0.lastUsed < $1.lastUsed })
                else {
                    session.upload.abandon()
                    throw NativeError(503, "TooManyPuts", "\(Self.most) puts are under way; try again later")
                }
                state.slots[idle.session.id] = nil
                idle.session.upload.abandon()
            }
            state.slots[session.id] = Slot(session: session, lastUsed: now)
            if !state.isSwept {
                state.isSwept = true
                sweepLater()
            }
        }
    }

    /// Runs `body` with the put of an id.
    func with<T>(_ id: String, of owner: String, _ body: (PutSession) async throws -> T) async throws -> T {
        let session = try state.withLock { state -> PutSession in
            guard let slot = state.slots[id], slot.session.owner == owner else {
                throw NativeError(404, "NoSuchPut", "there is no such put, or it was idle for too long; begin again")
            }
            state.slots[id]?.users += 1
            return slot.session
        }
        func leave(isCut: Bool) {
            state.withLock { state in
                state.slots[id]?.users -= 1
                state.slots[id]?.lastUsed = Date()
                state.slots[id]?.isCut = isCut
            }
        }
        do {
            let result = try await body(session)
            leave(isCut: false)
            return result
        } catch {
            leave(isCut: true)
            throw error
        }
    }

    /// Goes on with a put that was broken off, under a new id: whoever used the old one has lost it.
    ///
    /// - Parameters:
    ///   - id: the put that the sender was told of, if it remembers.
    ///   - token: what the sender says that it puts, to find a put that it does not remember.
    /// - Throws: while the last request for the put is still being worked on.
    func resume(
        id: String?, token: String?, request: String? = nil, name: String, owner: String, now: Date = Date()
    ) throws -> PutSession? {
        try state.withLock { state in
            let mine = state.slots.values.filter { slot in
                slot.session.owner == owner && slot.session.name == name && slot.session.result.withLock { $0 == nil }
            }
            let known = id.flatMap { id in mine.first { $0.session.id == id } }
            if let known, known.users > 0 {
                throw NativeError(409, "PutBusy", "the last request for the put is still being worked on; try again")
            }
            let found =
                known
                ?? mine.first { slot in
                    // Two at once on one machine are two puts: only one that has stopped is gone on with.
                    token != nil && slot.session.token == token && slot.users == 0
                        && (slot.isCut || now.timeIntervalSince(slot.lastUsed) > Self.pauseSeconds)
                }
            guard let old = found?.session else { return nil }
            let new = PutSession(
                id: PutSession.newID(), owner: owner, token: token, request: request, name: name, upload: old.upload,
                basis: old.basis)
            state.slots[old.id] = nil
            state.slots[new.id] = Slot(session: new, lastUsed: Date())
            return new
        }
    }

    /// Gives up a put, or forgets one that is over.
    func remove(_ id: String) {
        state.withLock { state in
            state.slots[id]?.session.upload.abandon()
            state.slots[id] = nil
        }
    }

    /// Gives up the puts that were idle for too long; true while there are any left.
    func sweep(now: Date = Date()) -> Bool {
        state.withLock { state in
            for slot in state.slots.values
            where slot.users == 0 && now.timeIntervalSince(slot.lastUsed) > Self.idleSeconds {
                slot.session.upload.abandon()
                state.slots[slot.session.id] = nil
            }
            if state.slots.isEmpty { state.isSwept = false }
            return !state.slots.isEmpty
        }
    }

    /// Sweeps every few minutes until there is nothing to sweep.
    private func sweepLater() {
        // Unstructured, because nobody is left to wait for it: the senders it is about have gone away.
        Task { [weak self] in
            while true {
                do { try await Task.sleep(for: .seconds(300)) } catch { return }
                guard let self, self.sweep() else { return }
            }
        }
    }
}
