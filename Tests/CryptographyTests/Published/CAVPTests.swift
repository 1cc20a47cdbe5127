import Cryptography
import Foundation
import Testing

/// NIST's Cryptographic Algorithm Validation Program and the RFCs' own vectors.
@Suite struct CAVPTests {
    static let hashFiles: [(String, HashAlgorithm)] = [
        ("SHA1/SHA1", .sha1), ("SHA2/SHA224", .sha224), ("SHA2/SHA256", .sha256), ("SHA2/SHA384", .sha384),
        ("SHA2/SHA512", .sha512),
    ]

    private func checkMessages(_ records: [Response], _ hash: HashAlgorithm) throws {
        #expect(!records.isEmpty)
        for record in records {
            let message = try record.hex("Msg").prefix(record.number("Len") / 8)
            let whole = hash.digest(Array(message))
            var pieces = IncrementalHash(hash)
            for start in stride(from: 0, to: message.count, by: 37) {
                pieces.update(Array(message[start..<min(start + 37, message.count)]))
            }
            let expected = try record.hex("MD")
            #expect(whole == expected, "\(record.place)")
            #expect(pieces.finish() == expected, "in pieces: \(record.place)")
        }
    }

    @Test(arguments: VectorSet.available, hashFiles)
    func `hashes of short and long messages`(_ vectors: VectorSet, of file: (String, HashAlgorithm)) throws {
        try checkMessages(vectors.responses("hashes/\(file.0)ShortMsg.rsp"), file.1)
        try checkMessages(vectors.responses("hashes/\(file.0)LongMsg.rsp"), file.1)
    }

    @Test(arguments: VectorSet.available)
    func `MD5, RFC 1321`(_ vectors: VectorSet) throws {
        try checkMessages(vectors.responses("hashes/MD5/rfc-1321.txt"), .md5)
    }

    /// SHAVS §6.4: a chain of a thousand hashes between checkpoints, each of the three digests before it.
    @Test(arguments: VectorSet.available, hashFiles)
    func `hashes of hashes`(_ vectors: VectorSet, of file: (String, HashAlgorithm)) throws {
        let records = try vectors.responses("hashes/\(file.0)Monte.rsp").prefix(5)
        #expect(!records.isEmpty)
        var seed = try #require(records.first).hex("Seed")
        for record in records {
            var last = [seed, seed, seed]
            for _ in 0..<1000 { last = [last[1], last[2], file.1.digest(last[0] + last[1] + last[2])] }
            seed = last[2]
            let expected = try record.hex("MD")
            #expect(seed == expected, "\(record.place)")
        }
    }

    @Test(arguments: VectorSet.available, ["2202-sha1", "4231-sha224", "4231-sha256", "4231-sha384", "4231-sha512"])
    func `HMAC, RFC 2202 and RFC 4231`(_ vectors: VectorSet, file: String) throws {
        let records = try vectors.responses("HMAC/rfc-\(file).txt")
        #expect(!records.isEmpty)
        for record in records {
            let (key, message, expected) = try (record.hex("Key"), record.hex("Msg"), record.hex("MD"))
            let code =
                switch file.suffix(3) {
                case "224": HMACSHA224.code(key: key, message)
                case "256": HMACSHA256.code(key: key, message).bytes
                case "384": HMACSHA384.code(key: key, message)
                case "512": HMACSHA512.code(key: key, message)
                default: HMACSHA1.code(key: key, message)
                }
            #expect(code == expected, "\(record.place)")
        }
    }

    @Test(arguments: VectorSet.available)
    func `HKDF, RFC 5869`(_ vectors: VectorSet) throws {
        let path = "KDF/rfc-5869-HKDF-SHA256.txt"
        // The file has a blank line in the middle of each test.
        let text = try vectors.text(path).replacing("\n\nPRK", with: "\nPRK").replacing("\n\nHash", with: "\nHash")
        let records = Response.parse(text, file: path)
        #expect(records.count == 3)
        for record in records {
            let material = try SecretBytes(copying: record.hex("IKM"))
            let key = try HKDFSHA256.extract(salt: record.hex("salt"), key: material)
            let output = try HKDFSHA256.expand(key: key, info: record.hex("info"), count: record.number("L"))
            let (expectedKey, expected) = try (record.hex("PRK"), record.hex("OKM"))
            #expect(key.withUnsafeBytes { Array($0) } == expectedKey, "\(record.place)")
            #expect(output.withUnsafeBytes { Array($0) } == expected, "\(record.place)")
        }
    }

