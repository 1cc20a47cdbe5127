import Compression
import Cryptography
import Glibc

extension IngestSession {
    /// Files up to this many bytes are read into memory at once.
    private static let wholeMaximum = 16 << 20

    /// Stores the bytes of a file that is in memory.
    func ingest(_ bytes: UnsafeRawBufferPointer) throws -> FileContent {
        if bytes.count <= FileContent.inlineMaximum { return .inline(Array(bytes)) }
        var digest: SHA256Digest?
        if bytes.count > cutter.maximum {
            // Larger than any chunk, so the whole is hashed in any case: known files end here.
            let whole = SHA256.digest(bytes)
            if let known = try knownFile(whole, count: Int64(bytes.count)) { return known }
            digest = whole
        } else if bytes.count <= GearCutter.minimum, !mayBeContainer(bytes) {
            return .chunk(try storeChunk(bytes))
        }
        let builder = ContentBuilder(self, digest: digest)
        try builder.add(bytes)
        return try builder.finish()
    }

    /// Whether the first bytes are those of a format at whose boundaries it pays to cut.
    private func mayBeContainer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard cutsContainers, bytes.count >= 16 else { return false }
        if bytes[0] == 0x1F && bytes[1] == 0x8B { return true }
        if bytes[0] == 0x50 && bytes[1] == 0x4B { return true }
        if bytes[0] == 0x21 && bytes[1] == 0x3C { return true }
        // A compiled Python file: two bytes of version, then CR LF.
        if bytes[2] == 0x0D && bytes[3] == 0x0A { return true }
        return bytes.count >= 512 && bytes[257] == 0x75 && bytes[258] == 0x73 && bytes[259] == 0x74
    }

    /// The content of a file that is stored already, if all of its chunks are.
    func knownFile(_ digest: SHA256Digest, count: Int64) throws -> FileContent? {
        let id = domain.recordID(digest, count: count, .file)
        guard let location = try find(id), location.kind == .node else { return nil }
        let key = domain.recordKey(digest, count: count, .file)
        guard let bytes = try? openUnchecked(id, key: key, location), try allPresent(bytes) else { return nil }
        return .node(Ref(count: bytes.count, digest: SHA256.digest(bytes), id: id, key: key, crc: 0), count, digest)
    }

    /// Whether every record below a node is there. Notes that this ingest relies on them.
    func allPresent(_ nodeBytes: [UInt8]) throws -> Bool {
        let node = try NodeObject(decoding: nodeBytes)
        for segment in node.segments {
            guard let ref = segment.ref else { continue }
            guard let location = try find(ref.id) else { return false }
            if case .node = segment {
                guard let inner = try? openUnchecked(ref.id, key: ref.key, location),
                    SHA256.digest(inner) == ref.digest,
                    try allPresent(inner)
                else { return false }
            }
        }
        return true
    }

    /// The plaintext of a record of this domain, authenticated but not compared with a digest: the caller does that, or
    /// stores the digest of what it got.
    func openUnchecked(_ id: RecordID, key: RecordKey, _ location: Location) throws -> [UInt8] {
        var record = try held(id)?.record ?? packs.readRecord(id, location)
        return try workers.with { worker in
            try record.withUnsafeMutableBytes { bytes in
                try RecordCipher.open(bytes, key: key, id: id, domain: domain.records, worker: worker) { frame in
                    try frame.plaintext(worker)
                }
            }
        }
    }

    /// Stores a file from an open descriptor. `size` is what the directory said; what is read counts.
    func ingest(descriptor: Int32, size: Int, path: String) throws -> FileContent {
        if size <= Self.wholeMaximum {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size + 1, alignment: 64)
            defer { buffer.deallocate() }
            let count = try Self.fill(buffer, from: descriptor, path: path)
            // Longer than announced: somebody is writing to it. Read on as a stream.
            if count <= size { return try ingest(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw Self.failure("read", path) }
        } else if let known = try knownLargeFile(descriptor, path: path) {
            return known
        }
        let builder = ContentBuilder(self)
        _ = try Self.stream(descriptor, path: path) { try builder.add($0) }
        return try builder.finish()
    }

    /// A large file is hashed ahead of cutting only when its beginning is known: then all of it probably is.
    private func knownLargeFile(_ descriptor: Int32, path: String) throws -> FileContent? {
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: cutter.maximum, alignment: 64)
        defer { head.deallocate() }
        let count = try Self.fill(head, from: descriptor, path: path)
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw Self.failure("read", path) }
        guard let first = try cutter.cut(UnsafeRawBufferPointer(rebasing: head[..<count]), isLast: true) else {
            return nil
        }
        let chunk = UnsafeRawBufferPointer(rebasing: head[..<first])
        guard try find(domain.recordID(SHA256.digest(chunk), count: Int64(first))) != nil else { return nil }
        var hash = SHA256()
        let total = try Self.stream(descriptor, path: path) { hash.update($0) }
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw Self.failure("read", path) }
        return try knownFile(hash.finish(), count: total)
    }

    private static func stream(
        _ descriptor: Int32, path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        var total: Int64 = 0
        while true {
            let count = try fill(buffer, from: descriptor, path: path)
            if count == 0 { return total }
            total += Int64(count)
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            if count < buffer.count { return total }
        }
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, path: String) throws
        -> Int
    {
        var done = 0
        while done < buffer.count {
            let count = Glibc.read(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    static func failure(_ verb: String, _ path: String) -> StoreError {
        StoreError(.input, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}

extension RecordCipher.Frame {
    /// The plaintext, inflated to exactly its declared length.
    func plaintext(_ worker: Worker) throws -> [UInt8] {
        switch codec {
        case .stored: return Array(payload)
        case .deflate:
            var failure: (any Error)?
            let bytes = [UInt8](unsafeUninitializedCapacity: plainBytes) { buffer, count in
                do {
                    try worker.inflater.inflate(
                        payload,
                        into: UnsafeMutableRawBufferPointer(
                            rebasing: UnsafeMutableRawBufferPointer(buffer)[..<plainBytes]))
                    count = plainBytes
                } catch {
                    failure = error
                    count = 0
                }
            }
            if failure != nil { throw FormatError("its payload does not inflate") }
            return bytes
        }
    }
}
