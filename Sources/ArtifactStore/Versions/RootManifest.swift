import Cryptography

/// What a version is, as its manifest says it.
struct VersionRoot: Sendable {
    enum Content: Sendable {
        case tree(DirectoryContent)
        case blob(FileContent)
    }

    var content: Content

    /// SHA-256 of a blob, Merkle root of a tree.
    var contentID: SHA256Digest {
        switch content {
        case .tree(let directory): directory.treeID
        case .blob(let file): file.digest
        }
    }

    var kind: Version.RootKind {
        switch content {
        case .tree: .tree
        case .blob: .blob
        }
    }

    /// The records that the root leads to in one step.
    func refs() throws -> [Ref] {
        switch content {
        case .tree(let directory):
            let refs = try directory.refs()
            return refs.stable + refs.volatile
        case .blob(let file): return file.refs
        }
    }

    /// Whether the manifest holds content itself (a small directory, what is volatile of a larger one, a few bytes) rather
    /// than only say where content is.
    var holdsContent: Bool {
        switch content {
        case .tree(let directory):
            switch directory.place {
            case .inline: true
            case .record(_, .inline(let volatile)): !volatile.isEmpty
            case .record(_, .record): false
            }
        case .blob(let file): file.segments.contains { $0.ref == nil }
        }
    }

    func encode() -> [UInt8] {
        var writer = CanonicalWriter()
        writer.byte(1)
        switch content {
        case .tree(let directory):
            writer.byte(0)
            var coder = TreeCoder()
            coder.directory(directory)
            writer.string(coder.stable.bytes)
            writer.string(coder.volatile.bytes)
        case .blob(let file):
            writer.byte(1)
            writer.content(file)
        }
        return writer.bytes
    }

    init(_ content: Content) { self.content = content }

    init(decoding bytes: [UInt8]) throws {
        var reader = CanonicalReader(bytes)
        guard try reader.byte() == 1 else { throw FormatError("its manifest has an unknown format") }
        switch try reader.byte() {
        case 0:
            var decoder = TreeDecoder(
                stable: CanonicalReader(try reader.string()), volatile: CanonicalReader(try reader.string()))
            guard let directory = try decoder.optionalDirectory() else { throw FormatError("its manifest is empty") }
            try decoder.stable.end()
            try decoder.volatile.end()
            content = .tree(directory)
        case 1: content = .blob(try reader.content())
        case let kind: throw FormatError("its manifest has the unknown kind \(kind)")
        }
        try reader.end()
    }
}

/// The sealed manifest: `"CFMF"`, format 1, suite 1, flags, 16 bytes of artifact id, u64 version, 32 bytes of salt, 32 of
/// commitment, u32 segment size, u32 zero, then segments with their tags. EK ‖ KC = X(ADK, "manifest", 64; id, version,
/// salt). Integers are big-endian. A root always fits one segment of 64 KiB.
enum RootManifest {
    private static let magic = Array("CFMF".utf8)
    private static let headerBytes = 104
    private static let segmentBytes: UInt32 = 65536
    /// Seven zero bytes, segment 0, last.
    private static let nonce: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]

    /// Bytes of the sealed manifest of a root whose encoding has `count` bytes.
    static func sealedBytes(_ count: Int) -> Int { headerBytes + count + AES256GCM.tagBytes }

    static func seal(_ root: [UInt8], dataKey: SecretBytes, version: VersionID, number: Int) throws -> [UInt8] {
        guard root.count <= Int(segmentBytes) else { throw FormatError("the root of a version is too large") }
        var header = magic + [1, 1, 0, 0] + version.bytes
        header.appendBig(UInt64(number))
        let salt = SecureRandom.bytes(32)
        header += salt
        let material = derive(dataKey, Array(header[8..<32]), salt)
        material.slice(32..<64).withUnsafeBytes { header.append(contentsOf: $0) }
        header.appendBig(segmentBytes)
        header.appendBig(UInt32(0))
        let sealed = try root.withUnsafeBytes {
            try AES256GCM.seal(key: material.slice(0..<32), nonce: nonce, additionalData: header, $0)
        }
        return header + sealed
    }

    static func open(_ sealed: [UInt8], dataKey: SecretBytes, version: VersionID, number: Int) throws -> [UInt8] {
        var identity = version.bytes
        identity.appendBig(UInt64(number))
        guard sealed.count >= headerBytes + AES256GCM.tagBytes, Array(sealed[0..<8]) == magic + [1, 1, 0, 0],
            Array(sealed[8..<32]) == identity
        else { throw FormatError("its manifest is damaged or another version's") }
        let material = derive(dataKey, Array(sealed[8..<32]), Array(sealed[32..<64]))
        guard constantTimeEqual(material.disclosing(32..<64), Array(sealed[64..<96])) else {
            throw FormatError("its manifest was changed or its key is another")
        }
        do {
            return try sealed.withUnsafeBytes { bytes in
                try AES256GCM.open(
                    key: material.slice(0..<32), nonce: nonce, additionalData: Array(bytes[0..<headerBytes]),
                    UnsafeRawBufferPointer(rebasing: bytes[headerBytes...])
                ).withUnsafeBytes { Array($0) }  // tidy: capabilities are read as bytes of trees
            }
        } catch {
            throw FormatError("its manifest was changed")
        }
    }

    private static func derive(_ key: SecretBytes, _ identity: [UInt8], _ salt: [UInt8]) -> SecretBytes {
        Derivation.secret(key, "manifest", [Array(identity[0..<16]), Array(identity[16..<24]), salt], count: 64)
    }
}

/// What listing shows of a version's content, sealed under the storage key so that it needs no customer key and yet tells
/// the reader of the database nothing.
enum VersionSummary {
    static func seal(_ contentID: SHA256Digest, version: VersionID, key: (version: UInt32, key: SecretBytes)) throws
        -> [UInt8]
    {
        try SealedEnvelope.seal(
            contentID.bytes, type: .summary, version: key.version, key: key.key, name: Array("version/\(version)".utf8))
    }

    static func open(_ sealed: [UInt8], version: VersionID, key: SecretBytes) throws -> SHA256Digest {
        let bytes = try SealedEnvelope.open(sealed, type: .summary, key: key, name: Array("version/\(version)".utf8))
        guard let digest = SHA256Digest(bytes: bytes) else { throw FormatError("its summary is damaged") }
        return digest
    }
}
