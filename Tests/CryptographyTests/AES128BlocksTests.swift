import Testing

@testable import Cryptography

@Suite("AES-128 on single blocks")
struct AES128BlocksTests {
    private func permuted(_ blocks: [UInt8], key: [UInt8]) throws -> [UInt8] {
        let cipher = try AES128Blocks(key: SecretBytes(copying: key))
        var blocks = blocks
        try blocks.withUnsafeMutableBytes { try cipher.permute($0) }
        return blocks
    }

    @Test(
        "gives the published results",
        arguments: [
            // FIPS 197, appendix C.1.
            (
                "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
                "69c4e0d86a7b0430d8cdb78070b4c55a"
            ),
            // SP 800-38A, appendix F.1.1: four blocks at once.
            (
                "2b7e151628aed2a6abf7158809cf4f3c",
                "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                    + "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
                "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
                    + "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"
            ),
        ])
    func published(_ key: String, _ plain: String, _ expected: String) throws {
        let (key, plain) = (try #require(Hex.decode(key)), try #require(Hex.decode(plain)))
        #expect(Hex.encode(try permuted(plain, key: key)) == expected)
    }

    @Test("goes on after a use, and refuses keys and blocks of other lengths")
    func lengths() throws {
        let cipher = try AES128Blocks(key: SecretBytes(copying: Array(repeating: 7, count: 16)))
        var first = [UInt8](repeating: 1, count: 16)
        var second = [UInt8](repeating: 1, count: 32)
        try first.withUnsafeMutableBytes { try cipher.permute($0) }
        try second.withUnsafeMutableBytes { try cipher.permute($0) }
        #expect(second == first + first)
        #expect(throws: CryptographyError.self) {
            _ = try AES128Blocks(key: SecretBytes(copying: Array(repeating: 7, count: 32)))
        }
        var odd = [UInt8](repeating: 1, count: 17)
        #expect(throws: CryptographyError.self) { try odd.withUnsafeMutableBytes { try cipher.permute($0) } }
    }
}
