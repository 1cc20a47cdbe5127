import ArtifactStore
import AsyncHTTPClient
import Console
import Cryptography
import Foundation

/// Puts items over HTTP, sending what the server asks for. Goes on where it stopped when the connection breaks.
struct PutSender {
    let client: NativeClient
    /// Name, key, form and the like.
    let query: [(String, String?)]
    let tags: [String]
    let items: [PutItem]
    let progress: ProgressLine

    /// Broken connections in a row, without anything arriving between them.
    private static let patience = 6
    private static let batchEntries = 1024
    private static let batchBytes = 1 << 20

    /// Where a put stands, across connections.
    private struct Standing {
        var id: String?
        /// Counts what arrived, to tell bad luck from a server that never answers.
        var successes = 0
    }

    func run() async throws -> VersionItem {
        var standing = Standing()
        var failures = 0
        while true {
            let before = standing.successes
            do {
                return try await attempt(&standing)
            } catch let failure as CommandFailure where failure.isWorthRepeating && standing.id != nil {
                // Naming everything again takes two successes and proves nothing.
                failures = standing.successes > before + 2 ? 1 : failures + 1
                guard failures <= Self.patience else { throw failure }
                if progress.isShown { Talk.progress("\(failure.description); trying again") }
                try await Task.sleep(for: .milliseconds(min(5000, 100 << failures)))
            } catch let failure as CommandFailure where failure.exit != .unreachable {
                // Nobody will go on with it. The reason for the failure is what counts, not whether this arrives.
                if let id = standing.id { _ = try? await client.send(.DELETE, "/-/v1/put", [("id", id)]) }
                throw failure
            }
        }
    }

    private func attempt(_ standing: inout Standing) async throws -> VersionItem {
        let begun: PutAnswer = try await client.decode(
            try await client.send(.POST, "/-/v1/put", query + [("id", standing.id)]))
        standing.id = begun.id
        guard let seed = Hex.decode(begun.seed) else {
            throw CommandFailure(.refused, "the server answered with a seed that is none")
        }
        let name = [("id", Optional(begun.id))]
        progress.begin("sending", total: nil)
        var start = 0
        while start < items.count {
            let batch = batch(from: start)
            let answer: PutNeeds = try await client.decode(
                try await client.send(
                    .POST, "/-/v1/put/entries", name, bytes: PutMessages.encode(batch.map(\.entry))))
            standing.successes += 1
            var files: [PutFile] = []
            let needs = answer.needs
            let similar = Set(needs.similar)
            for index in needs.files {
                guard items.indices.contains(index) else {
                    throw CommandFailure(.refused, "the server asks for an entry that was not named")
                }
                var file = PutFile(index: index, item: items[index], offset: needs.begun[index] ?? 0)
                if similar.contains(index) { file.pieces = try await pieces(index, name) }
                files.append(file)
            }
            if !files.isEmpty {
                // What was begun goes first: beginning another file would forget it.
                files.sort { ($0.offset > 0 ? 0 : 1, $0.index) < ($1.offset > 0 ? 0 : 1, $1.index) }
                let _: PutNeeds = try await client.upload(
                    "/-/v1/put/content", name, PutContent(files: files, seed: seed, progress: progress), length: nil)
                standing.successes += 1
            }
            start += batch.count
        }
        return try await client.decode(
            try await client.send(.POST, "/-/v1/put/finish", name + tags.map { ("tag", Optional($0)) }))
    }

    private func batch(from start: Int) -> ArraySlice<PutItem> {
        var end = start
        var bytes = 0
        while end < items.count, end - start < Self.batchEntries, bytes < Self.batchBytes {
            bytes += items[end].entry.path.count + 48
            end += 1
        }
        return items[start..<end]
    }

    private func pieces(_ index: Int, _ name: [(String, String?)]) async throws -> [UploadPiece] {
        let response = try await client.send(.GET, "/-/v1/put/pieces", name + [("file", "\(index)")])
        do {
            return try PutMessages.pieces(try await client.bytes(response))
        } catch let error as PutFormatError {
            throw CommandFailure(.refused, "the server answered with pieces that are none: \(error)")
        }
    }

    /// What a put is of, by which a second run of an interrupted one is recognised: this machine, this path.
    static func token(_ source: String) -> String {
        let path = URL(fileURLWithPath: source).standardizedFileURL.path
        let text = ProcessInfo.processInfo.hostName + "\0" + path
        return String(SHA256.digest(Array(text.utf8)).hex.prefix(32))
    }
}

extension CommandFailure {
    /// Whether the same request may well succeed in a moment.
    fileprivate var isWorthRepeating: Bool {
        guard let code else { return exit == .unreachable }
        return code == "PutBusy" || code == "TooManyPuts"
    }
}
