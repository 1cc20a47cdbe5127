import Glibc

/// The names in a directory on disk, in order, one after the other in memory: five bytes each beside the name itself.
struct PackedNames: Sendable {
    private var blocks: [[UInt8]] = []
    /// Where each name is: the block's number above 16 bits of offset. There stands its length, then the name.
    private var places: [UInt32] = []

    private static let blockBytes = 1 << 16

    var count: Int { places.count }

    /// The name at a position.
    subscript(_ position: Int) -> [UInt8] { withName(places[position]) { Array($0) } }

    /// Lists a directory. Throws `StoreError` when it cannot be listed.
    init(in directory: Int32, path: String) throws {
        let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let stream = fdopendir(copy) else { throw IngestSession.failure("list", path) }
        defer { closedir(stream) }
        errno = 0
        while let entry = readdir(stream) {
            withUnsafeBytes(of: &entry.pointee.d_name) { buffer in
                let name = UnsafeRawBufferPointer(rebasing: buffer.prefix { $0 != 0 })
                if !Self.isDots(name) { append(name) }
            }
            errno = 0
        }
        guard errno == 0 else { throw IngestSession.failure("list", path) }
        sort()
    }

    /// The directory itself and the one above it.
    private static func isDots(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count <= 2 && name.allSatisfy { $0 == UInt8(ascii: ".") }
    }

    /// A name has at most 255 bytes: NAME_MAX.
    private mutating func append(_ name: UnsafeRawBufferPointer) {
        if blocks.last.map({ $0.count + name.count + 1 > Self.blockBytes }) ?? true { blocks.append([]) }
        let block = blocks.count - 1
        places.append(UInt32(block << 16 | blocks[block].count))
        blocks[block].append(UInt8(truncatingIfNeeded: name.count))
        blocks[block].append(contentsOf: name)
    }

    private mutating func sort() {
        var places = places
        self.places = []
        places.sort { first, second in
            withName(first) { first in withName(second) { first.lexicographicallyPrecedes($0) } }
        }
        self.places = places
    }

    private func withName<R>(_ place: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
        blocks[Int(place >> 16)].withUnsafeBufferPointer { block in
            let start = Int(place & 0xFFFF)
            return body(UnsafeBufferPointer(rebasing: block[(start + 1)...].prefix(Int(block[start]))))
        }
    }
}