    @Test(arguments: VectorSet.available)
    func `scrypt, RFC 7914`(_ vectors: VectorSet) throws {
        for record in try vectors.responses("KDF/scrypt.txt") {
            let cost = try UInt64(record.number("N"))
            let derive = {
                try Scrypt.derive(
                    passphrase: SecretBytes(copying: Array((record.text("PASSWORD") ?? "").utf8)),
                    salt: Array((record.text("SALT") ?? "").utf8), cost: cost,
                    blockSize: UInt64(record.number("r")), parallelism: UInt64(record.number("p")),
                    count: record.number("LENGTH"))
            }
            guard cost < 1 << 20 else {
                // The last vector takes just more than the ceiling of 1 GiB.
                #expect(throws: CryptographyError.self) { try derive() }
                continue
            }
            let (key, expected) = try (derive(), record.hex("DERIVED_KEY"))
            #expect(key.withUnsafeBytes { Array($0) } == expected, "\(record.place)")
        }
    }

    @Test(arguments: VectorSet.available, ["gcmEncryptExtIV256", "gcmDecrypt256"])
    func `AES-256-GCM, SP 800-38D`(_ vectors: VectorSet, file: String) throws {
        var count = 0
        for record in try vectors.responses("ciphers/AES/GCM/\(file).rsp")
        where record.section.contains("IVlen = 96") && record.section.contains("Taglen = 128") {
            count += 1
            let (key, nonce) = try (SecretBytes(copying: record.hex("Key")), record.hex("IV"))
            let (data, sealed) = try (record.hex("AAD"), record.hex("CT") + record.hex("Tag"))
            let open = {
                try sealed.withUnsafeBytes {
                    try AES256GCM.open(key: key, nonce: nonce, additionalData: data, $0)
                }
            }
            guard record.text("FAIL") == nil else {
                #expect(throws: CryptographyError.authenticationFailed, "\(record.place)") { try open() }
                continue
            }
            let plaintext = try record.hex("PT")
            let again = try plaintext.withUnsafeBytes {
                try AES256GCM.seal(key: key, nonce: nonce, additionalData: data, $0)
            }
            #expect(again == sealed, "\(record.place)")
            let opened = try open()
            #expect(opened.withUnsafeBytes { Array($0) } == plaintext, "\(record.place)")
        }
        #expect(count > 0)
    }

    @Test(arguments: VectorSet.available)
    func `AES-256 key wrap with padding, SP 800-38F`(_ vectors: VectorSet) throws {
        for record in try vectors.responses("keywrap/kwtestvectors/KWP_AD_256.txt") {
            let key = try SecretBytes(copying: record.hex("K"))
            let wrapped = try record.hex("C")
            guard record.text("FAIL") == nil else {
                #expect(throws: CryptographyError.authenticationFailed, "\(record.place)") {
                    try AESKeyWrapPadded.unwrap(wrapped, under: key)
                }
                continue
            }
            let (opened, expected) = try (AESKeyWrapPadded.unwrap(wrapped, under: key), record.hex("P"))
            #expect(opened.withUnsafeBytes { Array($0) } == expected, "\(record.place)")
        }
        for record in try vectors.responses("keywrap/kwtestvectors/KWP_AE_256.txt") {
            let key = try SecretBytes(copying: record.hex("K"))
            let (wrapped, expected) = try (
                AESKeyWrapPadded.wrap(SecretBytes(copying: record.hex("P")), under: key), record.hex("C")
            )
            #expect(wrapped == expected, "\(record.place)")
        }
    }
}
