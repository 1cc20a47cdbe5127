import ArtifactStore
import Catalog
import Foundation
import KeyHierarchy
import SystemPackage
import Testing

@testable import Console

@Suite("Puts under way")
struct PutSessionsTests {
    private let owner = "arn:aws:iam::111122223333:root eu-west-1"

    /// Runs `body` with a maker of puts in a store of its own.
    private func withStore(_ body: (@Sendable (String?) async throws -> PutSession) async throws -> Void) async throws {
        let folder = FilePath(NSTemporaryDirectory()).appending("puts-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let local = try await LocalStore.open(folder)
        let (store, owner) = (local.store, owner)
        let scope = AccountRegion(account: "111122223333", region: "eu-west-1")
        try await body { token in
            PutSession(
                id: PutSession.newID(), owner: owner, token: token, name: "web/app",
                upload: try await store.beginUpload(.tree, scope: scope), basis: [])
        }
        try await local.close()
    }

    @Test("are gone on with by who began them, and by nobody else")
    func owners() async throws {
        try await withStore { make in
            let puts = PutSessions()
            let session = try await make("dir")
            try puts.add(session)
            let found = try await puts.with(session.id, of: owner) { $0.id }
            #expect(found == session.id)
            await #expect(throws: NativeError.self) { try await puts.with(session.id, of: "somebody") { _ in } }
            let later = Date().addingTimeInterval(60)
            #expect(try puts.resume(id: session.id, token: "dir", name: "web/app", owner: "somebody") == nil)
            #expect(try puts.resume(id: nil, token: "dir", name: "web/other", owner: owner, now: later) == nil)
            #expect(try puts.resume(id: nil, token: "other", name: "web/app", owner: owner, now: later) == nil)

            // Known by its id at once; the old id is worth nothing afterwards.
            let next = try #require(try puts.resume(id: session.id, token: "dir", name: "web/app", owner: owner))
            #expect(next.upload === session.upload && next.id != session.id)
            await #expect(throws: NativeError.self) { try await puts.with(session.id, of: owner) { _ in } }
        }
    }

    @Test("are not taken from a sender that is at work")
    func busy() async throws {
        try await withStore { make in
            let puts = PutSessions()
            let session = try await make("dir")
            try puts.add(session)
            let later = Date().addingTimeInterval(60)
            #expect(try puts.resume(id: nil, token: "dir", name: "web/app", owner: owner) == nil)
            try await puts.with(session.id, of: owner) { _ in
                let taken = try puts.resume(id: nil, token: "dir", name: "web/app", owner: owner, now: later)
                #expect(taken == nil)
                #expect(throws: NativeError.self) {
                    _ = try puts.resume(id: session.id, token: "dir", name: "web/app", owner: owner)
                }
            }
            // A request that failed says that the sender is gone.
            await #expect(throws: CancellationError.self) {
                try await puts.with(session.id, of: owner) { _ in throw CancellationError() }
            }
            #expect(try puts.resume(id: nil, token: "dir", name: "web/app", owner: owner) != nil)
        }
    }

    @Test("end when they are idle for too long, or when there are too many")
    func bounded() async throws {
        try await withStore { make in
            let puts = PutSessions()
            var ids: [String] = []
            for index in 0...PutSessions.most {
                let session = try await make(nil)
                ids.append(session.id)
                try puts.add(session, now: Date().addingTimeInterval(Double(index)))
            }
            await #expect(throws: NativeError.self) { try await puts.with(ids[0], of: owner) { _ in } }
            for id in ids.dropFirst() { try await puts.with(id, of: owner) { _ in } }
            try await puts.with(ids[1], of: owner) { _ in
                let left = puts.sweep(now: Date().addingTimeInterval(PutSessions.idleSeconds + 100))
                #expect(left)
            }
            await #expect(throws: NativeError.self) { try await puts.with(ids[2], of: owner) { _ in } }
            try await puts.with(ids[1], of: owner) { _ in }
            puts.remove(ids[1])
            #expect(!puts.sweep())
        }
    }
}
