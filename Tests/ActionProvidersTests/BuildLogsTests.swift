import Catalog
import Foundation
import Testing

@testable import ActionProviders

@Suite struct BuildLogsTests {
    @Test("Lines come back in order with their numbers, from any offset")
    func reading() async throws {
        let bench = try await Bench()
        try await bench.logs.withStream(
            id: "s1", group: "/aws/codebuild/demo", name: "s1", scope: testScope, outputBytesMax: 1 << 20
        ) { log in
            log.append(output: Array("one\ntwo\r\n\nfo".utf8))
            log.append(output: Array("ur\nunfinished".utf8))
            log.note("done")
        }
        let page = try #require(try await bench.logs.lines(of: "s1"))
        #expect(page.lines.map(\.text).dropLast() == ["one", "two", "", "four", "unfinished"])
        #expect(page.lines.last?.text.hasSuffix(" done") == true)
        #expect(page.lines.map(\.index) == [0, 1, 2, 3, 4, 5] && page.nextOffset == 6 && page.isLast)
        let middle = try #require(try await bench.logs.lines(of: "s1", from: 2, limit: 2))
        #expect(middle.lines.map(\.text) == ["", "four"] && middle.nextOffset == 4 && !middle.isLast)
        let end = try #require(try await bench.logs.lines(of: "s1", from: 6))
        #expect(end.lines.isEmpty && end.isLast)
        #expect(try await bench.logs.lines(of: "unknown") == nil)
        let stream = try #require(try await bench.logs.stream("s1"))
        #expect(stream.lineCount == 6 && stream.closedAt != nil && stream.group == "/aws/codebuild/demo")
        #expect(try await bench.logs.streams(group: "/aws/codebuild/demo", in: testScope).map(\.id) == ["s1"])
    }

    @Test("A long log is read page by page without a gap")
    func long() async throws {
        let bench = try await Bench()
        let filler = String(repeating: "x", count: 1000)
        try await bench.logs.withStream(
            id: "s1", group: "g", name: "s1", scope: testScope, outputBytesMax: 4 << 20
        ) { log in
            for index in 0..<1500 { log.append(output: Array("\(index) \(filler)\n".utf8)) }
        }
        var offset: Int64 = 0
        var pages = 0
        while let page = try await bench.logs.lines(of: "s1", from: offset, limit: 400) {
            #expect(page.lines.first?.text.hasPrefix("\(offset) ") == true)
            (offset, pages) = (page.nextOffset, pages + 1)
            if page.isLast { break }
        }
        #expect(offset == 1500 && pages == 4)
    }

    @Test("A follower sees lines while the build runs, and the end")
    func following() async throws {
        let bench = try await Bench()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let (started, start) = AsyncStream<Void>.makeStream()
        let writer = Task {
            try await bench.logs.withStream(
                id: "s1", group: "g", name: "s1", scope: testScope, outputBytesMax: 1 << 20
            ) { log in
                log.append(output: Array("first\n".utf8))
                start.yield()
                for await _ in gate { break }
                log.append(output: Array("second\nthird\n".utf8))
            }
        }
        for await _ in started { break }
        var seen: [String] = []
        for try await page in bench.logs.follow("s1") {
            seen += page.lines.map(\.text)
            // The rest is written only once the first line was seen: following is live.
            if seen == ["first"] { open.yield() }
        }
        try await writer.value
        #expect(seen == ["first", "second", "third"])
        var again: [String] = []
        for try await page in bench.logs.follow("s1", from: 1) { again += page.lines.map(\.text) }
        #expect(again == ["second", "third"])
        for try await _ in bench.logs.follow("unknown") { Issue.record("a stream that is not there has no lines") }
    }

