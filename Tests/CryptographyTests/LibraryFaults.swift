import COpenSSL
import Foundation
import Synchronization

@testable import Cryptography

/// libcrypto's allocator, which fails when it is told to. To be installed before libcrypto has allocated anything, that is
/// in a process of its own.
enum FailingAllocator {
    private static let allocations = Atomic<Int>(0)
    /// The number of the allocation that fails; 0 for none.
    private static let first = Atomic<Int>(0)
    private static let last = Atomic<Int>(0)

    /// False when libcrypto has allocated something already.
    static func install() -> Bool {
        CRYPTO_set_mem_functions(
            { size, _, _ in size == 0 || FailingAllocator.isDue() ? nil : malloc(size) },
            { block, size, _, _ in size > 0 && FailingAllocator.isDue() ? nil : realloc(block, size) },
            { block, _, _ in free(block) }) == 1
    }

    private static func isDue() -> Bool {
        let number = allocations.add(1, ordering: .relaxed).newValue
        return number >= first.load(ordering: .relaxed) && number <= last.load(ordering: .relaxed)
    }

    /// How many allocations `work` makes.
    static func count(_ work: () throws -> Void) rethrows -> Int {
        allocations.store(0, ordering: .relaxed)
        last.store(0, ordering: .relaxed)
        try work()
        return allocations.load(ordering: .relaxed)
    }

    /// Runs `work` while the n-th allocation fails, or the n-th and all after it.
    static func failing(_ number: Int, andAllAfter: Bool, _ work: () throws -> Void) rethrows {
        allocations.store(0, ordering: .relaxed)
        first.store(number, ordering: .relaxed)
        last.store(andAllAfter ? Int.max : number, ordering: .relaxed)
        defer { last.store(0, ordering: .relaxed) }
        try work()
    }
}

/// A random generator that has nothing to give.
enum FailingGenerator: String, CaseIterable, Codable {
    /// One that is asked and refuses.
    case method
    /// One that no provider has.
    case provider

    /// False when libcrypto does not take it.
    func install() -> Bool {
        switch self {
        case .provider: return RAND_set_DRBG_type(nil, "NO-SUCH-DRBG", nil, nil, nil) == 1
        case .method:
            let method = UnsafeMutablePointer<RAND_METHOD>.allocate(capacity: 1)
            method.initialize(
                to: RAND_METHOD(
                    seed: { _, _ in 0 }, bytes: { _, _ in 0 }, cleanup: nil, add: { _, _, _ in 0 },
                    pseudorand: { _, _ in 0 }, status: { 0 }))
            return RAND_set_rand_method(method) == 1
        }
    }
}

/// Everything that keys are used for, each with a way to tell whether the outcome is right.
enum LibraryUse: String, CaseIterable, Codable {
    case random, digest, seal, wrap, permute, scrypt
    case signPKCS1, signPSS, signECDSA, signEd25519
    case oaep, agree, generate, readPrivate, readPublic

    struct WrongOutcome: Error { let use: LibraryUse }

    /// Whether there is no outcome without a random generator.
    var needsRandom: Bool {
        switch self {
        case .random, .signPSS, .signECDSA, .oaep, .generate: true
        default: false
        }
    }

    /// Reads the keys, which are fixed. What it returns throws `CryptographyError` when libcrypto fails, and `WrongOutcome`
    /// when it gave something else than it should have.
    func prepare() throws -> () throws -> Void {
        let use = try prepareUse()
        return { guard try use() else { throw WrongOutcome(use: self) } }
    }

    private func prepareUse() throws -> () throws -> Bool {
        switch self {
        case .signPKCS1: return try signing(Self.rsa, .rsaPKCS1(.sha256))
        case .signPSS: return try signing(Self.rsa, .rsaPSS(.sha256))
        case .signECDSA: return try signing(Self.p256, .ecdsa(.sha256))
        case .signEd25519: return try signing(Self.ed25519, .ed25519)
        case .oaep:
            let (pair, other, text) = (try Self.pair(Self.rsa), try Self.pair(Self.rsa).publicKey(), Self.text)
            return {
                constantTimeEqual(try pair.decryptOAEP(other.encryptOAEP(text, hash: .sha256), hash: .sha256), text)
            }
        case .agree:
            let (pair, peer) = (try Self.pair(Self.p256), try Self.pair(Self.p256).publicKey())
            let expected = try pair.sharedSecret(with: peer)
            return { constantTimeEqual(try pair.sharedSecret(with: peer), expected) }
        case .readPublic:
            let encoded = try Self.pair(Self.p256).subjectPublicKeyInfo()
            return { try AsymmetricPublicKey(subjectPublicKeyInfo: encoded).subjectPublicKeyInfo() == encoded }
        default: return { try isRight() }
        }
    }

