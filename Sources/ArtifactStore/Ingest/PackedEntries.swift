import Cryptography

/// The entries of a directory in the order in which they came, encoded one after the other: a tenth of what they take as
/// values. The encoding never leaves the process.
struct PackedEntries: Sendable {
    /// The first few of a small ingest stay values, which need no decoding.
    private var loose: [TreeEntry] = []
    private var blocks: [[UInt8]] = []
    /// Where each entry is.
    private var starts: [Place] = []
    private var removed: Set<Int> = []

    private struct Place: Sendable {
        var block: UInt32
        var offset: UInt32
    }

    /// Entries do not cross blocks, so that none is ever moved to make room.
    private static let blockBytes = 64 << 10

    /// Numbers ever given to entries, those of removed ones included.
    private var total: Int { loose.count + starts.count }
    /// Entries that are there.
    var count: Int { total - removed.count }
    /// About what all of this takes.
    private(set) var byteCount = 0

    /// Adds an entry. Returns its number.
    ///
    /// - Parameter loosely: keeps it as a value, unless it is a large one.
    @discardableResult
    mutating func append(_ entry: TreeEntry, loosely: Bool = false) -> Int {
        if loosely, starts.isEmpty, entry.isSmall {
            loose.append(entry)
            byteCount += 400
            return loose.count - 1
        }
        var writer = CanonicalWriter()
        writer.packed(entry)
        let bytes = writer.bytes
        // A block that is bound to a name would be copied to be added to.
        if blocks.last.map({ $0.count + bytes.count <= Self.blockBytes }) ?? false {
            blocks[blocks.count - 1] += bytes
        } else {
            blocks.append(bytes)
        }
        let block = blocks.count - 1
        starts.append(Place(block: UInt32(block), offset: UInt32(blocks[block].count - bytes.count)))
        byteCount += bytes.count + MemoryLayout<Place>.stride
        return total - 1
    }

    /// Takes an entry out. The others keep their numbers.
    mutating func remove(_ number: Int) { removed.insert(number) }

    /// The entry of a number.
    func entry(_ number: Int) throws -> TreeEntry {
        if number < loose.count { return loose[number] }
        var reader = CanonicalReader(Array(encoding(number)))
        return try reader.packedEntry()
    }

    private func encoding(_ number: Int) -> ArraySlice<UInt8> {
        let index = number - loose.count
        let (place, next) = (starts[index], index + 1)
        let block = blocks[Int(place.block)]
        let isLast = next == starts.count || starts[next].block != place.block
        return block[Int(place.offset)..<(isLast ? block.count : Int(starts[next].offset))]
    }

    /// Compares names without making arrays of them.
    private func withName<R>(_ number: Int, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        if number < loose.count { return loose[number].name.withUnsafeBufferPointer(body) }
        let place = starts[number - loose.count]
        return blocks[Int(place.block)].withUnsafeBufferPointer { block in
            // The name comes first, after its length in one byte or two: at most 255.
            let start = Int(place.offset)
            let isShort = block[start] < 0x80
            let count = isShort ? Int(block[start]) : Int(block[start] & 0x7F) | Int(block[start + 1]) << 7
            return body(UnsafeBufferPointer(rebasing: block[(start + (isShort ? 1 : 2))...].prefix(count)))
        }
    }

    /// The numbers of all entries in the order of their names. Throws `StoreError` when two have the same name.
    func sorted() throws -> [UInt32] {
        var order = (0..<UInt32(total)).filter { removed.isEmpty || !removed.contains(Int($0)) }
        order.sort { first, second in
            withName(Int(first)) { first in withName(Int(second)) { first.lexicographicallyPrecedes($0) } }
        }
        for (first, second) in zip(order, order.dropFirst())
        where withName(Int(first), { first in withName(Int(second)) { first.elementsEqual($0) } }) {
            throw try conflict(try entry(Int(first)), try entry(Int(second)))
        }
        return order
    }

    /// All entries in the order of their names, if they are few.
    func listing(upTo maximum: Int) throws -> [TreeEntry]? {
        count <= maximum ? try sorted().map { try entry(Int($0)) } : nil
    }

    private func conflict(_ first: TreeEntry, _ second: TreeEntry) throws -> StoreError {
        let name = String(decoding: first.name, as: UTF8.self)
        for case .directory in [first.content, second.content] {
            return StoreError.invalid("\(name) is both a file and a directory")
        }
        return StoreError.invalid("\(name) appears twice")
    }
}

extension TreeEntry {
    /// Whether as a value it takes a few hundred bytes at most.
    fileprivate var isSmall: Bool {
        switch content {
        case .file(.segments): false
        case .file: true
        case .symlink(let target): target.count <= 256
        case .directory(let directory):
            switch directory.place {
            case .inline(let stable, let volatile): stable.count + volatile.count <= 256
            case .record: true
            }
        }
    }
}

extension CanonicalWriter {
    fileprivate mutating func packed(_ entry: TreeEntry) {
        string(entry.name)
        integer(UInt64(entry.mode))
        switch entry.content {
        case .file(let file):
            byte(0)
            content(file)
        case .symlink(let target):
            byte(1)
            string(target)
        case .directory(let directory):
            self.directory(directory)
        }
    }

    private mutating func directory(_ directory: DirectoryContent) {
        switch directory.place {
        case .inline(let stable, let volatile):
            byte(2)
            digest(directory.treeID)
            string(stable)
            string(volatile)
        case .record(let ref, .inline(let volatile)):
            byte(3)
            digest(directory.treeID)
            self.ref(ref, crc: false)
            string(volatile)
        case .record(let ref, .record(let volatile)):
            byte(4)
            digest(directory.treeID)
            self.ref(ref, crc: false)
            self.ref(volatile, crc: false)
        }
    }
}

extension CanonicalReader {
    fileprivate mutating func packedEntry() throws -> TreeEntry {
        let (name, mode) = (try string(), UInt32(try count()))
        switch try byte() {
        case 0: return TreeEntry(name: name, mode: mode, content: .file(try content()))
        case 1: return TreeEntry(name: name, mode: mode, content: .symlink(try string()))
        case let kind:
            let treeID = try digest()
            let place: DirectoryContent.Place
            switch kind {
            case 2: place = .inline(stable: try string(), volatile: try string())
            case 3: place = .record(try ref(crc: false), volatile: .inline(try string()))
            default: place = .record(try ref(crc: false), volatile: .record(try ref(crc: false)))
            }
            return TreeEntry(
                name: name, mode: mode, content: .directory(DirectoryContent(treeID: treeID, place: place)))
        }
    }
}
