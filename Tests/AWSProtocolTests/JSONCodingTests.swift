import Foundation
import Testing

@testable import AWSProtocol

@Suite struct JSONCodingTests {
    static func parse(_ text: String, _ limits: JSONParser.Limits = .init()) throws -> JSONValue {
        try JSONParser.parse(Array(text.utf8), limits)
    }

    @Test(arguments: [
        ("null", JSONValue.null), (" true\n", .bool(true)), ("0", .integer(0)), ("-12", .integer(-12)),
        ("1.5e3", .integer(1500)), ("0.25", .number(0.25)), ("9223372036854775807", .integer(.max)),
        ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("\"\"", .string("")),
        ("\"a\\u00e9\\ud83d\\ude00\\n\\/\\\"\"", .string("aé😀\n/\"")), ("[]", .array([])),
        ("[1, [2],\t{}]", .array([.integer(1), .array([.integer(2)]), .object([:])])),
        ("{\"a\":{\"b\":null},\"c\":\"d\"}", .object(["a": .object(["b": .null]), "c": .string("d")])),
    ])
    func `documents are read as written`(_ text: String, _ expected: JSONValue) throws {
        #expect(try Self.parse(text) == expected)
    }

    @Test(arguments: [
        "", " ", "nul", "truex", "01", "-", "1.", ".5", "1e", "+1", "1 2", "\"", "\"\n\"", "\"\\x\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "[", "[1,]", "[1 2]", "{", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{a:1}", "{1:2}", "1e999", "NaN", "'a'", "/* */ 1",
    ])
    func `what is no document is refused`(_ text: String) {
        #expect(throws: JSONParser.Flaw.malformed) { try Self.parse(text) }
    }

    @Test func `bytes that are not UTF-8 are refused, in plain and in escaped strings`() {
        for bytes: [UInt8] in [[0xC3], [0xFF], [0xED, 0xA0, 0x80], [0xC0, 0x80]] {
            let plain = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
            let escaped = Array("\"\\n".utf8) + bytes + [UInt8(ascii: "\"")]
            #expect(throws: JSONParser.Flaw.malformed) { try JSONParser.parse(plain) }
            #expect(throws: JSONParser.Flaw.malformed) { try JSONParser.parse(escaped) }
        }
    }

    @Test func `depth is bounded, and repeated members are where they must be`() throws {
        let limits = JSONParser.Limits(depthMax: 3, allowsRepeatedMembers: false)
        #expect(try Self.parse("[[{}]]", limits) == .array([.array([.object([:])])]))
        #expect(throws: JSONParser.Flaw.tooDeep(maximum: 3)) { try Self.parse("[[[[]]]]", limits) }
        #expect(throws: JSONParser.Flaw.tooDeep(maximum: 128)) {
            try Self.parse(String(repeating: "[", count: 1_000_000))
        }
        #expect(throws: JSONParser.Flaw.repeatedMember("a")) { try Self.parse("{\"a\":1,\"\\u0061\":2}", limits) }
        #expect(try Self.parse("{\"a\":1,\"a\":2}") == .object(["a": .integer(2)]))
    }

    struct Shape: Codable, Equatable {
        var text: String
        var blob: Data?
        var at: Date?
        var count: Int?
        var ratio: Double?
        var flag: Bool?
        var pairs: [String: String]?
        var list: [Inner]?
        var kind: Kind?
        struct Inner: Codable, Equatable { var numbers: [Int] }
        enum Kind: String, Codable { case one, two }
    }

    @Test func `values survive their encoding`() throws {
        let value = Shape(
            text: "tab\t quote\" ü \u{1}", blob: Data([0, 255, 62]), at: Date(timeIntervalSince1970: 1_586_273_484.137),
            count: -7, ratio: 0.1, flag: false, pairs: ["a": "b", "": "c"],
            list: [.init(numbers: [1, 2]), .init(numbers: [])],
            kind: .two)
        let bytes = try AWSJSON.encode(value)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"at":1586273484.137,"blob":"AP8+","count":-7,"flag":false,"kind":"two","list":[{"numbers":[1,2]},{"numbers":[]}],"pairs":{"":"c","a":"b"},"ratio":0.1,"text":"tab\t quote\" ü \u0001"}"#
        )
        #expect(try AWSJSON.decode(Shape.self, from: bytes) == value)
        // Foundation reads and writes the same.
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .secondsSince1970
        #expect(try decoder.decode(Shape.self, from: Data(bytes)) == value)
        #expect(try AWSJSON.decode(Shape.self, from: Array(#"{"text":"","at":1,"flag":null}"#.utf8)).at != nil)
    }

    @Test(arguments: [
        (#"{"text":1}"#, "text"), (#"{"text":"","count":"1"}"#, "count"), (#"{"text":"","count":1.5}"#, "count"),
        (#"{"text":"","blob":"a"}"#, "blob"), (#"{"text":"","pairs":{"a":1}}"#, "pairs"),
        (#"{"text":"","list":[{"numbers":[true]}]}"#, "list"), (#"{"text":"","kind":"three"}"#, "kind"),
        (#"{}"#, "text"),
    ])
    func `a member of another form is refused by name`(_ text: String, _ name: String) throws {
        let error = #expect(throws: DecodingError.self) { try AWSJSON.decode(Shape.self, from: Array(text.utf8)) }
        let path: [any CodingKey] =
            switch try #require(error) {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
                context.codingPath
            case .keyNotFound(let key, _): [key]
            @unknown default: []
            }
        #expect(path.first?.stringValue == name)
    }

    @Test func `random bytes never stop the parser, and it agrees with Foundation`() throws {
        var generator = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: .min ... .max, using: &generator)
        print("seed \(seed)")
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\\u0041", "\\", "1", "-0", ".5", "e9", "true", "null", " ",
            "é",
        ]
        for _ in 0..<3000 {
            let text = (0..<random(12)).map { _ in pieces[random(pieces.count)] }.joined()
            let ours = try? Self.parse(text)
            let theirs = try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
            #expect((ours == nil) == (theirs == nil), "\(text)")
        }
    }
}
