import Compression
import Testing

@testable import Archives

@Suite("Reading zips")
struct ZipReaderTests {
    static func sample() throws -> [UInt8] {
        var builder = ZipBuilder()
        try builder.add(directory: "d", permissions: 0o700)
        try builder.add(file: "d/run", permissions: 0o755, bytes(String(repeating: "text\n", count: 500)))
        try builder.add(symlink: "link", target: "d/run")
        try builder.add(file: "raw", [1, 2, 3])
        return try builder.archive()
    }

    @Test("members come back with kind, mode and content, in tree order")
    func roundTrip() async throws {
        let archive = try Self.sample()
        let reader = try LocalZipReader(archive)
        #expect(reader.members.map(\.path) == ["d", "d/run", "link", "raw"])
        #expect(reader.members.map(\.kind) == [.directory, .file, .symlink, .file])
        #expect(reader.members.map(\.permissions) == [0o700, 0o755, 0o777, 0o644])
        #expect(try reader.bytes(of: reader.members[1]) == bytes(String(repeating: "text\n", count: 500)))
        #expect(try reader.bytes(of: reader.members[2]) == bytes("d/run"))
        let suspending = try await ZipReader(BufferSource(archive))
        for (index, member) in suspending.members.enumerated() {
            #expect(try await suspending.bytes(of: member, upTo: 1 << 20) == reader.bytes(of: reader.members[index]))
        }
    }

    @Test("an archive with bytes in front is read as it is meant")
    func prefixed() throws {
        let reader = try LocalZipReader(bytes("#!/bin/sh\n") + Self.sample())
        #expect(try reader.bytes(of: reader.members[3]) == [1, 2, 3])
    }

    @Test("an empty archive has no members")
    func empty() throws {
        #expect(try LocalZipReader(ZipBuilder().archive()).members.isEmpty)
    }

    @Test("large members are delivered in bounded pieces")
    func pieces() throws {
        var random = SeededGenerator(4)
        let content = random.bytes(700_000, alphabet: 3)
        for compress in [true, false] {
            var builder = ZipBuilder()
            try builder.add(file: "big", content, compress: compress)
            let reader = try LocalZipReader(builder.archive())
            var joined: [UInt8] = []
            try reader.forEachPiece(of: reader.members[0]) { piece in
                #expect(piece.count <= 256 * 1024)
                joined += piece
            }
            #expect(joined == content)
        }
    }

    @Test("a damaged byte in a member is noticed", arguments: [true, false])
    func damage(compress: Bool) throws {
        var builder = ZipBuilder()
        try builder.add(file: "f", bytes(String(repeating: "content ", count: 100)), compress: compress)
        var archive = try builder.archive()
        let reader = try LocalZipReader(archive)
        let range = try reader.dataRange(of: reader.members[0])
        archive[Int(range.lowerBound) + 7] ^= 0x10
        let damaged = try LocalZipReader(archive)
        #expect(throws: ArchiveError.self) { try damaged.bytes(of: damaged.members[0]) }
    }

