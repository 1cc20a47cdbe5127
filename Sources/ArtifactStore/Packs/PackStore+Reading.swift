import Cryptography

extension PackStore {
    // MARK: What a pack holds

    /// All entries of a pack at this moment, those that no index frame describes yet included, oldest frame first.
    func currentEntries(of info: PackInfo) throws -> [PackEntry] {
        guard let described = writer(info.number)?.described else { return try entries(of: info).reversed() }
        var current = info
        current.lastFrameOffset = described.offset
        current.lastFrameBytes = described.bytes
        return try entries(of: current).reversed() + described.pending
    }

    /// All entries of a registered pack, from its index frames, newest frame first.
    ///
    /// - Parameter start: leave out frames before this offset.
    func entries(of info: PackInfo, from start: Int = 0) throws -> [PackEntry] {
        guard let id = Hex.decode(info.name) else { throw FormatError("pack \(info.name) has an impossible name") }
        let cipher = try self.cipher(of: info, id: id)
        var result: [PackEntry] = []
        var offset = info.lastFrameOffset
        var count = info.lastFrameBytes
        while count > 0, offset >= start {
            guard offset >= PackFormat.headerBytes, count <= 64 << 20 else {
                throw FormatError("pack \(info.name) names an impossible index frame")
            }
            var sealed = [UInt8](repeating: 0, count: count)
            try sealed.withUnsafeMutableBytes { try read(pack: info.number, at: offset, into: $0) }
            let frame = try IndexFrame(decoding: try cipher.open(sealed, offset: offset), pack: info.number)
            result += frame.entries
            guard frame.previousOffset < offset || frame.previousBytes == 0 else {
                throw FormatError("pack \(info.name) has index frames out of order")
            }
            offset = Int(frame.previousOffset)
            count = Int(frame.previousBytes)
        }
        return result
    }

    /// What opens a pack's index frames: a key that the storage key of its making gives, kept sealed under a later one
    /// once storage keys have rotated.
    private func cipher(of info: PackInfo, id: [UInt8]) throws -> IndexFrameCipher {
        let storageKey = try ring.fetched(version: UInt32(info.storageKeyVersion))
        guard let wrapped = info.wrappedKey else { return IndexFrameCipher(packID: id, storageKey: storageKey) }
        return IndexFrameCipher(packID: id, packKey: try PackKey.open(wrapped, pack: id, key: storageKey))
    }

    // MARK: Finding and reading

    /// A place to which new versions may refer, or nil when the content counts as new.
    func reusable(_ id: RecordID) throws -> Location? {
        do {
            return try index.lookup(id) { table.isReusable($0) }
        } catch is FormatError {
            // A damaged page of derived data: treat the content as new. Scrubbing rebuilds the index.
            return nil
        }
    }

    /// A place that a commit can keep: one that new versions may refer to, else one that the commit brings back.
    func retrievable(_ id: RecordID) throws -> Location? {
        if let found = try reusable(id) { return found }
        do {
            return try index.lookup(id) { table.isReadable($0) && !table.isDamaged($0) }
        } catch is FormatError {
            return nil
        }
    }

    /// A place to read from: an intact copy where there is one. An index that is damaged, or that lacks what a version
    /// needs, is read again from the packs.
    func readable(_ id: RecordID) throws -> Location? {
        try healing(id) {
            if let good = try index.lookup(id, accept: { table.isReadable($0) && !table.isDamaged($0) }) { return good }
            return try index.lookup(id) { table.isReadable($0) }
        }
    }

    /// Looks something up that must be there; when it is not, rebuilds the index and looks again.
    func healing(_ id: RecordID, _ lookup: () throws -> Location?) throws -> Location? {
        let generation = healer.generation
        do {
            if let found = try lookup() { return found }
            if healer.isKnownMissing(id) { return nil }
        } catch is FormatError {
            // A page failed its checksum.
        }
        try healer.heal(since: generation) { _ = try rebuildIndex() }
        let found = try lookup()
        if found == nil { healer.noteMissing(id) }
        return found
    }

    /// Forgets the index and reads it again from the packs, a run at a time. Returns the number of records found.
    func rebuildIndex() throws -> Int {
        try index.reset()
        var count = 0
        var read: [UInt32: UInt32] = [:]
        for record in journal.all { index.insert(record.id, record.location) }
        for info in table.all where info.state != .deleted {
            do {
                let entries = try currentEntries(of: info)
                index.insert(entries)
                count += entries.count
                read[info.number] = UInt32(clamping: info.registeredLength)
            } catch is FormatError {
                continue  // Scrubbing reports it.
            } catch let error as StoreError where error.code == .integrity {
                continue
            }
            if index.isTailFull { try index.flush(durable: read) }
        }
        try index.flush(durable: read)
        return count
    }

    /// Reads `target.count` bytes of a pack.
    func read(pack number: UInt32, at offset: Int, into target: UnsafeMutableRawBufferPointer) throws {
        if let writer = writer(number), try writer.readBuffered(at: offset, into: target) {
            return
        }
        guard let info = table[number], info.state != .deleted else {
            throw StoreError.integrity("a pack that should exist is missing")
        }
        try backend.read(info.name, at: Int64(offset), into: target)
    }

    /// Says that some bytes of a pack will be read soon.
    func willRead(pack number: UInt32, _ bytes: Range<Int>) {
        guard let info = table[number], info.state != .deleted else { return }
        backend.willRead(info.name, at: Int64(bytes.lowerBound), count: bytes.count)
    }

    /// Reads one record, sealed as it is, into `room`, which grows as needed.
    func readRecord(_ id: RecordID, _ location: Location) throws -> [UInt8] {
        if location.pack == Location.journal {
            if let record = journal.record(id) { return record }
            // It was moved into a pack since it was looked up.
            guard let moved = try readable(id), moved.pack != Location.journal else {
                throw StoreError.integrity("a record of the journal is missing")
            }
            return try readRecord(id, moved)
        }
        guard location.recordBytes <= UInt32(Worker.recordMaximum) + 4096 else {
            throw StoreError.integrity("the index gives a record an impossible length")
        }
        var failure: (any Error)?
        let record = [UInt8](unsafeUninitializedCapacity: Int(location.recordBytes)) { buffer, count in
            do {
                let room = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[..<Int(location.recordBytes)])
                try read(pack: location.pack, at: Int(location.offset), into: room)
                count = Int(location.recordBytes)
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw failure }
        return record
    }
}
