import ArgumentParser
import Console
import Cryptography
import Foundation
import NIOCore

/// `coffer artifact put`.
struct ArtifactPut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Store a directory or a file as a new version.",
        discussion: """
            Sends what the newest versions of the artifact do not have: of a file that changed, the parts that did. When \
            the connection breaks or the server is restarted, goes on as soon as it answers again. A put that is broken \
            off publishes nothing; the next one of the same directory goes on about where it stopped. Standard input can \
            be read only once: broken off, it fails, and must be given again from its start.
            """)

    @Argument(help: "PIPELINE/ARTIFACT, or any REPOSITORY/ARTIFACT.")
    var name: String

    @Argument(help: "A directory, a file such as a ZIP, or - for standard input.")
    var source: String

    @Option(name: .customLong("tag"), help: "Tag for the new version; it moves from the version that has it.")
    var tags: [String] = []

    @Option(help: "Key that protects it: id, ARN or alias; default: the account's own.")
    var key: String?

    @Option(
        name: .customLong("basis"),
        help: "Another version whose content need not be sent, PIPELINE/ARTIFACT@WHICH; needs permission to read it.")
    var basis: [String] = []

    @Flag(
        help: """
            Store it without compression: for a secret beside text that others chose, since stored lengths would tell \
            what the two have in common.
            """)
    var sensitive = false

    @Option(help: "Seconds to wait for a server that went away in the middle.")
    var patience = 60

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var talk: ProgressOptions

    func run() async throws {
        let progress = talk.progress("reading", output.chosen)
        defer { progress.end() }
        let item = try await put(progress)
        progress.end()
        try output.one(item) {
            [
                "\(item.reference)  \(item.id)  \(Say.bytes(item.bytes))\(item.storedBytes.map { ", \(Say.bytes($0)) new" } ?? "")"
            ]
        }
    }

    private func put(_ progress: ProgressLine) async throws -> VersionItem {
        var query = [("name", Optional(name)), ("key", key), ("sensitive", sensitive ? "1" : nil)]
        var status = stat()
        guard source == "-" || stat(source, &status) == 0 else {
            throw CommandFailure(.notFound, "there is no \(source)")
        }
        let kind = status.st_mode & S_IFMT
        guard source != "-", kind == S_IFDIR || kind == S_IFREG else {
            // What can be read only once cannot be named before it is sent.
            return try await stream(query + tags.map { ("tag", Optional($0)) }, progress)
        }
        let items =
            kind == S_IFDIR ? try await PutScan.tree(source, progress) : try await PutScan.file(source, progress)
        query += [("form", kind == S_IFDIR ? "tree" : "blob"), ("token", PutSender.token(source))]
        // Should the last answer be lost, the same request publishes nothing a second time.
        query.append(("request", Hex.encode(SecureRandom.bytes(16))))
        query += basis.map { ("basis", Optional($0)) }
        return try await connection.withClient { [query] client in
            try await PutSender(
                client: client, query: query, tags: tags, items: items, progress: progress, patience: .seconds(patience)
            ).run()
        }
    }

    private func stream(_ query: [(String, String?)], _ progress: ProgressLine) async throws -> VersionItem {
        let descriptor = source == "-" ? STDIN_FILENO : open(source, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(.notFound, "cannot read \(source): \(String(cString: strerror(errno)))")
        }
        defer { if source != "-" { close(descriptor) } }
        progress.begin("sending", total: nil)
        return try await connection.withClient { client in
            try await client.upload(
                "/-/v1/artifact", query, FileBytes(descriptor: descriptor, progress: progress), length: nil)
        }
    }
}

/// The bytes that are still to be read from a descriptor.
struct FileBytes: AsyncSequence, Sendable {
    let descriptor: CInt
    let progress: ProgressLine

    struct AsyncIterator: AsyncIteratorProtocol {
        let descriptor: CInt
        let progress: ProgressLine

        // Blocks a thread while a pipe is empty; the command has nothing else to do meanwhile.
        mutating func next() async throws -> ByteBuffer? {
            var bytes = [UInt8](repeating: 0, count: 256 << 10)
            while true {
                let count = read(descriptor, &bytes, bytes.count)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else {
                    throw CommandFailure(.refused, "cannot read the input: \(String(cString: strerror(errno)))")
                }
                progress.add(Int64(count))
                return count == 0 ? nil : ByteBuffer(bytes: bytes.prefix(count))
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(descriptor: descriptor, progress: progress) }
}
