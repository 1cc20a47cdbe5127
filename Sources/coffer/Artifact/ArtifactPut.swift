import Archives
import ArgumentParser
import Console
import Foundation
import NIOCore

/// `coffer artifact put`.
struct ArtifactPut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Store a directory or a file as a new version.")

    @Argument(help: "PIPELINE/ARTIFACT, or any REPOSITORY/ARTIFACT.")
    var name: String

    @Argument(help: "A directory, a file such as a ZIP, or - for standard input.")
    var source: String

    @Option(name: .customLong("tag"), help: "Tag for the new version; it moves from the version that has it.")
    var tags: [String] = []

    @Option(help: "Key that protects it: id, ARN or alias; default: the account's own.")
    var key: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let query = [("name", Optional(name)), ("key", key)] + tags.map { ("tag", Optional($0)) }
        let item: VersionItem = try await connection.withClient { client in
            if source == "-" {
                return try await client.upload(
                    "/-/v1/artifact", query, FileBytes(descriptor: STDIN_FILENO), length: nil)
            }
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: source, isDirectory: &isDirectory) else {
                throw CommandFailure(.notFound, "there is no \(source)")
            }
            if isDirectory.boolValue {
                let archive = try DirectoryArchive(source)
                return try await client.upload(
                    "/-/v1/artifact", query + [("form", "tree")], archive, length: archive.byteCount)
            }
            let descriptor = open(source, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw CommandFailure(.notFound, "cannot read \(source): \(String(cString: strerror(errno)))")
            }
            defer { close(descriptor) }
            var status = stat()
            let isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            return try await client.upload(
                "/-/v1/artifact", query, FileBytes(descriptor: descriptor),
                length: isRegular ? Int64(status.st_size) : nil)
        }
        try output.one(item) {
            ["\(item.reference)  \(item.id)  \(Say.bytes(item.bytes)), \(Say.bytes(item.storedBytes)) new"]
        }
    }
}

/// The bytes that are still to be read from a descriptor.
struct FileBytes: AsyncSequence, Sendable {
    let descriptor: CInt

    struct AsyncIterator: AsyncIteratorProtocol {
        let descriptor: CInt

        // Blocks a thread while a pipe is empty; the command has nothing else to do meanwhile.
        mutating func next() async throws -> ByteBuffer? {
            var bytes = [UInt8](repeating: 0, count: 256 << 10)
            while true {
                let count = read(descriptor, &bytes, bytes.count)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else {
                    throw CommandFailure(.refused, "cannot read the input: \(String(cString: strerror(errno)))")
                }
                return count == 0 ? nil : ByteBuffer(bytes: bytes.prefix(count))
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(descriptor: descriptor) }
}
