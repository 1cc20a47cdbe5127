import Cryptography
import Foundation
import Testing

/// NIST's vectors for RSA and elliptic curves, and the thousand Ed25519 signatures of the scheme's authors.
@Suite struct CAVPAsymmetricTests {
    /// The key of an RSA record, nil where its modulus is of a size that Coffer does not take.
    private func rsaKey(_ record: Response) throws -> AsymmetricPublicKey? {
        guard ["mod = 2048", "mod = 3072", "mod = 4096"].contains(record.section) else { return nil }
        return try AsymmetricPublicKey(
            subjectPublicKeyInfo: DER.rsaPublicKey(modulus: record.hex("n"), exponent: record.hex("e")))
    }

    @Test(arguments: VectorSet.available, ["SigGen15_186-3", "SigVer15_186-3"])
    func `RSA PKCS#1 v1-5, FIPS 186-3`(_ vectors: VectorSet, file: String) throws {
        var count = 0
        for record in try vectors.responses("asymmetric/RSA/FIPS_186-2/\(file).rsp") {
            guard let key = try? rsaKey(record), let hash = record.hash("SHAAlg") else { continue }
            count += 1
            let valid = try key.isValid(
                signature: record.hex("S"), for: .message(record.hex("Msg")), .rsaPKCS1(hash))
            let expected = record.text("Result").map { $0.hasPrefix("P") } ?? true
            #expect(valid == expected, "\(record.place)")
        }
        #expect(count > 0)
    }

    @Test(arguments: VectorSet.available, ["SigGenPSS_186-3", "SigVerPSS_186-3"])
    func `RSA-PSS with a foreign salt length is refused`(_ vectors: VectorSet, file: String) throws {
        var count = 0
        for record in try vectors.responses("asymmetric/RSA/FIPS_186-2/\(file).rsp") {
            guard let key = try? rsaKey(record), let hash = record.hash("SHAAlg") else { continue }
            count += 1
            let valid = try key.isValid(signature: record.hex("S"), for: .message(record.hex("Msg")), .rsaPSS(hash))
            #expect(!valid, "salts of 0 and 10 bytes are not as long as the digest: \(record.place)")
        }
        #expect(count > 0)
    }

    /// The curve and hash of a section such as `P-256,SHA-384`.
    private func kind(_ record: Response) -> (Curve, HashAlgorithm)? {
        let parts = record.section.split(separator: ",").map(String.init)
        guard parts.count == 2, let curve = Curve(rawValue: parts[0]),
            let hash = HashAlgorithm(rawValue: parts[1].lowercased().replacing("-", with: ""))
        else { return nil }
        return (curve, hash)
    }

    static let ecdsaFiles = ["FIPS_186-3/SigVer.rsp", "FIPS_186-3/SigGen.txt", "SECP256K1/SigGen.txt"]

    @Test(arguments: VectorSet.available, ecdsaFiles)
    func `ECDSA, FIPS 186-3 and secp256k1`(_ vectors: VectorSet, file: String) throws {
        var count = 0
        for record in try vectors.responses("asymmetric/ECDSA/\(file)") {
            guard let (curve, hash) = kind(record) else { continue }
            count += 1
            let encoded = try DER.ecPublicKey(curve, x: record.hex("Qx"), y: record.hex("Qy"))
            let message = try SignedInput.message(record.hex("Msg"))
            let signature = try DER.ecdsaSignature(r: record.hex("R"), s: record.hex("S"))
            let valid = try AsymmetricPublicKey(subjectPublicKeyInfo: encoded).isValid(
                signature: signature, for: message, .ecdsa(hash))
            let expected = record.text("Result").map { $0.hasPrefix("P") } ?? true
            #expect(valid == expected, "\(record.place)")
            guard record.text("d") != nil else { continue }
            let own = try AsymmetricPrivateKey(
                pkcs8: SecretBytes(copying: DER.ecPrivateKey(curve, record.hex("d"))))
            let (itsPublic, ours) = try (own.publicKey(), own.sign(message, .ecdsa(hash)))
            #expect(try itsPublic.subjectPublicKeyInfo() == encoded, "\(record.place)")
            #expect(try itsPublic.isValid(signature: ours, for: message, .ecdsa(hash)), "\(record.place)")
        }
        #expect(count > 0)
    }

