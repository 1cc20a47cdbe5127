import Cryptography
import Testing

/// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16 (AES-256).
@Suite struct AES256GCMTests {
    static let key16 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
    static let plain16 =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

    @Test(
        "Published cases are reproduced and open again",
        arguments: [
            (
                String(repeating: "0", count: 64), String(repeating: "0", count: 24), "", "", "",
                "530f8afbc74536b9a963b4f1c4cb738b"
            ),
            (
                String(repeating: "0", count: 64), String(repeating: "0", count: 24), "",
                String(repeating: "0", count: 32), "cea7403d4d606b6e074ec5d3baf39d18",
                "d0d1c8a799996bf0265b98b5d48ab919"
            ),
            (
                key16, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", plain16,
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
                "76fc6ece0f4e1768cddf8853bb2d551b"
            ),
        ])
    func known(key: String, nonce: String, data: String, plain: String, cipher: String, tag: String) throws {
        let key = try SecretBytes(copying: #require(Hex.decode(key)))
        let nonce = try #require(Hex.decode(nonce))
        let data = try #require(Hex.decode(data))
        let plaintext = try #require(Hex.decode(plain))
        let sealed = try plaintext.withUnsafeBytes {
            try AES256GCM.seal(key: key, nonce: nonce, additionalData: data, $0)
        }
        #expect(Hex.encode(sealed) == cipher + tag)
        let opened = try sealed.withUnsafeBytes {
            try AES256GCM.open(key: key, nonce: nonce, additionalData: data, $0)
        }
        #expect(opened.withUnsafeBytes { Array($0) } == plaintext)
    }

    @Test("A reused context works in place, and any changed bit is refused and wipes the output")
    func inPlace() throws {
        let context = try GCMContext()
        let key = SecureRandom.bytes(32)
        let nonce = SecureRandom.bytes(12)
        let data = Array("header".utf8)
        let original = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
        var bytes = original
        var tag = [UInt8](repeating: 0, count: 16)
        func seal() throws {
            try key.withUnsafeBytes { key in
                try nonce.withUnsafeBytes { nonce in
                    try data.withUnsafeBytes { data in
                        try bytes.withUnsafeMutableBytes { body in
                            try tag.withUnsafeMutableBytes {
                                try context.seal(
                                    key: key, nonce: nonce, additionalData: data, UnsafeRawBufferPointer(body),
                                    into: body, tag: $0)
                            }
                        }
                    }
                }
            }
        }
        func open() throws {
            try key.withUnsafeBytes { key in
                try nonce.withUnsafeBytes { nonce in
                    try data.withUnsafeBytes { data in
                        try bytes.withUnsafeMutableBytes { body in
                            try tag.withUnsafeBytes {
                                try context.open(
                                    key: key, nonce: nonce, additionalData: data, UnsafeRawBufferPointer(body),
                                    tag: $0, into: body)
                            }
                        }
                    }
                }
            }
        }
        for _ in 0..<3 {
            try seal()
            #expect(bytes != original)
            try open()
            #expect(bytes == original)
        }
        try seal()
        bytes[4321] ^= 4
        #expect(throws: CryptographyError.authenticationFailed) { try open() }
        #expect(bytes.allSatisfy { $0 == 0 })
        bytes = original
        try seal()
        tag[3] ^= 1
        #expect(throws: CryptographyError.authenticationFailed) { try open() }
    }
}

@Suite struct SecretAndTextTests {
    @Test("A secret shows neither bytes nor children")
    func redaction() {
        let secret = SecretBytes(copying: Array("hunter2hunter2".utf8))
        #expect("\(secret)" == "SecretBytes(14 bytes, redacted)")
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("104") && !dumped.contains("hunter"))
        #expect(secret.slice(0..<7).withUnsafeBytes { Array($0) } == Array("hunter2".utf8))
    }

    @Test("More secrets than the locked heap holds still work")
    func heapOverflow() {
        let secrets = (0..<40).map { SecretBytes(copying: [UInt8](repeating: UInt8($0), count: 128 * 1024)) }
        for (index, secret) in secrets.enumerated() {
            #expect(secret.withUnsafeBytes { $0.allSatisfy { $0 == UInt8(index) } })
        }
    }

    @Test(
        "Base64 follows RFC 4648 §10",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(plain: String, text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
    }

    @Test(
        "Base64 that an encoder would not write is refused", arguments: ["Zg", "Zh==", "Zg=", "=Zg=", "Z===", "Zm9\n"])
    func strictBase64(text: String) { #expect(Base64.decode(text) == nil) }

    @Test("URL-safe base64 round trips")
    func base64URL() {
        let bytes = Array(UInt8.min...UInt8.max)
        #expect(Base64.decodeURL(Base64.encodeURL(bytes)) == bytes)
        #expect(Base64.encodeURL([0xFB, 0xFF]) == "-_8")
    }

    @Test("UUID text and bytes correspond")
    func uuid() throws {
        let text = SecureRandom.uuid()
        #expect(text.count == 36)
        #expect(Hex.uuidText(try #require(Hex.uuidBytes(text))) == text)
        #expect(Hex.uuidBytes("00112233-4455-6677-8899-aAbBcCdDeEfF") == Hex.decode("00112233445566778899aabbccddeeff"))
        let wrong = [
            "1234", "", "00112233445566778899aabbccddeeff", "0011223-34455-6677-8899-aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeff0",
            "00112233-4455-6677-8899-aabbccddeefg", "00112233-4455-6677-88-9aaabbccddeeff",
            "------------------------------------",
        ]
        for text in wrong { #expect(Hex.uuidBytes(text) == nil, "\(text)") }
        #expect(Hex.decode("0g") == nil)
    }

    @Test("Comparison sees every difference")
    func comparison() {
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
        #expect(constantTimeEqual([UInt8](), []))
    }
}