    @Test("A follower that is cancelled stops waiting")
    func cancelledFollower() async throws {
        let bench = try await Bench()
        let (gate, open) = AsyncStream<Void>.makeStream()
        let (started, start) = AsyncStream<Void>.makeStream()
        let writer = Task {
            try await bench.logs.withStream(
                id: "s1", group: "g", name: "s1", scope: testScope, outputBytesMax: 1 << 20
            ) { _ in
                start.yield()
                for await _ in gate { break }
            }
        }
        for await _ in started { break }
        let follower = Task {
            for try await _ in bench.logs.follow("s1") {}
        }
        follower.cancel()
        _ = await follower.result
        open.yield()
        try await writer.value
    }

    @Test("Nothing that a build says is in the catalog in clear")
    func sealed() async throws {
        let bench = try await Bench()
        let secret = "plaintext-\(UUID().uuidString)"
        try await bench.logs.withStream(
            id: "s1", group: "g", name: "s1", scope: testScope, outputBytesMax: 1 << 20
        ) { log in
            for index in 0..<500 { log.append(output: Array("\(secret) \(index)\n".utf8)) }
        }
        try await bench.projects.put(
            BuildProject(name: "demo", environment: [BuildVariable(name: "TOKEN", value: secret)]), in: testScope)
        let page = try #require(try await bench.logs.lines(of: "s1"))
        #expect(page.lines.count == 500 && page.lines[499].text == "\(secret) 499")
        #expect(bench.catalogContains("provider_projects"), "the search finds what is there")
        #expect(!bench.catalogContains(secret))
    }

    @Test("A sealed batch cannot be put in another's place")
    func misplaced() async throws {
        let bench = try await Bench()
        for id in ["a", "b"] {
            try await bench.logs.withStream(id: id, group: "g", name: id, scope: testScope, outputBytesMax: 100) {
                log in
                log.append(output: Array("of \(id)\n".utf8))
            }
        }
        _ = try await bench.catalog.write { transaction in
            try transaction.execute(
                "UPDATE log_batches SET sealed = (SELECT o.sealed FROM log_batches o WHERE o.stream = ?) WHERE stream = ?",
                "a", "b")
        }
        await #expect(throws: (any Error).self) { try await bench.logs.lines(of: "b") }
    }

    @Test("Values to mask show as stars, the longer of two first")
    func masking() async throws {
        let bench = try await Bench()
        try await bench.logs.withStream(
            id: "s1", group: "g", name: "s1", scope: testScope, outputBytesMax: 1000,
            masking: ["tokentail", "token", "ab"]
        ) { log in
            log.append(output: Array("x tokentail token ab\n".utf8))
            log.note("Running command curl -H token")
        }
        let lines = try #require(try await bench.logs.lines(of: "s1")).lines
        #expect(lines[0].text == "x *** *** ab" && lines[1].text.hasSuffix("curl -H ***"))
    }

    @Test("Streams that a crash left open are closed at the next start")
    func abandoned() async throws {
        let bench = try await Bench()
        _ = try await bench.catalog.write { transaction in
            try transaction.execute(
                "INSERT INTO log_streams VALUES (?, ?, ?, ?, ?, 0, ?, NULL)", "s1", "0", "r", "g", "s1", Date())
        }
        try await bench.logs.closeAbandoned()
        for try await _ in bench.logs.follow("s1") {}
        #expect(try await bench.logs.stream("s1")?.closedAt != nil)
    }

    @Test("What the build throws is thrown, and its log is kept")
    func failing() async throws {
        let bench = try await Bench()
        struct Broken: Error {}
        await #expect(throws: Broken.self) {
            try await bench.logs.withStream(id: "s1", group: "g", name: "s1", scope: testScope, outputBytesMax: 100) {
                log in
                log.append(output: Array("last words\n".utf8))
                throw Broken()
            }
        }
        #expect(try await bench.logs.lines(of: "s1")?.lines.map(\.text) == ["last words"])
    }

    @Test(
        "Times are written as CodeBuild writes them",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_572_319_941, "2019-10-29T03:32:21Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"), (-1, "1969-12-31T23:59:59Z"),
        ])
    func times(seconds: Int64, text: String) {
        #expect(CivilTime(secondsSince1970: seconds).iso8601 == text)
    }
}