    private func isRight() throws -> Bool {
        let (key, text) = (SecretBytes(copying: [UInt8](0..<32)), Self.text)
        switch self {
        case .random: return !constantTimeEqual(SecretBytes.random(count: 32), SecretBytes.random(count: 32))
        case .digest:
            return Hex.encode(HMACSHA384.code(key: key, text).prefix(8)) == "fca4dfcd438c48f4"
                && Hex.encode(HashAlgorithm.sha512.digest(text.disclosing()).prefix(8)) == "cc281998fda3ec50"
        case .seal:
            let nonce = [UInt8](repeating: 7, count: 12)
            let sealed = try text.withUnsafeBytes {
                try AES256GCM.seal(key: key, nonce: nonce, additionalData: [1, 2], $0)
            }
            let opened = try sealed.withUnsafeBytes {
                try AES256GCM.open(key: key, nonce: nonce, additionalData: [1, 2], $0)
            }
            return constantTimeEqual(opened, text)
        case .wrap:
            return constantTimeEqual(
                try AESKeyWrapPadded.unwrap(AESKeyWrapPadded.wrap(text, under: key), under: key), text)
        case .permute:
            // FIPS 197, appendix C.1.
            var block = try [UInt8](hex: "00112233445566778899aabbccddeeff")
            let cipher = try AES128Blocks(key: key.slice(0..<16))
            try block.withUnsafeMutableBytes { try cipher.permute($0) }
            return Hex.encode(block) == "69c4e0d86a7b0430d8cdb78070b4c55a"
        case .scrypt:
            // RFC 7914 §12, its shortest derivation.
            let derived = try Scrypt.derive(
                passphrase: SecretBytes(copying: []), salt: [], cost: 16, blockSize: 1, parallelism: 1, count: 64)
            return Hex.encode(derived.disclosing(0..<8)) == "77d6576238657b20"
        case .readPrivate: return try Hex.encode(Self.pair(Self.p256).pkcs8().disclosing()) == Self.p256
        default:
            let pair = try AsymmetricPrivateKey.generate(.p256)
            let reread = try AsymmetricPrivateKey(pkcs8: pair.pkcs8())
            return try reread.subjectPublicKeyInfo() == pair.subjectPublicKeyInfo()
        }
    }

    private func signing(_ key: String, _ scheme: SignatureScheme) throws -> () throws -> Bool {
        let (pair, message) = (try Self.pair(key), Self.text)
        let other = try pair.publicKey()
        return {
            let signature = try pair.sign(.secret(message), scheme)
            return try other.isValid(signature: signature, for: .secret(message), scheme)
        }
    }

    private static var text: SecretBytes { SecretBytes(copying: Array("attack at dawn".utf8)) }

    private static func pair(_ key: String) throws -> AsymmetricPrivateKey {
        try AsymmetricPrivateKey(pkcs8: SecretBytes(copying: [UInt8](hex: key)))
    }
}

