import Cryptography
import Testing

/// FIPS 180-4 and RFC 1321 examples.
@Suite struct HashTests {
    @Test(
        "Published digests are reproduced",
        arguments: [
            (HashAlgorithm.md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
            (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.sha224, "abc", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                .sha256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                .sha384, "abc",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
            ),
            (
                .sha512, "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
        ])
    func knownDigests(algorithm: HashAlgorithm, message: String, expected: String) {
        #expect(Hex.encode(algorithm.digest(Array(message.utf8))) == expected)
    }

    @Test("Pieces and copies give the digest of the whole, and a hasher can be used again")
    func incremental() {
        let message = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var hash = SHA256()
        hash.update(Array(message[..<777]))
        var fork = hash
        hash.update(Array(message[777...]))
        #expect(hash.finish() == SHA256.digest(message))
        fork.update(Array(message[777...]))
        #expect(fork.finish() == SHA256.digest(message))
        hash.update(Array("abc".utf8))
        #expect(hash.finish().hex.hasPrefix("ba7816bf"))
    }

    @Test("Digests order like their bytes and survive text")
    func digestValue() throws {
        let low = try #require(SHA256Digest(bytes: [UInt8](repeating: 0, count: 31) + [255]))
        let high = try #require(SHA256Digest(bytes: [1] + [UInt8](repeating: 0, count: 31)))
        #expect(low < high)
        #expect(SHA256Digest(hex: high.hex) == high)
        #expect(SHA256Digest(bytes: [1, 2, 3]) == nil)
        #expect(high.bytes.first == 1)
    }
}

/// RFC 4231 and RFC 2202.
@Suite struct MACTests {
    @Test("RFC 4231 test cases 1, 2 and 6")
    func hmacSHA2() {
        let key1 = [UInt8](repeating: 0x0B, count: 20)
        let hi = Array("Hi There".utf8)
        #expect(
            HMACSHA256.code(key: key1, hi).hex == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            Hex.encode(HMACSHA224.code(key: key1, hi)) == "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22")
        #expect(
            Hex.encode(HMACSHA384.code(key: key1, hi))
                == "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6")
        #expect(
            Hex.encode(HMACSHA512.code(key: key1, hi))
                == "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
                + "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854")
        let what = Array("what do ya want for nothing?".utf8)
        #expect(
            HMACSHA256.code(key: Array("Jefe".utf8), what).hex
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let long = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        #expect(
            HMACSHA256.code(key: [UInt8](repeating: 0xAA, count: 131), long).hex
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        #expect(
            Hex.encode(HMACSHA1.code(key: Array("Jefe".utf8), what)) == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
    }

    @Test("A keyed MAC can be used again and copied")
    func reuse() {
        var mac = HMACSHA256(key: Array("Jefe".utf8))
        mac.update(Array("one".utf8))
        let first = mac.finish()
        mac.update(Array("one".utf8))
        #expect(mac.finish() == first)
    }

    @Test("RFC 5869 test cases 1 and 3")
    func hkdf() {
        let material = SecretBytes(copying: [UInt8](repeating: 0x0B, count: 22))
        let prk = HKDFSHA256.extract(salt: Array(0...12), key: material)
        #expect(
            prk.withUnsafeBytes { Hex.encode($0) } == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
        )
        let output = HKDFSHA256.expand(key: prk, info: Array(0xF0...0xF9), count: 42)
        #expect(
            output.withUnsafeBytes { Hex.encode($0) }
                == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        let bare = HKDFSHA256.expand(key: HKDFSHA256.extract(salt: [], key: material), info: [], count: 42)
        #expect(
            bare.withUnsafeBytes { Hex.encode($0) }
                == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
    }
}
