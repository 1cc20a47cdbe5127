import Catalog
import Cryptography
import Foundation
import Testing

@testable import KeyHierarchy

/// Attacks on the sealed formats and on records that decide about access. Each must fail for the reason it was meant to.
@Suite struct AttackTests {
    // MARK: One ciphertext under two keys

    @Test(
        "A ciphertext made to open under two AES-GCM keys opens under one of them at most once it carries a commitment")
    func multiCollision() throws {
        let (one, two) = (SecretBytes.random(count: 32), SecretBytes.random(count: 32))
        let (nonce, associated) = (SecureRandom.bytes(12), SecureRandom.bytes(16))
        let forged = try GCMCollision.ciphertext(one, two, nonce: nonce, associated: associated)
        // The attack works: bare AES-GCM accepts the same bytes under both keys.
        for key in [one, two] {
            _ = try forged.withUnsafeBytes {
                try AES256GCM.open(key: key, nonce: nonce, additionalData: associated, $0)
            }
        }
        // The same against CFKB: the body is forged for the keys that two backing keys derive, the head being the first's.
        let (first, second) = (SecretBytes.random(count: 32), SecretBytes.random(count: 32))
        let sealed = try [UInt8](repeating: 0, count: 16).withUnsafeBytes {
            try CiphertextBlob.seal(
                $0, under: first, keyUUID: Array(0..<16), isMultiRegion: false, materialReference: Array(0..<16),
                context: [])
        }
        let parsed = try CiphertextBlob(parsing: sealed)
        _ = try parsed.open(under: first, context: [])
        let refused = #expect(throws: KeyFormatError.self) { try parsed.open(under: second, context: []) }
        #expect(refused?.reason.contains("another key") == true)
        // And the commitment is compared before anything is decrypted: with the other key's commitment the first is refused.
        var swapped = sealed
        let other = try [UInt8](repeating: 0, count: 16).withUnsafeBytes {
            try CiphertextBlob.seal(
                $0, under: second, keyUUID: Array(0..<16), isMultiRegion: false, materialReference: Array(0..<16),
                context: [], nonce: Array(sealed[40..<64]))
        }
        swapped.replaceSubrange(64..<96, with: other[64..<96])
        let both = try CiphertextBlob(parsing: swapped)
        #expect(throws: KeyFormatError.self) { try both.open(under: first, context: []) }
        #expect(throws: KeyFormatError.self) { try both.open(under: second, context: []) }
    }

    // MARK: Downgrades

