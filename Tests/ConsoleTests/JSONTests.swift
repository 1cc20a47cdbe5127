import Foundation
import Testing

@testable import Console

@Suite("JSON of the native interface")
struct JSONTests {
    @Test("keeps times to the millisecond, in UTC")
    func times() throws {
        let entry = LogEntry(
            stage: "Build", action: "Site", time: Date(timeIntervalSince1970: 1_790_000_000.123), text: "a/b")
        let bytes = try JSON.compact(entry)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"action":"Site","stage":"Build","text":"a/b","time":"2026-09-21T14:13:20.123Z"}"#)
        let back = try JSON.decode(LogEntry.self, from: bytes)
        #expect(abs((back.time?.timeIntervalSince1970 ?? 0) - 1_790_000_000.123) < 0.001)
    }

    @Test(
        "of declarations is checked without a server",
        arguments: [
            (#"{"name":"x"}"#, "ValidationException"), ("[1", "SerializationException"),
            (#"{"pipeline":{"name":"x","roleArn":5,"stages":[]}}"#, "SerializationException"),
        ])
    func declarations(_ text: String, _ code: String) {
        let answer = PipelineChecks.validate(Array(text.utf8))
        #expect(answer.problems.map(\.code) == [code])
    }
}