    @Test(arguments: VectorSet.available)
    func `points out of range or off the curve are no keys`(_ vectors: VectorSet) throws {
        var count = 0
        for record in try vectors.responses("asymmetric/ECDSA/FIPS_186-3/PKV.rsp") {
            guard let curve = Curve(rawValue: record.section) else { continue }
            count += 1
            let encoded = try DER.ecPublicKey(curve, x: record.hex("Qx"), y: record.hex("Qy"))
            let accepted = (try? AsymmetricPublicKey(subjectPublicKeyInfo: encoded)) != nil
            let expected = try #require(record.text("Result")).hasPrefix("P")
            #expect(accepted == expected, "\(record.place)")
        }
        #expect(count > 0)
    }

    @Test(arguments: VectorSet.available)
    func `key agreement, SP 800-56A`(_ vectors: VectorSet) throws {
        let curves: [(String, Curve)] = [("EC", .p256), ("ED", .p384), ("EE", .p521)]
        var count = 0
        let file = "asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax"
        for record in try vectors.responses(file) {
            guard record.text("Z") != nil,
                let (_, curve) = curves.first(where: { record.section.hasPrefix($0.0 + " - ") })
            else { continue }
            count += 1
            let attempt = {
                let own = try AsymmetricPrivateKey(
                    pkcs8: SecretBytes(copying: DER.ecPrivateKey(curve, record.hex("dsIUT"))))
                // The protocol's own key must fit its private part; the wrapper derives it, so compare.
                let declared = try DER.ecPublicKey(curve, x: record.hex("QsIUTx"), y: record.hex("QsIUTy"))
                guard try own.subjectPublicKeyInfo() == declared else { return [UInt8]() }
                let encoded = try DER.ecPublicKey(curve, x: record.hex("QsCAVSx"), y: record.hex("QsCAVSy"))
                let shared = try own.sharedSecret(with: AsymmetricPublicKey(subjectPublicKeyInfo: encoded))
                return shared.withUnsafeBytes { Array($0) }
            }
            let shared = (try? attempt()) ?? []
            let hash: HashAlgorithm = curve == .p256 ? .sha256 : curve == .p384 ? .sha384 : .sha512
            let expected = try #require(record.text("Result")).hasPrefix("P")
            let matches = try hash.digest(shared) == record.hex("CAVSHashZZ")
            #expect(matches == expected, "\(record.place): \(record.text("Result") ?? "")")
        }
        #expect(count > 0)
    }

    @Test(arguments: VectorSet.available)
    func `Ed25519 signatures are reproduced`(_ vectors: VectorSet) throws {
        let lines = try vectors.text("asymmetric/Ed25519/sign.input").split(separator: "\n")
        #expect(!lines.isEmpty)
        for (index, line) in lines.enumerated() {
            let parts = line.split(separator: ":", omittingEmptySubsequences: false).map { Hex.decode($0) }
            let (seed, point) = try (#require(parts[0]).prefix(32), #require(parts[1]))
            let (message, signed) = try (#require(parts[2]), #require(parts[3]))
            // RFC 8410 §7 and §4.
            let pkcs8 = try #require(Hex.decode("302e020100300506032b657004220420")) + seed
            let encoded = try #require(Hex.decode("302a300506032b6570032100")) + point
            let key = try AsymmetricPrivateKey(pkcs8: SecretBytes(copying: pkcs8))
            #expect(try key.subjectPublicKeyInfo() == encoded, "line \(index + 1)")
            let signature = try key.sign(.message(message), .ed25519)
            #expect(signature == Array(signed.prefix(64)), "line \(index + 1)")
        }
    }
}