    @Test("No format accepts another suite, format or reserved value than the known ones") func downgrades() throws {
        let key = SecretBytes.random(count: 32)
        let sealed = try SealedEnvelope.seal(key, under: key, keyVersion: 1, type: .backingKey, name: "n")
        let blob = try key.withUnsafeBytes {
            try CiphertextBlob.seal(
                $0, under: key, keyUUID: Array(0..<16), isMultiRegion: false, materialReference: Array(0..<16),
                context: [])
        }
        for value in [0, 2, 3, 4, 255] as [UInt8] {
            for position in [4, 5] {
                for bytes in [sealed, blob] {
                    var changed = bytes
                    changed[position] = value
                    #expect(throws: KeyFormatError.self) {
                        if bytes == sealed {
                            _ = try SealedEnvelope.open(changed, under: key, type: .backingKey, name: "n")
                        } else {
                            _ = try CiphertextBlob(parsing: changed)
                        }
                    }
                }
            }
        }
    }

    // MARK: Contexts

    @Test("Different contexts never have the same encoding, however their pairs concatenate; decoding gives them back")
    func injectivity() throws {
        let seed = UInt64.random(in: 0..<1 << 32)
        print("seed \(seed)")
        var random = Seeded(state: seed)
        var seen: [[UInt8]: [String: String]] = [:]
        // Few letters and short pairs, so that the concatenations of different maps coincide all the time.
        let letters = ["a", "b", "\u{0}", "é", "e\u{301}", "="]
        func word() -> String {
            (0..<Int(random.next() % 4)).map { _ in letters[Int(random.next() % 6)] }.joined()
        }
        for _ in 0..<20_000 {
            // Keys are distinct as bytes: Unicode equivalence is not looked at.
            var context: [String: String] = [:]
            for _ in 0..<(random.next() % 4) { context[word()] = word() }
            let encoded = EncryptionContext.encode(context)
            if let other = seen[encoded] { #expect(Self.sameBytes(other, context)) }
            seen[encoded] = context
            #expect(Self.sameBytes(try EncryptionContext.decode(encoded), context))
        }
        #expect(seen.count > 5_000)
    }

    private static func sameBytes(_ one: [String: String], _ other: [String: String]) -> Bool {
        func pairs(_ context: [String: String]) -> [[UInt8]] {
            context.map { Array($0.key.utf8) + [0xFF] + Array($0.value.utf8) }.sorted {
                $0.lexicographicallyPrecedes($1)
            }
        }
        return pairs(one) == pairs(other)
    }

    // MARK: Share records

    private func share(_ bench: Workbench) async throws -> (KeyHierarchy, ArtifactShare) {
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let share = ArtifactShare(
            shareID: "0b5e0e7e-0000-4000-8000-000000000001", owner: home,
            version: "0b5e0e7e-0000-4000-8000-000000000002", repository: "web", artifact: "app", number: 3,
            recipient: AccountRegion(account: "222233334444", region: "us-east-1"), pipeline: nil, mechanism: .rewrap,
            keyARN: "arn:aws:kms:us-east-1:222233334444:key/1234abcd-12ab-34cd-56ef-1234567890ab", purpose: "",
            createdBy: "owner", createdAt: 1, notAfter: 2_000_000_000_000)
        try await bench.catalog.write { try keys.record(share, action: "create", in: $0) }
        return (keys, share)
    }

    @Test("Any bit changed in a share's record is refused, and so are a record removed and one put back")
    func shareRecords() async throws {
        let bench = try Workbench()
        let (keys, share) = try await share(bench)
        #expect(try await keys.share(share.shareID) == share)
        let document = try await bench.catalog.read {
            try $0.row("SELECT document FROM key_record WHERE kind = 'share'")?.string("document") ?? ""
        }
        func set(_ column: String, _ value: any SQLConvertible & Sendable) async throws {
            try await bench.catalog.write {
                _ = try $0.execute("UPDATE key_record SET \(column) = ? WHERE kind = 'share'", value)
            }
        }
        let bytes = Array(document.utf8)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1 << (index % 7)
            try await set("document", String(decoding: changed, as: UTF8.self))
            await #expect(throws: (any Error).self, "byte \(index)") { try await keys.share(share.shareID) }
            await #expect(throws: (any Error).self) { try await keys.shares(by: home) }
        }
        try await set("document", document)
        #expect(try await keys.share(share.shareID) == share)
        // The recipient's column alone, by which its shares are found.
        try await set("aux", "to/333344445555/us-east-1")
        await #expect(throws: KeyError.self) {
            try await keys.shares(with: AccountRegion(account: "333344445555", region: "us-east-1"))
        }
        try await set("aux", "to/222233334444/us-east-1")
        try await bench.catalog.write { _ = try $0.execute("CREATE TABLE kept AS SELECT * FROM key_record") }
        var ended = share
        ended.revocation = .init(at: 5, by: "owner", depth: 1, reason: "")
        let record = ended
        try await bench.catalog.write { try keys.record(record, action: "revoke", in: $0) }
        #expect(try await keys.share(share.shareID)?.revocation?.depth == 1)
        try await bench.catalog.write { transaction in
            _ = try transaction.execute("DELETE FROM key_record WHERE kind = 'share'")
            _ = try transaction.execute("INSERT INTO key_record SELECT * FROM kept WHERE kind = 'share'")
        }
        let resurrected = await #expect(throws: KeyError.self) { try await keys.share(share.shareID) }
        #expect(resurrected?.code == .tampered)
        try await bench.catalog.write { _ = try $0.execute("DELETE FROM key_record WHERE kind = 'share'") }
        let removed = await #expect(throws: KeyError.self) { try await keys.share(share.shareID) }
        #expect(removed?.code == .tampered)
    }

    @Test("A record of one kind or scope does not pass for another's") func transplanted() async throws {
        let bench = try Workbench()
        let (keys, share) = try await share(bench)
        try await bench.catalog.write {
            _ = try $0.execute("UPDATE key_record SET scope = '222233334444/us-east-1' WHERE kind = 'share'")
        }
        await #expect(throws: KeyError.self) { try await keys.share(share.shareID) }
        await #expect(throws: KeyError.self) {
            try await keys.shares(by: AccountRegion(account: "222233334444", region: "us-east-1"))
        }
    }

    // MARK: Domains

    @Test("Two domains share no identity, no key and no boundary table, whatever their content") func domains() {
        let secrets = (0..<8).map { _ in SecretBytes.random(count: 32) }
        var seen: Set<String> = []
        for (index, secret) in secrets.enumerated() {
            for epoch in [1, 2] as [UInt32] {
                let domain = DedupDomain(
                    id: Array(repeating: UInt8(index % 2), count: 16), epoch: epoch, secret: secret)
                for key in [domain.idKey, domain.chunkKey, domain.cutKey] {
                    seen.insert(key.withUnsafeBytes { Hex.encode($0) })
                }
            }
        }
        #expect(seen.count == 8 * 2 * 3)
    }
}

