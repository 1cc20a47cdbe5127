import Foundation
import Testing

@testable import Console

@Suite("Tar streams")
struct TarTests {
    /// Yields bytes in pieces of a given size.
    struct Pieces: AsyncIteratorProtocol {
        var bytes: ArraySlice<UInt8>
        let size: Int

        mutating func next() async throws -> [UInt8]? {
            guard !bytes.isEmpty else { return nil }
            defer { bytes = bytes.dropFirst(size) }
            return Array(bytes.prefix(size))
        }
    }

    private func read(_ bytes: [UInt8], pieces size: Int) async throws -> [(TarMember, [UInt8])] {
        let reader = TarReader(Pieces(bytes: bytes[...], size: size))
        var found: [(TarMember, [UInt8])] = []
        while let member = try await reader.next() {
            var content: [UInt8] = []
            while let piece = try await reader.content() { content += piece }
            found.append((member, content))
        }
        return found
    }

    private static let long = Array(String(repeating: "directory/", count: 30).utf8)

    @Test("come back as they were written, however they are cut", arguments: [1, 7, 512, 4096, 1 << 20])
    func roundTrip(_ size: Int) async throws {
        let content = (0..<1500).map { UInt8(truncatingIfNeeded: $0) }
        let members: [(TarMember, [UInt8])] = [
            (TarMember(path: Array("bin".utf8), kind: .directory, mode: 0o755), []),
            (TarMember(path: Array("bin/run".utf8), kind: .file, mode: 0o755, size: 1500), content),
            (TarMember(path: Array("empty".utf8), kind: .file, mode: 0o600, size: 0), []),
            (TarMember(path: Self.long + [0xFF], kind: .file, mode: 0o644, size: 512), Array(content.prefix(512))),
            (TarMember(path: Array("link".utf8), kind: .symlink, mode: 0o777, target: Self.long + [0x61]), []),
        ]
        var bytes: [UInt8] = []
        for (member, content) in members {
            bytes += TarFormat.header(member) + content + TarFormat.padding(after: member.size)
        }
        let found = try await read(bytes + TarFormat.end, pieces: size)
        #expect(found.map(\.0) == members.map(\.0))
        #expect(found.map(\.1) == members.map(\.1))
    }

    @Test(
        "of the tar program are read", .enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/tar")),
        arguments: ["gnu", "pax", "ustar"])
    func program(_ format: String) async throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("coffer-tar-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let deep = format == "ustar" ? "a/b" : String(repeating: "a-long-name/", count: 14) + "b"
        try FileManager.default.createDirectory(
            at: root.appendingPathComponent(deep), withIntermediateDirectories: true)
        try Data("hello".utf8).write(to: root.appendingPathComponent(deep + "/file"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/tar")
        process.arguments = ["--format=\(format)", "-C", root.path, "-cf", "-", "."]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let bytes = Array(pipe.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        let found = try await read(bytes, pieces: 1000)
        let file = found.first { $0.0.kind == .file }
        #expect(file.map { String(decoding: $0.0.path, as: UTF8.self) } == deep + "/file")
        #expect(file?.1 == Array("hello".utf8))
    }

    @Test("that are cut off, damaged or no tar at all are refused")
    func damaged() async throws {
        let member = TarMember(path: Array("a".utf8), kind: .file, mode: 0o644, size: 1000)
        let whole = TarFormat.header(member) + [UInt8](repeating: 1, count: 1000) + TarFormat.padding(after: 1000)
        await #expect(throws: TarError.self) { _ = try await read(Array(whole.prefix(900)), pieces: 100) }
        await #expect(throws: TarError.self) {
            _ = try await read(Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0x41, count: 600), pieces: 100)
        }
        var flipped = whole
        flipped[0] ^= 1
        await #expect(throws: TarError.self) { _ = try await read(flipped, pieces: 100) }
    }

    @Test("with hard links or devices are refused")
    func strangeMembers() async throws {
        var header = TarFormat.header(TarMember(path: Array("a".utf8), kind: .file, mode: 0o644))
        header[156] = 0x31
        // The checksum counts the type.
        let sum = header.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element)) }
        let digits = String(sum, radix: 8)
        header.replaceSubrange(148..<154, with: Array((String(repeating: "0", count: 6 - digits.count) + digits).utf8))
        await #expect(throws: TarError.self) { _ = try await read(header + TarFormat.end, pieces: 100) }
    }
}
