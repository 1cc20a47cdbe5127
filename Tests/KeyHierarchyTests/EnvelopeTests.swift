import Cryptography
import Foundation
import Testing

@testable import KeyHierarchy

@Suite struct EnvelopeTests {
    let context = ["aws:s3:arn": "arn:aws:s3:::b/k"]

    @Test("An envelope opens for its recipients, is shared and revoked without touching the artifact")
    func share() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let owner = try await keys.resolveKey(nil, in: home)
        let guest = try await keys.resolveKey(nil, in: AccountRegion(account: "111122223333", region: "eu-west-1"))
        let id = SecureRandom.bytes(16)
        let (made, envelope) = try await keys.createEnvelope(artifactID: id, for: owner, context: context)
        #expect(constantTimeEqual(try await keys.openEnvelope(envelope).key, made.key))
        let denied = await #expect(throws: KeyError.self) {
            try await keys.openEnvelope(envelope, using: guest.keyARN)
        }
        #expect(denied?.code == .accessDenied)
        let shared = try await keys.addRecipient(to: envelope, guest, context: context, grantID: "g")
        #expect(shared.count - envelope.count < 400)
        let later = try await bench.reopened()
        #expect(constantTimeEqual(try await later.openEnvelope(shared, using: guest.keyARN).key, made.key))
        let revoked = try await later.removeRecipient(from: shared, keyARN: guest.keyARN)
        await #expect(throws: KeyError.self) { try await later.openEnvelope(revoked, using: guest.keyARN) }
        await #expect(throws: KeyError.self) { try await later.removeRecipient(from: revoked, keyARN: owner.keyARN) }
        let again = try await later.rewrapEnvelope(revoked)
        #expect(again != revoked)
        #expect(constantTimeEqual(try await later.openEnvelope(again).key, made.key))
        let rekeyed = try await later.rekeyEnvelope(again)
        #expect(rekeyed.new.generation == 2)
        #expect(!constantTimeEqual(rekeyed.new.key, made.key))
        #expect(constantTimeEqual(try await later.openEnvelope(rekeyed.envelope).key, rekeyed.new.key))
    }

    @Test("A recipient past its time opens nothing")
    func expiry() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let owner = try await keys.resolveKey(nil, in: home)
        let guest = try await keys.resolveKey("alias/aws/ebs", in: home)
        let (_, envelope) = try await keys.createEnvelope(
            artifactID: SecureRandom.bytes(16), for: owner, context: context)
        let shared = try await keys.addRecipient(
            to: envelope, guest, context: context, notAfter: Date(timeIntervalSinceNow: -1))
        await #expect(throws: KeyError.self) { try await keys.openEnvelope(shared, using: guest.keyARN) }
        _ = try await keys.openEnvelope(shared)
    }

    @Test("Stripped, swapped and altered recipients are noticed")
    func tampering() async throws {
        let bench = try Workbench()
        let keys = try await KeyHierarchy.create(catalog: bench.catalog, root: bench.location)
        let owner = try await keys.resolveKey(nil, in: home)
        let guest = try await keys.resolveKey("alias/aws/ebs", in: home)
        let (_, one) = try await keys.createEnvelope(artifactID: SecureRandom.bytes(16), for: owner, context: context)
        let (_, other) = try await keys.createEnvelope(artifactID: SecureRandom.bytes(16), for: owner, context: context)
        let shared = try await keys.addRecipient(to: one, guest, context: context)
        var stripped = try ArtifactKeyEnvelope(parsing: shared)
        stripped.recipients.removeLast()
        let forged = stripped.encode(.random(count: 32))
        await #expect(throws: KeyFormatError.self) { try await keys.openEnvelope(forged) }
        // The wraps of two artifacts exchanged.
        var swapped = try ArtifactKeyEnvelope(parsing: one)
        swapped.recipients = try ArtifactKeyEnvelope(parsing: other).recipients
        let body = swapped.encode(.random(count: 32)).dropLast(32) + one.suffix(32)
        await #expect(throws: KeyFormatError.self) { try await keys.openEnvelope(Array(body)) }
        for index in stride(from: 0, to: shared.count, by: 5) {
            var changed = shared
            changed[index] ^= 1
            let bytes = changed
            await #expect(throws: (any Error).self) { try await keys.openEnvelope(bytes, using: owner.keyARN) }
        }
        for count in 0..<shared.count {
            #expect(throws: KeyFormatError.self) { try ArtifactKeyEnvelope(parsing: Array(shared[..<count])) }
        }
    }
}