/// Keys in PKCS#8 that protect nothing.
extension LibraryUse {
    private static let ed25519 =
        "302e020100300506032b65700422042010c63f89d834d2e869c7ddcf26b56ecec380718c125ab6a88aae61cc72843bca"
    private static let p256 =
        "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02010104206bfd89f54d32f48874de2d77"
        + "7cc3d3dc6d1a9b690b0df81bffe1d1ad837f2d92a1440342000429466198196ec341923a42d83f8e932d9d2c86512e23"
        + "407e4b22dc86f6f99cc4f22bdb1a49f743538064d5201899b0edeae6bfd23708a319ffac4f549ca26559"
    private static let rsa =
        "308204be020100300d06092a864886f70d0101010500048204a8308204a40201000282010100c5660d9b0b6e001cb495"
        + "d0d85b061e8783e266550c56bde1d3405e321c93f7a8ef368d57308a49e0f33067ffbfc596e4de8754b7a0ef5509ea98"
        + "252ff4bae81a453977e709602b86d5044696cc03f39b689f19495fb116ccd3f3cd48c1211b3b37878b4bb4f29d18de76"
        + "e3ac6eb03b8f321b9beb404a900c99c1b5fbbcadeb3d976b66178955f32d0578d063c989f214a4009519581dd56a89fe"
        + "715a4432142624d76625563cee84ed44d3426a867ed111a92f5b269f9b39d934dd7c70303c4f7f5d060d9cec5ee0ae88"
        + "006eef20b880e6375473cdb4bc949aca0362a7f994f4e8fbd257dfd80bcf9bc10cb68bef3d7fa6ccd4b78264a0e16265"
        + "0919423b2b0d0203010001028201000be30dddb0ce0276b80f2f80dfd659ff4a1b5793368780aeb9246ea7b0ddde338f"
        + "9826e1c1bc0a1fe03521861e9bbceef2518ef1f1e087abedb314c63304105708a521c9c9603faec2641c0617aa0340f0"
        + "0768a3e8fdc684361d3fd6ea3e5e9fedc39d49454fb8d3170e6cbe64f9fad4302dc6715fb13dc46c7be44411041e1ebf"
        + "cc09fce9fb6d25406e7c1b40c3faf393043c8fe2b9f2105ef0387336fcc89d7a2d865f90ff8d524263af09285ebc27a2"
        + "7bbcacfc30bb31f006237b61951c2726d64123973c41182d8d7bbbeeb38b6d9a66985bce1ca8c0ce092726b7e70f33d3"
        + "80e13a4c34617b3c05ff46eabbfd0affe1032956bbe2db4ab8e81b9935853702818100e4b250a9d2bd56303651d169e9"
        + "875765abeaea181289779afcfedacf2641069992df2739c16e26bc8b0e0195503a8b04ae0e083089f2a011749f32eb30"
        + "5b7f3e1340260e5d1d352e5a81c8fb83971627b64084fe6ced8760c5b2fa851677cae5621585c130c4a4c83d89f55fc4"
        + "dabfd729a24ed5786fad74dc0f09058e8f630b02818100dcf72d0b1dcf948b0f10631dc1500ac56a5429aef7f1a8dfdd"
        + "6557131daea77ed4e9b64d9ac493512cfe74365614430ae99932577a05ba36e069756837661771afbe4cb159f5ff470f"
        + "62470e966aa6c84075c59ae7e6521225b9206bb8e562fe52dcc7f48d3c5ab24b39f5524d11f9b7de1c26f57938fdb9f0"
        + "69fd944803f94702818100ba1c16a2acfa21eaa839db16bad1c620da5018e3302aa8a7fb5d1709ded2aa214e31c5c52d"
        + "918b7a821b0ad4ccee67758e83a2cc85666a36ea5627e4d77c8e4720f9623eec2db9ba9832e8312e3c44ee5a5595254b"
        + "d5dd06b6bc593cf734d36bea6f23633d61b9cbaeb0d77b7142a73ddd06d5eac8d0f1329966aeebd3c1025302818100b7"
        + "67de96548720d78f885d8cac1100efbd82e01a5fa8d1300776ff2059c9c7330a0c7709d1058af59cf0138baa452524a0"
        + "a24cdbb8e79a19c489242f7d941aaf7d5cea1167073d7d40f2a4e221cda263a2c55e60664d911f88fa3143d87365888d"
        + "44be1f693f88546706536e9d93e6ff4bb7784ad5f48cfd51e4d7dac52faf2f0281805e93d954f8dadd3f98fb20ee67ba"
        + "757e70eb3a88ced71ae58a1e814ccc4785498fead8877c8b8ff92624ba8df8213bf0e8dec8387c5f432c03a5b425e6e0"
        + "ab55cc4d09cb027afabc4cbe38125cdea024da45e27a7b3c1c45661ddcefbed9e84c98ec253d8c4399d2dfcd76ac69f1"
        + "c12030ce33dd076770aad6243d82f630d4f5"
}

extension [UInt8] {
    struct NoHex: Error {}

    init(hex text: String) throws {
        guard let bytes = Hex.decode(text) else { throw NoHex() }
        self = bytes
    }
}
