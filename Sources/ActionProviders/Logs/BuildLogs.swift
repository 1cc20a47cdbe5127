import Catalog
public import Foundation
public import KeyHierarchy
import Synchronization

/// One line of a build log.
public struct LogLine: Sendable, Hashable, Codable {
    /// Its place in the stream, from 0.
    public let index: Int64
    /// When it was written.
    public let timestamp: Date
    /// Without the end of line.
    public let text: String
}

/// A log stream: what one build wrote.
public struct LogStream: Sendable, Hashable {
    /// The stream's id, which actions report.
    public let id: String
    /// Whose it is.
    public let scope: AccountRegion
    /// For example `/aws/codebuild/PROJECT`.
    public let group: String
    /// Its name in the group.
    public let name: String
    /// Lines written so far.
    public let lineCount: Int64
    /// When it was opened.
    public let createdAt: Date
    /// When it ended; nil while the build runs.
    public let closedAt: Date?
}

/// Some lines in order.
public struct LogPage: Sendable, Hashable {
    /// The lines.
    public let lines: [LogLine]
    /// Where to read on.
    public let nextOffset: Int64
    /// Whether the stream has ended and these are its last lines.
    public let isLast: Bool
}

/// What builds write, kept line by line in sealed batches and readable while they run.
public final class BuildLogs: Sendable {
    private let catalog: Catalog
    private let sealing: any Sealing
    private let news = LogNews()
    /// A batch ends with the line that passes this many bytes.
    private static let batchBytesMax = 256 << 10
    let now: @Sendable () -> Date

    init(catalog: Catalog, sealing: any Sealing, now: @escaping @Sendable () -> Date = { Date() }) {
        self.catalog = catalog
        self.sealing = sealing
        self.now = now
    }

    // MARK: - Reading

    /// A stream by id, or nil.
    public func stream(_ id: String) async throws -> LogStream? {
        try await catalog.read { transaction in
            try transaction.row("SELECT * FROM log_streams WHERE id = ?", id).map(Self.stream)
        }
    }