    @Test("mutated archives are read or refused, and never anything else")
    func mutations() throws {
        let seed = printedSeed()
        var random = SeededGenerator(seed)
        let original = try Self.sample()
        for _ in rounds(2_000) {
            var archive = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                archive[Int.random(in: archive.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { archive.removeLast(Int.random(in: 0...30, using: &random)) }
            guard let reader = try? LocalZipReader(archive) else { continue }
            for member in reader.members { _ = try? reader.bytes(of: member, upTo: 1 << 20) }
        }
    }

    @Test("dates and extended timestamps become seconds")
    func dates() {
        #expect(ZipFormat.seconds(dosDate: 0x0021, time: 0) == 315_532_800)
        #expect(ZipFormat.seconds(dosDate: 44 << 9 | 2 << 5 | 29, time: 12 << 11 | 30 << 5 | 15) == 1_709_209_830)
    }
}

@Suite("Hostile zips")
struct HostileZipTests {
    /// Two stored files of ten bytes: local headers at 0 and 41, directory at 82, its second entry at 129, end at 176.
    static func two(_ first: String = "a", _ second: String = "b") throws -> [UInt8] {
        var archive: [UInt8] = []
        let layout = try ZipLayout(
            entries: ["a", "b"].map {
                ZipEntry(
                    name: bytes($0), permissions: 0o644, kind: .file, method: .stored,
                    crc32: CRC32.checksum(bytes("0123456789")), compressedSize: 10, uncompressedSize: 10)
            })
        for segment in layout.segments {
            switch segment {
            case .literal(let header): archive += header
            case .payload: archive += bytes("0123456789")
            }
        }
        for (offset, name) in [(30, first), (71, second), (128, first), (175, second)] where name.utf8.count == 1 {
            archive[offset] = bytes(name)[0]
        }
        return archive
    }

    static let local2 = 41
    static let central1 = 82
    static let central2 = 129
    static let end = 176

    @Test("the untouched sample is fine")
    func sane() throws {
        let reader = try LocalZipReader(Self.two())
        #expect(try reader.bytes(of: reader.members[1]) == bytes("0123456789"))
    }

    @Test(
        "lies in the records are refused",
        arguments: [
            ("entry count too high", end + 10, UInt32(0x0003_0003)), ("entry count too low", end + 10, 0x0001_0001),
            ("directory size too high", end + 12, 200), ("directory size too low", end + 12, 50),
            ("directory offset too high", end + 16, 500), ("several disks", end + 4, 0x0001_0001),
            ("entry on another disk", central1 + 34, 7), ("member beyond the directory", central1 + 42, 90),
            ("overlapping members", central2 + 42, 5), ("same place twice", central2 + 42, 0),
            ("member reaches into the next", central1 + 20, 60), ("two sizes of a stored member", central1 + 24, 11),
            ("bad directory signature", central1, 0x0102_0304), ("name longer than the record", central2 + 28, 900),
        ])
    func lies(_ reason: String, offset: Int, value: UInt32) throws {
        var archive = try Self.two()
        patch32(&archive, offset, value)
        #expect(throws: ArchiveError.self, "\(reason)") { try LocalZipReader(archive) }
    }

    @Test(
        "local headers that tell another story are refused",
        arguments: [(0, UInt32(1)), (8, 8), (14, 1), (18, 9), (22, 9), (28, 200)])
    func localLies(offset: Int, value: UInt32) throws {
        var archive = try Self.two()
        if offset == 8 || offset == 28 {
            patch16(&archive, Self.local2 + offset, UInt16(value))
        } else {
            patch32(&archive, Self.local2 + offset, value)
        }
        let reader = try LocalZipReader(archive)
        #expect(throws: ArchiveError.self) { try reader.bytes(of: reader.members[1]) }
    }

    @Test("another name in the local header is refused")
    func otherName() throws {
        var archive = try Self.two()
        archive[Self.local2 + 30] = UInt8(ascii: "c")
        let reader = try LocalZipReader(archive)
        #expect(throws: ArchiveError.self) { try reader.bytes(of: reader.members[1]) }
    }

    @Test("a name that occurs twice is refused")
    func duplicate() throws {
        let archive = try Self.two("a", "a")
        #expect(throws: ArchiveError.duplicateName(name: "a")) { try LocalZipReader(archive) }
    }

    @Test("encrypted members are listed and not expanded")
    func encrypted() throws {
        var archive = try Self.two()
        archive[6] |= 1
        archive[Self.central1 + 8] |= 1
        let reader = try LocalZipReader(archive)
        #expect(reader.members[0].isEncrypted)
        #expect(throws: ArchiveError.self) { try reader.bytes(of: reader.members[0]) }
    }

    @Test(
        "names that leave the directory are refused",
        arguments: [
            "../x", "a/../../x", "/etc/passwd", "..", "a/..", "C:x", "a\\b", "a\0b", "a//b", "a/./b", "",
        ])
    func names(_ name: String) {
        #expect(throws: ArchiveError.self) { try EntryName(checking: name.utf8) }
    }

    @Test(
        "harmless names are canonical",
        arguments: [("./a/b", "a/b"), ("dir/", "dir"), ("...", "..."), ("a..b", "a..b")])
    func goodNames(_ name: String, canonical: String) throws {
        #expect(try EntryName(checking: name.utf8).description == canonical)
    }

    @Test("a file cannot also be a directory, however many names sort between")
    func conflict() throws {
        let names = try ["a", "a-b", "a.c", "a/x"].map { try EntryName(checking: $0.utf8) }
        #expect(throws: ArchiveError.nameConflict(name: "a", below: "a/x")) {
            try EntryName.checkTree(names) { _ in false }
        }
        try EntryName.checkTree(names) { $0 == 0 }
    }

    @Test("limits on entries, sizes and ratio are kept")
    func limits() throws {
        let archive = try Self.two()
        for limits in [
            ArchiveLimits(entries: 1), ArchiveLimits(memberBytes: 9), ArchiveLimits(totalBytes: 19),
            ArchiveLimits(directoryBytes: 20), ArchiveLimits(nameBytes: 0),
        ] {
            #expect(throws: ArchiveError.self) { try LocalZipReader(archive, limits: limits) }
        }
        var bomb = ZipBuilder()
        try bomb.add(file: "zeros", [UInt8](repeating: 0, count: 1 << 21))
        let bombBytes = try bomb.archive()
        #expect(throws: ArchiveError.self) { try LocalZipReader(bombBytes, limits: ArchiveLimits(ratio: 100)) }
    }

    @Test("a member that expands to more than it says is stopped")
    func understated() throws {
        var builder = ZipBuilder()
        try builder.add(file: "f", [UInt8](repeating: 0x41, count: 100_000))
        var archive = try builder.archive()
        let central = try #require(offset(of: [0x50, 0x4B, 1, 2], in: archive))
        patch32(&archive, 22, 10)
        patch32(&archive, central + 24, 10)
        let reader = try LocalZipReader(archive)
        #expect(throws: ArchiveError.self) { try reader.bytes(of: reader.members[0]) }
    }
}

@Suite("ZIP64 end records")
struct Zip64EndTests {
    /// A small archive with ZIP64 records that it does not need, as some writers always add them.
    static func archive(count: UInt64? = nil) throws -> [UInt8] {
        var bytes = try ZipReaderTests.sample()
        let end = bytes.count - 22
        let fields = bytes.withUnsafeBytes { ($0.u16(end + 10), $0.u32(end + 12), $0.u32(end + 16)) }
        var records: [UInt8] = []
        records.append(little: ZipFormat.end64Signature)
        records.append(little: UInt64(44))
        records.append(little: UInt32(0x002D_031E))
        records.append(little: UInt64(0))
        records.append(little: count ?? UInt64(fields.0))
        records.append(little: count ?? UInt64(fields.0))
        records.append(little: UInt64(fields.1))
        records.append(little: UInt64(fields.2))
        records.append(little: ZipFormat.locator64Signature)
        records.append(little: UInt32(0))
        records.append(little: UInt64(end))
        records.append(little: UInt32(1))
        bytes.insert(contentsOf: records, at: end)
        return bytes
    }

    @Test("records that were not needed are read all the same")
    func unneeded() throws {
        let reader = try LocalZipReader(Self.archive())
        #expect(reader.members.map(\.path) == ["d", "d/run", "link", "raw"])
        #expect(try reader.bytes(of: reader.members[3]) == [1, 2, 3])
    }

    @Test("end records that contradict each other are refused")
    func contradiction() throws {
        let archive = try Self.archive(count: 3)
        #expect(throws: ArchiveError.self) { try LocalZipReader(archive) }
    }
}
