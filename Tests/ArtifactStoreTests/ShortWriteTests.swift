import Foundation
import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import ArtifactStore

/// Writes that do less than they were asked to: the rest follows, or the write fails and nothing acknowledged is lost.
@Suite struct ShortWriteTests {
    /// What a device does with one write.
    private enum Deed: Sendable {
        /// Writes at most so many bytes.
        case short(Int)
        case interrupted
        case fails(Int32)
        case nothing
    }

    /// A directory whose writes do what they are told, on a real file.
    private final class Device: Sendable {
        private let deeds = Mutex<[Deed]>([])
        private let always = Mutex<(@Sendable (Int) -> Deed?)?>(nil)

        func next(_ list: [Deed]) { deeds.withLock { $0 = list } }
        func every(_ deed: (@Sendable (_ offset: Int) -> Deed?)?) { always.withLock { $0 = deed } }

        var write: LocalDirectoryBackend.PositionedWrite {
            { [self] file, bytes, count, offset in
                let deed = deeds.withLock { $0.isEmpty ? nil : $0.removeFirst() } ?? always.withLock { $0 }?(offset)
                switch deed {
                case nil: return pwrite(file, bytes, count, offset)
                case .short(let most): return pwrite(file, bytes, min(most, count), offset)
                case .nothing: return 0
                case .interrupted:
                    errno = EINTR
                    return -1
                case .fails(let code):
                    errno = code
                    return -1
                }
            }
        }
    }

    private static func folder() -> FilePath {
        FilePath(NSTemporaryDirectory()).appending("short-\(UUID().uuidString)")
    }

    private static func append(_ backend: LocalDirectoryBackend, _ bytes: [UInt8], at offset: Int64) throws {
        try bytes.withUnsafeBytes { try backend.append("ab", at: offset, $0) }
    }

