import Glibc
import Synchronization

/// Writes a version's files in the order in which packs hold their bytes, not in the order of their names: neighbouring
/// records are read at once, a record that several files need is decrypted once, and while the files of one window are
/// written, those of the next are looked up and announced to the backend.
///
/// Every step goes through directory descriptors without following links, so no name and no link, however hostile, leads
/// outside of the target. Memory: two windows of some thousand places, and for each thread one read and one chunk.
final class Materialiser: Sendable {
    private let context: ReadContext
    private let updating: Bool
    private let report = RestoreReport()

    init(_ version: OpenVersion, updating: Bool = false) {
        context = version.context
        self.updating = updating
    }

    func run(_ directory: DirectoryContent, to target: String) throws -> MaterialiseReport {
        try run(try context.entries(directory), to: target)
    }

    func run(_ entries: [TreeEntry], to target: String) throws -> MaterialiseReport {
        guard mkdir(target, 0o755) == 0 || errno == EEXIST else { throw Self.failure("make directory", target) }
        let root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw Self.failure("open directory", target) }
        let walk = try RestoreWalk(
            context, entries, in: RestoredFolder(root, path: target, mode: nil), updating: updating, report: report)
        var window = try walk.next()
        while let ready = window {
            let following = Mutex<RestoreWindow?>(nil)
            // Side by side on the store's threads, of which this is one: nobody waits for a thread that is not coming.
            try context.pool.forEach(2) { [self] side in
                if side == 0 { return try write(ready) }
                let found = try walk.next()
                following.withLock { $0 = found }
            }
            window = following.withLock { $0 }
        }
        return report.value
    }

    private static let literalsAtOnce = 32

    private func write(_ window: RestoreWindow) throws {
        let (reads, others) = (window.reads.count, window.others.count)
        let literals = (window.literals.count + Self.literalsAtOnce - 1) / Self.literalsAtOnce
        try context.pool.forEach(reads + others + literals) { [self] index in
            if index < reads {
                try read(window.reads[index], window)
            } else if index < reads + others {
                let need = window.needs[window.others[index - reads]]
                try deliver(try readAlone(need), need)
            } else {
                let start = (index - reads - others) * Self.literalsAtOnce
                for (bytes, place) in window.literals[start...].prefix(Self.literalsAtOnce) {
                    try put(bytes, place)
                }
            }
        }
        let finishing = window.finishing
        try context.pool.forEach(finishing.count) { try finishing[$0].finish() }
        for folder in window.closing { try folder.finish() }
    }

    /// Reads neighbouring records at once. One that is not intact is read again alone, which finds another copy of it or
    /// says what is damaged.
    private func read(_ read: RestoreWindow.Read, _ window: RestoreWindow) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: read.bytes.count, alignment: 64)
        defer { buffer.deallocate() }
        var isRead = true
        do {
            try context.reader.packs.read(pack: read.pack, at: read.bytes.lowerBound, into: buffer)
        } catch let error as StoreError where error.code == .integrity {
            isRead = false
        }
        for (location, index) in read.records {
            let need = window.needs[index]
            let start = Int(location.offset) - read.bytes.lowerBound
            let record = UnsafeMutableRawBufferPointer(
                rebasing: buffer[start..<start + Int(location.recordBytes)])
            let bytes = isRead ? try context.reader.intact(record, need.ref, context.domain) : nil
            try deliver(try bytes ?? readAlone(need), need)
        }
    }

    private func readAlone(_ need: RestoreWindow.Need) throws -> [UInt8] {
        try need.naming(context).guarding { try context.reader.plaintext(need.ref, context.domain) }
    }

    private func deliver(_ bytes: [UInt8], _ need: RestoreWindow.Need) throws {
        for place in need.places { try put(bytes, place) }
    }

    private func put(_ bytes: [UInt8], _ place: RestoreWindow.Place) throws {
        if place.isWhole { try place.file.create() }
        try place.file.write(bytes, at: place.offset)
        if place.isWhole { try place.file.finish() }
    }

    static func failure(_ verb: String, _ path: String) -> StoreError {
        let code = errno
        return StoreError(
            code == EEXIST ? .conflict : code == ENOSPC || code == EDQUOT ? .full : .input,
            "cannot \(verb) \(path): \(String(cString: strerror(code)))")
    }
}