/// Reproducible randomness; tests print the seed.
struct Seeded {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// Makes one ciphertext with tag that two AES-GCM keys accept (Grubbs, Lu, Ristenpart, 2017): the tags are linear in the
/// ciphertext block, so that one block of freedom makes them equal.
enum GCMCollision {
    /// An element of GF(2^128) as GCM writes it: bit 0 is the first bit of the first byte (SP 800-38D §6.3).
    struct Element: Equatable {
        var high: UInt64
        var low: UInt64

        init(_ bytes: [UInt8]) {
            high = bytes[0..<8].reduce(0) { $0 << 8 | UInt64($1) }
            low = bytes[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
        }

        init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        var bytes: [UInt8] {
            (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - 8 * ($0 % 8))) }
        }

        static let one = Element(high: 1 << 63, low: 0)

        static func + (a: Element, b: Element) -> Element { Element(high: a.high ^ b.high, low: a.low ^ b.low) }

        static func * (a: Element, b: Element) -> Element {
            var (sum, shifted) = (Element(high: 0, low: 0), b)
            for bit in 0..<128 {
                let word = bit < 64 ? a.high : a.low
                if word >> UInt64(63 - bit % 64) & 1 == 1 { sum = sum + shifted }
                let carry = shifted.low & 1
                shifted.low = shifted.low >> 1 | shifted.high << 63
                shifted.high >>= 1
                if carry == 1 { shifted.high ^= 0xE1 << 56 }
            }
            return sum
        }

        /// The inverse, a^(2^128 − 2).
        var inverse: Element {
            var (result, power) = (Element.one, self)
            for _ in 1..<128 {
                power = power * power
                result = result * power
            }
            return result
        }
    }

    private static func lengths(associated: Int, text: Int) -> Element {
        Element(high: UInt64(associated * 8), low: UInt64(text * 8))
    }

    private static func tag(_ key: SecretBytes, _ nonce: [UInt8], _ associated: [UInt8]) throws -> Element {
        Element(
            try [UInt8]().withUnsafeBytes { try AES256GCM.seal(key: key, nonce: nonce, additionalData: associated, $0) }
        )
    }

    /// H = E_k(0), from the tag of sixteen zero bytes of associated data: T = L·H + E_k(J0), the tag of nothing being E_k(J0).
    private static func hashKey(_ key: SecretBytes, _ nonce: [UInt8]) throws -> (h: Element, mask: Element) {
        let mask = try tag(key, nonce, [])
        let zeros = try tag(key, nonce, [UInt8](repeating: 0, count: 16))
        return ((zeros + mask) * lengths(associated: 128 / 8, text: 0).inverse, mask)
    }

    /// Sixteen bytes of ciphertext and their tag.
    static func ciphertext(_ one: SecretBytes, _ two: SecretBytes, nonce: [UInt8], associated: [UInt8]) throws
        -> [UInt8]
    {
        let (a, b) = (try hashKey(one, nonce), try hashKey(two, nonce))
        let (data, length) = (Element(associated), lengths(associated: 16, text: 16))
        func square(_ x: Element) -> Element { x * x }
        // T = A·H³ + C·H² + L·H + mask for both keys.
        func constant(_ k: (h: Element, mask: Element)) -> Element { data * square(k.h) * k.h + length * k.h + k.mask }
        let block = (constant(a) + constant(b)) * (square(a.h) + square(b.h)).inverse
        return block.bytes + (constant(a) + block * square(a.h)).bytes
    }
}
