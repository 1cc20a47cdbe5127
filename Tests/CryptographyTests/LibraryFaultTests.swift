import Foundation
import Testing

@testable import Cryptography

@Suite("When libcrypto has no memory or no randomness")
struct LibraryFaultTests {
    @Test(
        "an allocation that fails gives an error or the right bytes, whichever it is, and later uses are right",
        arguments: [false, true])
    func allocations(andAllAfter: Bool) async {
        await #expect(processExitsWith: .success) { [andAllAfter] in
            guard FailingAllocator.install() else { exit(3) }
            for use in LibraryUse.allCases where use != .random {
                let work = try use.prepare()
                try work()
                let count = try FailingAllocator.count(work)
                // Making and reading a key takes thousands.
                for number in stride(from: 1, through: count, by: count > 1000 ? 13 : 1) {
                    do {
                        try FailingAllocator.failing(number, andAllAfter: andAllAfter, work)
                    } catch is CryptographyError {}
                    // Whatever is kept between uses was not damaged.
                    if number % 16 == 0 { try work() }
                }
                try work()
            }
        }
    }

    @Test("the first use fails or succeeds as a whole too", arguments: [LibraryUse.seal, .wrap, .generate, .signECDSA])
    func firstUse(use: LibraryUse) async {
        await #expect(processExitsWith: .success) { [use] in
            let outcomes = try Forked.firstUses(use, andAllAfter: false)
            #expect(!outcomes.contains(.wrong), "\(outcomes)")
            #expect(outcomes.contains(.right))
        }
    }

    @Test("keys are made of randomness or not at all, also when there is no memory for the generator")
    func firstRandom() async {
        await #expect(processExitsWith: .success) {
            let outcomes = try Forked.firstUses(.random, andAllAfter: true)
            #expect(outcomes.allSatisfy { $0 == .right || $0 == .stopped }, "\(outcomes)")
            #expect(outcomes.contains(.stopped))
        }
    }

    enum Draw: String, CaseIterable, Codable {
        case key, nonce, identifier

        func take() {
            switch self {
            case .key: _ = SecretBytes.random(count: 32)
            case .nonce: _ = SecureRandom.bytes(24)
            case .identifier: _ = SecureRandom.uuid()
            }
        }
    }

    @Test("a generator that fails ends the process", arguments: FailingGenerator.allCases, Draw.allCases)
    func draws(generator: FailingGenerator, draw: Draw) async {
        await #expect(processExitsWith: .failure) { [generator, draw] in
            guard generator.install() else { exit(EXIT_SUCCESS) }
            draw.take()
            // Nothing may come as far.
            exit(EXIT_SUCCESS)
        }
    }

    @Test("what draws inside libcrypto fails with an error, and what needs no randomness goes on")
    func uses() async {
        await #expect(processExitsWith: .success) {
            let prepared = try LibraryUse.allCases.filter { $0 != .random }.map { ($0, try $0.prepare()) }
            for draw in Draw.allCases { draw.take() }
            guard FailingGenerator.method.install() else { exit(3) }
            for (use, work) in prepared {
                do {
                    try work()
                    #expect(!use.needsRandom, "\(use) found randomness somewhere")
                } catch is CryptographyError {
                    // An RSA key is blinded with random numbers before it is used, and its checks draw some.
                    #expect(use.needsRandom || use == .signPKCS1, "\(use)")
                }
            }
        }
    }
}

/// Work in a copy of this process, which ends with it.
private enum Forked {
    enum Outcome: Equatable {
        case right, refused, wrong
        /// By a check of our own, which is a trap, or of libcrypto's; 3.0 itself crashes where it has no memory for its
        /// first fifty allocations.
        case stopped
        case other(CInt)
    }

    static func run(_ work: () throws -> Void) -> Outcome {
        let child = fork()
        guard child != 0 else {
            // No report of what is expected.
            for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT] { signal(number, SIG_DFL) }
            do {
                try work()
                _exit(0)
            } catch is CryptographyError {
                _exit(10)
            } catch {
                _exit(11)
            }
        }
        var status: CInt = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status & 0x7F == 0 else { return .stopped }
        return switch status >> 8 & 0xFF {
        case 0: .right
        case 10: .refused
        case 11: .wrong
        default: .other(status)
        }
    }

    /// What comes of the first use of libcrypto when its n-th allocation fails. Of these allocations, which are thousands,
    /// some; a prime apart, so that all kinds are met.
    static func firstUses(_ use: LibraryUse, andAllAfter: Bool) throws -> [Outcome] {
        guard FailingAllocator.install(), let count = try count({ try use.prepare()() }) else { exit(3) }
        return stride(from: 1, through: count, by: 97).map { number in
            run { try FailingAllocator.failing(number, andAllAfter: andAllAfter) { try use.prepare()() } }
        }
    }

    /// How many allocations work makes in a fresh process; nil when it fails.
    private static func count(_ work: () throws -> Void) throws -> Int? {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { return nil }
        defer { for end in ends { close(end) } }
        let outcome = run {
            var count = try FailingAllocator.count(work)
            write(ends[1], &count, MemoryLayout<Int>.size)
        }
        var count = 0
        guard outcome == .right, read(ends[0], &count, MemoryLayout<Int>.size) == MemoryLayout<Int>.size else {
            return nil
        }
        return count
    }
}