    private static func contents(_ backend: LocalDirectoryBackend, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try backend.read("ab", at: 0, into: $0) }
        return bytes
    }

    @Test func `a write that does a part, or is interrupted, goes on where it stopped`() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let device = Device()
        let backend = try LocalDirectoryBackend(directory: folder, write: device.write)
        try backend.create("ab")
        var random = SeededGenerator(seed: 60)
        let bytes = random.bytes(100_000)
        device.next([.short(1), .interrupted, .short(4096), .interrupted, .interrupted, .short(50_000), .short(7)])
        try Self.append(backend, bytes, at: 0)
        #expect(try backend.length("ab") == 100_000)
        #expect(try Self.contents(backend, 100_000) == bytes)
    }

    @Test(arguments: [ENOSPC, EDQUOT, EFBIG, EIO])
    func `a write that fails midway says why, and can be repeated`(code: Int32) throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let device = Device()
        let backend = try LocalDirectoryBackend(directory: folder, write: device.write)
        try backend.create("ab")
        var random = SeededGenerator(seed: 61)
        let bytes = random.bytes(100_000)
        device.next([.short(30_000), .fails(code)])
        let expected: StoreError.Code = code == EIO ? .input : .full
        #expect {
            try Self.append(backend, bytes, at: 0)
        } throws: { error in
            let error = error as? StoreError
            return error?.code == expected && error?.message.contains(String(cString: strerror(code))) == true
        }
        try Self.append(backend, bytes, at: 0)
        #expect(try Self.contents(backend, 100_000) == bytes)
        // A device that takes nothing and says nothing must not be asked for ever.
        device.next([.short(10), .nothing])
        #expect(throws: StoreError.self) { try Self.append(backend, bytes, at: 100_000) }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6])
    func `a store on a device of short writes gives back every byte, and one that fills up loses nothing`(
        seed: UInt64
    ) async throws {
        let device = Device()
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        func backend() throws -> LocalDirectoryBackend {
            try LocalDirectoryBackend(directory: folder, write: device.write)
        }
        let fixture = try await StoreFixture(
            backend: backend(),
            configure: {
                $0.dataPackBytes = 500_000
                $0.metaPackBytes = 10_000
                $0.inlineCommitBytes = 0
            })
        defer { fixture.remove() }
        let random = Mutex(SeededGenerator(seed: seed))
        device.every { _ in
            random.withLock { random in
                switch random.next() % 4 {
                case 0: .interrupted
                case 1: .short(1 + Int(random.next() % 5000))
                case 2: .short(1 + Int(random.next() % 300_000))
                default: nil
                }
            }
        }
        var kept: [(Version, [UInt8])] = []
        func push(_ count: Int) async throws {
            let bytes = random.withLock { $0.bytes(count) }
            kept.append((try await fixture.publish(bytes), bytes))
        }
        for _ in 0..<4 { try await push(400_000) }
        // The disk fills up in the middle of a write, again and again at other places.
        for round in 0..<6 {
            let limit = Mutex(20_000 + round * 90_000)
            device.every { _ in
                limit.withLock { left in
                    guard left > 0 else { return .fails(ENOSPC) }
                    let part = min(left, 65_536)
                    left -= part
                    return .short(part)
                }
            }
            let bytes = random.withLock { $0.bytes(700_000) }
            await #expect {
                try await fixture.publish(bytes)
            } throws: { ($0 as? StoreError)?.code == .full }
            device.every(nil)
            for (version, bytes) in kept { #expect(try await fixture.read(version) == bytes) }
            try await push(300_000)
        }
        let later = try await fixture.reopened(backend: backend())
        for (version, bytes) in kept { #expect(try await later.read(version) == bytes) }
        #expect(try await later.store.scrub(.deep).damage.isEmpty)
        // What the failed pushes left is given back.
        try later.store.packs.sealOpenPacks()
        for _ in 0..<3 { try await later.store.collect() }
        for (version, bytes) in kept { #expect(try await later.read(version) == bytes) }
        let logical = kept.reduce(0) { $0 + $1.1.count }
        #expect(try await later.store.statistics().storedBytes < Int64(logical * 5 / 4))
    }

    @Test func `a real limit on the size of files makes a real short write, then an error, and nothing is lost`() async
    {
        await #expect(processExitsWith: .success) {
            // Over the limit the kernel writes what fits, then refuses; the signal that comes with it would end the process.
            signal(SIGXFSZ, SIG_IGN)
            let folder = FilePath(NSTemporaryDirectory()).appending("limit-\(UUID().uuidString)")
            let shortest = Mutex((partial: 0, refused: 0))
            let backend = try LocalDirectoryBackend(
                directory: folder.appending("packs"),
                write: { file, bytes, count, offset in
                    let done = pwrite(file, bytes, count, offset)
                    let code = errno
                    shortest.withLock { seen in
                        if done > 0, done < count { seen.partial += 1 }
                        if done < 0, code == EFBIG { seen.refused += 1 }
                    }
                    errno = code
                    return done
                })
            let fixture = try await StoreFixture(
                backend: backend, folder: folder,
                configure: {
                    $0.inlineCommitBytes = 0
                    $0.openDataPacks = 1
                })
            defer { fixture.remove() }
            var random = SeededGenerator(seed: 62)
            let first = random.bytes(300_000)
            let version = try await fixture.publish(first)
            // The database, which grows too, stays below; the pack does not.
            let (most, more) = (rlim_t(3_000_001), random.bytes(6_000_000))
            var limit = rlimit(rlim_cur: most, rlim_max: rlim_t.max)
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            await #expect {
                try await fixture.publish(more)
            } throws: { ($0 as? StoreError)?.code == .full }
            let seen = shortest.withLock { $0 }
            #expect(seen.partial > 0 && seen.refused > 0, "\(seen)")
            #expect(try await fixture.read(version) == first)
            limit.rlim_cur = rlim_t.max
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let second = try await fixture.publish(more)
            #expect(try await fixture.read(second) == more)
            let later = try await fixture.reopened(backend: backend, configure: { $0.inlineCommitBytes = 0 })
            #expect(try await later.read(version) == first)
            #expect(try await later.read(second) == more)
            #expect(try await later.store.scrub(.deep).damage.isEmpty)
        }
    }
}
