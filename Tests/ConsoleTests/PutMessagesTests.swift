import ArtifactStore
import Cryptography
import Testing

@testable import Console

@Suite("Messages of a put")
struct PutMessagesTests {
    private struct Pieces: AsyncIteratorProtocol {
        var bytes: ArraySlice<UInt8>
        let size: Int

        mutating func next() async throws -> [UInt8]? {
            guard !bytes.isEmpty else { return nil }
            defer { bytes = bytes.dropFirst(size) }
            return Array(bytes.prefix(size))
        }
    }

    @Test("bring entries over, names that are not UTF-8 included")
    func entries() throws {
        let entries = [
            UploadEntry(path: Array("bin".utf8), mode: 0o755, content: .directory),
            UploadEntry(path: [0x62, 0x2F, 0xFF, 0xFE], mode: 0o644, content: .file(SHA256.digest([1, 2, 3]), 3)),
            UploadEntry(path: Array("link".utf8), mode: 0o777, content: .symlink(Array("../x".utf8))),
            UploadEntry(path: [], mode: 0o600, content: .file(SHA256.digest([]), 1 << 40)),
        ]
        let bytes = PutMessages.encode(entries)
        #expect(try PutMessages.entries(bytes) == entries)
        for count in [1, 5, 20, bytes.count - 1] {
            #expect(throws: PutFormatError.self) { _ = try PutMessages.entries(Array(bytes.prefix(count))) }
        }
        #expect(throws: PutFormatError.self) { _ = try PutMessages.entries([9, 0, 0]) }
    }

    @Test("bring pieces over")
    func pieces() throws {
        let pieces = [
            UploadPiece(byteCount: 1, mark: .init(high: 1, low: .max)),
            UploadPiece(byteCount: 262_144, mark: .init(high: .max, low: 0)),
        ]
        #expect(try PutMessages.pieces(PutMessages.encode(pieces)) == pieces)
    }

    @Test("bring operations over, however the stream is cut", arguments: [1, 3, 1000, 1 << 20])
    func operations(_ size: Int) async throws {
        let operations: [PutOperation] = [
            .small(0, []), .small(300, Array(repeating: 7, count: 1000)), .open(70_000, 1 << 40), .data([1, 2, 3]),
            .copy(1 << 33, 5), .close,
        ]
        let bytes = operations.flatMap { $0.encode() }
        var reader = PutOperationReader(Pieces(bytes: bytes[...], size: size))
        var found: [PutOperation] = []
        while let operation = try await reader.next() { found.append(operation) }
        #expect(found == operations)
    }

    @Test("that end early or carry too much are refused")
    func refused() async throws {
        for bytes in [[1, 0, 5, 1], [3, 0xFF, 0xFF, 0xFF, 0x7F], [2, 1], [77]] as [[UInt8]] {
            var reader = PutOperationReader(Pieces(bytes: bytes[...], size: 10))
            await #expect(throws: PutFormatError.self) { _ = try await reader.next() }
        }
    }
}
