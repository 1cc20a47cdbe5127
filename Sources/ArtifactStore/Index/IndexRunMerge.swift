import Compression

/// Checksums over slices.
enum Compressed {
    static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { CRC32.update(CRC32.initial, $0) }
    }
}

extension IndexRun {
    /// Walks a run's entries in order.
    struct Cursor {
        let run: IndexRun
        private var page = 0
        private var entries: [(RecordID, Location)] = []
        private var next = 0

        init(_ run: IndexRun) throws {
            self.run = run
            try fill()
        }

        var current: (RecordID, Location)? { next < entries.count ? entries[next] : nil }

        mutating func advance() throws {
            next += 1
            if next >= entries.count { try fill() }
        }

        private mutating func fill() throws {
            entries = try run.entries(ofPage: page)
            page += 1
            next = 0
        }
    }

    /// Hands the entries of several runs, merged in order, to `body`. Equal entries are handed out once.
    static func merge(_ runs: [IndexRun], _ body: (RecordID, Location) throws -> Void) throws {
        var cursors = try runs.map { try Cursor($0) }
        var last: (RecordID, Location)?
        while true {
            var best: Int?
            for index in cursors.indices {
                guard let id = cursors[index].current?.0 else { continue }
                if let chosen = best, let other = cursors[chosen].current?.0, other <= id { continue }
                best = index
            }
            guard let best, let entry = cursors[best].current else { return }
            if last?.0 != entry.0 || last?.1 != entry.1 { try body(entry.0, entry.1) }
            last = entry
            try cursors[best].advance()
        }
    }
}
