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
    /// How long to go on trying while nothing arrives.
    let patience: Duration

    /// The longest pause between two tries.
    private static let pauseMaximum = Duration.seconds(2)
    private static let batchEntries = 1024
    private static let batchBytes = 1 << 20

    /// Where a put stands, across connections.
    private struct Standing {
        var id: String?
        var isBegun = false
        /// Counts what arrived, to tell bad luck from a server that never answers.
        var successes = 0
    }

    func run() async throws -> VersionItem {
        var standing = Standing()
        var failures = 0
        var since = ContinuousClock.now
        while true {
            let before = standing.successes
            do {
                return try await attempt(&standing)
            } catch let failure as CommandFailure where failure.isWorthRepeating && standing.isBegun {
                // Naming everything again takes two successes and proves nothing.
                if failures == 0 || standing.successes > before + 2 { (failures, since) = (0, ContinuousClock.now) }
                failures += 1
                guard ContinuousClock.now - since < patience else { throw gaveUp(failure) }
                if failure.code == "StoreLeaseExpired", let id = standing.id {
                    // What it has received counts no more: another put is begun.
                    _ = try? await client.send(.DELETE, "/-/v1/put", [("id", id)])
                    standing.id = nil
                }
                if progress.isShown { Talk.progress("\(failure.description); trying again") }
                try await Task.sleep(for: min(Self.pauseMaximum, .milliseconds(100 << min(failures, 8))))
            } catch let failure as CommandFailure where failure.exit != .unreachable {
                // Nobody will go on with it. The reason for the failure is what counts, not whether this arrives.
                if let id = standing.id { _ = try? await client.send(.DELETE, "/-/v1/put", [("id", id)]) }
                throw failure
            }
        }
    }

    private func gaveUp(_ failure: CommandFailure) -> CommandFailure {
        CommandFailure(
            failure.exit,
            """
            \(failure.description); tried again for \(patience.components.seconds) seconds. Nothing was published. Put the \
            same again when the server answers: it goes on about where it stopped
            """, code: failure.code)
    }

    private func attempt(_ standing: inout Standing) async throws -> VersionItem {
        let begun: PutAnswer = try await client.decode(
            try await client.send(.POST, "/-/v1/put", query + [("id", standing.id)]))
        standing.id = begun.id
        standing.isBegun = true
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
        let passing = [
            "PutBusy", "TooManyPuts",
            // A server that was restarted in between.
            "StoreLeaseExpired", "NoSuchPut",
            // One that is about to be ready, and what proxies say while there is none.
            "Sealed", "ServiceUnavailable", "503", "502", "504",
        ]
        return passing.contains(code)
    }
}