    /// The streams of a group, newest first.
    public func streams(group: String, in scope: AccountRegion, limit: Int = 100) async throws -> [LogStream] {
        try await catalog.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM log_streams WHERE account = ? AND region = ? AND log_group = ?
                ORDER BY created_at DESC, id LIMIT ?
                """, scope.account, scope.region, group, limit
            ).map(Self.stream)
        }
    }

    /// Up to `limit` lines from the line with the index `offset`; nil when there is no such stream.
    public func lines(of id: String, from offset: Int64 = 0, limit: Int = 1000) async throws -> LogPage? {
        let limit = max(1, limit)
        let (stream, batches) = try await catalog.read { transaction in
            let stream = try transaction.row("SELECT * FROM log_streams WHERE id = ?", id).map(Self.stream)
            let batches = try transaction.rows(
                """
                SELECT first_line, sealed FROM log_batches WHERE stream = ? AND first_line >= COALESCE(
                    (SELECT MAX(first_line) FROM log_batches WHERE stream = ? AND first_line <= ?), 0)
                ORDER BY first_line LIMIT 32
                """, id, id, offset
            ).map { (first: try $0.int64("first_line"), sealed: try $0.bytes("sealed")) }
            return (stream, batches)
        }
        guard let stream else { return nil }
        var lines: [LogLine] = []
        for batch in batches where lines.count < limit {
            let bytes = try await sealing.open(batch.sealed, name: Self.batchName(id, batch.first))
            let all = try LogBatch.decode(bytes, firstLine: batch.first)
            lines += all.filter { $0.index >= offset }.prefix(limit - lines.count)
        }
        let next = lines.last.map { $0.index + 1 } ?? max(offset, 0)
        return LogPage(lines: lines, nextOffset: next, isLast: stream.closedAt != nil && next >= stream.lineCount)
    }

    /// Lines as they are written, from the line with the index `offset`, until the stream ends.
    ///
    /// Pages come on demand; whoever reads slowly misses nothing. An unknown stream ends at once.
    public func follow(_ id: String, from offset: Int64 = 0) -> AsyncThrowingStream<LogPage, any Error> {
        let position = Mutex<Int64?>(offset)
        return AsyncThrowingStream {
            while let start = position.withLock({ $0 }) {
                let seen = self.news.generation(of: id)
                guard let page = try await self.lines(of: id, from: start) else { return nil }
                if !page.lines.isEmpty || page.isLast {
                    position.withLock { $0 = page.isLast ? nil : page.nextOffset }
                    return page.lines.isEmpty ? nil : page
                }
                try await self.news.wait(for: id, after: seen)
            }
            return nil
        }
    }

    private static func stream(_ row: Row) throws -> LogStream {
        LogStream(
            id: try row.string("id"),
            scope: AccountRegion(account: try row.string("account"), region: try row.string("region")),
            group: try row.string("log_group"), name: try row.string("name"),
            lineCount: try row.int64("line_count"), createdAt: try row.date("created_at"),
            closedAt: try row.optionalDate("closed_at"))
    }

    // MARK: - Writing

    /// Runs `body` with a new stream to write to, and closes the stream afterwards.
    ///
    /// - Throws: what `body` throws, else the error that kept lines from being recorded.
    func withStream<R: Sendable>(
        id: String, group: String, name: String, scope: AccountRegion, outputBytesMax: Int, masking: [String] = [],
        _ body: (BuildLog) async throws -> R
    ) async throws -> R {
        let created = now()
        _ = try await catalog.write { transaction in
            try transaction.execute(
                """
                INSERT INTO log_streams (id, account, region, log_group, name, line_count, created_at, closed_at)
                VALUES (?, ?, ?, ?, ?, 0, ?, NULL)
                """, id, scope.account, scope.region, group, name, created)
        }
        let log = BuildLog(outputBytesMax: outputBytesMax, masking: masking, now: now)
        // Not a child task: it outlives the cancellation of the build, so that what the build said is kept.
        let pump = Task { try await self.pump(log, into: id) }
        let result: Result<R, any Error>
        do { result = .success(try await body(log)) } catch { result = .failure(error) }
        log.finish()
        do {
            try await pump.value
        } catch {
            // The build's own failure matters more than that of its log.
            if case .success = result { throw error }
        }
        return try result.get()
    }

    /// Moves lines from `log` to the catalog until it is finished.
    private func pump(_ log: BuildLog, into id: String) async throws {
        var next: Int64 = 0
        do {
            for await _ in log.signals {
                while true {
                    let (lines, isFinished) = log.take()
                    for slice in Self.slices(lines) { next = try await write(slice, to: id, at: next) }
                    if isFinished {
                        try await close(id)
                        return
                    }
                    if lines.isEmpty { break }
                    // Gathers what a chatty build writes meanwhile, so that each line need not be a transaction.
                    await log.pause(.milliseconds(100))
                }
            }
        } catch {
            log.abandon()
            throw error
        }
    }

    /// Batches of bounded size, so that reading a few is bounded too.
    private static func slices(_ lines: [BuildLog.Pending]) -> [[BuildLog.Pending]] {
        var slices: [[BuildLog.Pending]] = []
        var current: [BuildLog.Pending] = []
        var bytes = 0
        for line in lines {
            if bytes > batchBytesMax {
                slices.append(current)
                (current, bytes) = ([], 0)
            }
            current.append(line)
            bytes += line.text.utf8.count + 16
        }
        return current.isEmpty ? slices : slices + [current]
    }

    private func write(_ lines: [BuildLog.Pending], to id: String, at first: Int64) async throws -> Int64 {
        let sealed = try await sealing.seal(LogBatch.encode(lines), name: Self.batchName(id, first))
        let next = first + Int64(lines.count)
        _ = try await catalog.write { transaction in
            try transaction.execute(
                "INSERT INTO log_batches (stream, first_line, line_count, sealed) VALUES (?, ?, ?, ?)",
                id, first, next - first, sealed)
            try transaction.execute("UPDATE log_streams SET line_count = ? WHERE id = ?", next, id)
        }
        news.announce(id)
        return next
    }

    private func close(_ id: String) async throws {
        let time = now()
        _ = try await catalog.write { transaction in
            try transaction.execute("UPDATE log_streams SET closed_at = ? WHERE id = ?", time, id)
        }
        news.announce(id)
        news.forget(id)
    }

    /// Closes the streams that a process which is gone left open.
    func closeAbandoned() async throws {
        let time = now()
        _ = try await catalog.write { transaction in
            try transaction.execute("UPDATE log_streams SET closed_at = ? WHERE closed_at IS NULL", time)
        }
    }

    private static func batchName(_ id: String, _ first: Int64) -> String { "log/\(id)/\(first)" }
}

/// The plaintext of a batch: JSON, an array of `[milliseconds, text]`.
enum LogBatch {
    private struct Item: Codable {
        let milliseconds: Int64
        let text: String

        init(_ line: BuildLog.Pending) {
            milliseconds = Int64((line.timestamp.timeIntervalSince1970 * 1000).rounded())
            text = line.text
        }

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            milliseconds = try container.decode(Int64.self)
            text = try container.decode(String.self)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.unkeyedContainer()
            try container.encode(milliseconds)
            try container.encode(text)
        }
    }

    static func encode(_ lines: [BuildLog.Pending]) throws -> [UInt8] {
        Array(try JSONEncoder().encode(lines.map(Item.init)))
    }

    static func decode(_ bytes: [UInt8], firstLine: Int64) throws -> [LogLine] {
        try JSONDecoder().decode([Item].self, from: Data(bytes)).enumerated().map { index, item in
            LogLine(
                index: firstLine + Int64(index),
                timestamp: Date(timeIntervalSince1970: Double(item.milliseconds) / 1000), text: item.text)
        }
    }
}
