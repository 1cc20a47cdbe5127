import Cryptography
import Testing

@testable import KeyHierarchy

/// The published vectors of the formats, and the properties every format must have.
@Suite struct FormatTests {
    let k = SecretBytes(copying: 0..<32 as Range<UInt8>)
    let contextPairs = ["aws:s3:arn": "arn:aws:s3:::b/k", "Dept": "IT"]

    func hex(_ secret: SecretBytes) -> String { secret.withUnsafeBytes { Hex.encode($0) } }

    @Test("X reproduces its vector, incrementally too")
    func derivation() {
        let expected = "18ed580351034910d4603f171ba2d85fcfcea21bb348ede95a67453e49f09b69"
        #expect(hex(Derivation.expand(k, "test", 32)) == expected)
        let labelled = LabelledDerivation(key: k, label: "test")
        var output = [UInt8](repeating: 0, count: 32)
        output.withUnsafeMutableBytes {
            labelled.derive(prefixedFields: UnsafeRawBufferPointer(start: nil, count: 0), into: $0)
        }
        #expect(Hex.encode(output) == expected)
        var fields = ByteWriter()
        fields.appendPrefixed([1, 2])
        fields.appendPrefixed([])
        fields.bytes.withUnsafeBytes { source in
            output.withUnsafeMutableBytes { labelled.derive(prefixedFields: source, into: $0) }
        }
        #expect(Hex.encode(output) == hex(Derivation.expand(k, "test", 32, [1, 2], [])))
    }

    @Test("The canonical encryption context reproduces its digest and is injective")
    func encryptionContext() throws {
        #expect(
            SHA256.digest(EncryptionContext.encode(contextPairs)).hex
                == "7a40fa8d446680deb1eb6cb32c01b72ceda64334ebc3254ce6738f3db5407612")
        #expect(EncryptionContext.encode(["ab": "c"]) != EncryptionContext.encode(["a": "bc"]))
        #expect(try EncryptionContext.decode(EncryptionContext.encode(contextPairs)) == contextPairs)
        #expect(throws: KeyError.self) { try EncryptionContext.checked(["a": String(repeating: "x", count: 9000)]) }
    }

    @Test("CFKB reproduces its vector and opens only under its key and context")
    func ciphertextBlob() throws {
        let uuid = try #require(Hex.uuidBytes("1234abcd-12ab-34cd-56ef-1234567890ab"))
        let context = EncryptionContext.encode(contextPairs)
        let material = CiphertextBlob.materialID(of: k, keyUUID: uuid)
        #expect(Hex.encode(material) == "c139d3e4a1bda69d64766d7ed9de4e2133edcdce992630dc44e67c480867003c")
        let blob = try Array("hello".utf8).withUnsafeBytes {
            try CiphertextBlob.seal(
                $0, under: k, keyUUID: uuid, isMultiRegion: false, materialReference: Array(material[..<16]),
                context: context, nonce: Array(0x40...0x57))
        }
        #expect(
            Hex.encode(blob[64..<117])
                == "99f4050d86e93b16745ccde75fb77c8f3048d4aa82979f50288f97038dd0a6f5"
                + "8330611c359bc05bfa55efa04aff41db094192a632")
        let parsed = try CiphertextBlob(parsing: blob)
        #expect(parsed.keyID == "1234abcd-12ab-34cd-56ef-1234567890ab")
        #expect(hex(try parsed.open(under: k, context: context)) == Hex.encode(Array("hello".utf8)))
        #expect(throws: KeyFormatError.self) { try parsed.open(under: k, context: EncryptionContext.encode([:])) }
        #expect(throws: KeyFormatError.self) { try parsed.open(under: .random(count: 32), context: context) }
    }

    @Test("Dedup secrets reproduce their vectors")
    func dedupVectors() {
        let domain = DedupDomain(
            id: Array(0..<16), epoch: 1, secret: SecretBytes(copying: [UInt8](repeating: 0xD5, count: 32)))
        let plain = Array("coffer".utf8)
        let digest = SHA256.digest(plain).bytes
        var length = ByteWriter()
        length.append(UInt64(plain.count))
        #expect(
            hex(Derivation.expand(domain.idKey, "cid", 32, digest, length.bytes))
                == "cec02dd490d674d8143a3cce952f646dec1c581ea703d183fafe36ffc3226774")
        #expect(
            hex(Derivation.expand(domain.chunkKey, "ck", 32, digest, length.bytes))
                == "35751f41c16a4e7cfe8e3818fdf4b14e41451302c7b42f6444cd31fa0dd6a59d")
    }

    @Test("A one-bit change anywhere in a CFSE or CFKB is refused")
    func everyBit() throws {
        let secret = SecretBytes.random(count: 21)
        let sealed = try SealedEnvelope.seal(secret, under: k, keyVersion: 7, type: .backingKey, name: "backing/x/1")
        #expect(sealed.count == 21 + SealedEnvelope.overheadBytes)
        #expect(hex(try SealedEnvelope.open(sealed, under: k, type: .backingKey, name: "backing/x/1")) == hex(secret))
        #expect(throws: KeyFormatError.self) {
            try SealedEnvelope.open(sealed, under: k, type: .backingKey, name: "backing/x/2")
        }
        #expect(throws: KeyFormatError.self) {
            try SealedEnvelope.open(sealed, under: k, type: .domainKey, name: "backing/x/1")
        }
        for bit in 0..<sealed.count * 8 {
            var changed = sealed
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: (any Error).self) {
                try SealedEnvelope.open(changed, under: k, type: .backingKey, name: "backing/x/1")
            }
        }
        let blob = try secret.withUnsafeBytes {
            try CiphertextBlob.seal(
                $0, under: k, keyUUID: Array(0..<16), isMultiRegion: true, materialReference: Array(0..<16), context: []
            )
        }
        #expect(blob.count == 21 + CiphertextBlob.overheadBytes)
        for bit in 0..<blob.count * 8 {
            var changed = blob
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: (any Error).self) { try CiphertextBlob(parsing: changed).open(under: k, context: []) }
        }
    }

    @Test("Every truncation of every format throws and never traps")
    func truncation() throws {
        let sealed = try SealedEnvelope.seal(k, under: k, keyVersion: 7, type: .root, name: "n")
        for count in 0..<sealed.count {
            #expect(throws: (any Error).self) {
                try SealedEnvelope.open(Array(sealed[..<count]), under: k, type: .root, name: "n")
            }
            #expect(throws: (any Error).self) { try CiphertextBlob(parsing: Array(sealed[..<count])) }
            #expect(throws: (any Error).self) { try RootFile(decoding: Array(sealed[..<count])) }
        }
    }
}
