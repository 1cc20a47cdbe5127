import Catalog
public import Foundation

/// What to list of a bucket.
public struct ListQuery: Sendable, Hashable {
    /// Only keys that begin so.
    public var prefix: String
    /// Keys that contain this after the prefix are rolled up to their common prefix.
    public var delimiter: String
    /// Only keys and common prefixes after this one.
    public var after: String
    /// The most keys and common prefixes together.
    public var limit: Int

    /// Everything, a thousand at a time, unless said otherwise.
    public init(prefix: String = "", delimiter: String = "", after: String = "", limit: Int = 1000) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after
        self.limit = limit
    }
}

/// One object or delete marker in a listing.
public struct ObjectSummary: Sendable, Hashable {
    /// The key.
    public let key: String
    /// The version id.
    public let versionID: String
    /// Whether it is the newest version of its key.
    public let isLatest: Bool
    /// Whether it is a delete marker.
    public let isDeleteMarker: Bool
    /// Bytes.
    public let size: Int64
    /// Without quotes.
    public let etag: String
    /// When it was written.
    public let lastModified: Date
    /// The storage class.
    public let storageClass: String
    /// The account that wrote it.
    public let owner: String
    /// The algorithm and kind of its checksum.
    public let checksum: ObjectChecksum?
    let rank: Int64

    init(_ row: Row) throws {
        key = String(decoding: try row.bytes("key"), as: UTF8.self)
        versionID = try row.string("version")
        isLatest = try row.bool("latest")
        isDeleteMarker = try row.bool("marker")
        size = try row.int64("size")
        etag = try row.string("etag")
        lastModified = try row.date("modified")
        storageClass = try row.string("storage_class")
        owner = try row.string("owner")
        checksum = try RowCoding.checksum(row)
        rank = try row.int64("rank")
    }

    static let columns = """
        key, rank, version, latest, marker, size, etag, modified, storage_class, owner, checksum_algorithm,
        checksum_type, checksum
        """
}

/// A page of a listing.
public struct ListPage: Sendable, Hashable {
    /// Objects (and, in a listing of versions, delete markers), in order.
    public var entries: [ObjectSummary] = []
    /// Common prefixes, in order.
    public var commonPrefixes: [String] = []
    /// Whether there is more.
    public var isTruncated = false
    /// The last key or common prefix of the page: where the next one begins.
    public var lastKey: String?
    /// In a listing of versions, the last version id; `nil` after a common prefix.
    public var lastVersionID: String?
}

/// Walks keys in the order of their bytes, rolling up common prefixes and leaping over what lies under them.
///
/// `fetch` answers the next items at or after a position, at most as many as asked for; when a common prefix turns out to
/// be larger than what was fetched, the walk seeks to the first key behind it. So a page costs a number of index reads
/// proportional to what it returns, not to what the bucket holds.
struct PrefixWalk {
    let prefix: [UInt8]
    let delimiter: [UInt8]
    let limit: Int

    /// Rows read at first where whole directories may be leapt over.
    private static let firstBatch = 64

    private(set) var commonPrefixes: [String] = []
    private(set) var isTruncated = false
    private(set) var lastKey: String?
    private(set) var lastWasPrefix = false

    init(prefix: String, delimiter: String, limit: Int) {
        self.prefix = Array(prefix.utf8)
        self.delimiter = Array(delimiter.utf8)
        self.limit = limit
    }

    /// Where a walk stands: items at or after `key`, and of `key` itself only those after `rank`.
    struct Position {
        var key: [UInt8]
        var rank: Int64?
    }

    /// The first position after a marker; a marker at or under a common prefix stands for everything under that.
    func start(after marker: String) -> Position {
        let bytes = Array(marker.utf8)
        guard !bytes.isEmpty, bytes.lexicographicallyPrecedes(prefix) == false else { return Position(key: prefix) }
        if let common = commonPrefix(of: bytes), let next = Self.successor(of: common) { return Position(key: next) }
        return Position(key: bytes, rank: .max)
    }

    /// Walks until the page is full or the items end. Returns what is not rolled up.
    mutating func run<Item>(
        from start: Position, fetch: (Position, Int) throws -> [Item],
        place: (Item) throws -> (key: [UInt8], rank: Int64)
    ) rethrows -> [Item] {
        var items: [Item] = []
        var position = start
        var count = 0
        var batchSize = delimiter.isEmpty ? limit + 1 : min(limit + 1, Self.firstBatch)
        while true {
            let batch = try fetch(position, batchSize)
            var leap: [UInt8]?
            for item in batch {
                let (key, rank) = try place(item)
                if let bound = leap {
                    guard !key.lexicographicallyPrecedes(bound) else { continue }
                    leap = nil
                }
                guard key.starts(with: prefix) else { return items }
                guard count < limit else {
                    isTruncated = limit > 0
                    return items
                }
                count += 1
                if let common = commonPrefix(of: key) {
                    let text = String(decoding: common, as: UTF8.self)
                    commonPrefixes.append(text)
                    lastKey = text
                    lastWasPrefix = true
                    guard let next = Self.successor(of: common) else { return items }
                    leap = next
                } else {
                    items.append(item)
                    lastKey = String(decoding: key, as: UTF8.self)
                    lastWasPrefix = false
                }
                position = Position(key: key, rank: rank)
            }
            guard batch.count >= batchSize else { return items }
            if let leap { position = Position(key: leap) } else { batchSize = min(limit + 1, batchSize * 2) }
        }
    }

    /// The part of a key up to and including the first delimiter after the prefix.
    private func commonPrefix(of key: [UInt8]) -> [UInt8]? {
        guard !delimiter.isEmpty, key.count >= prefix.count + delimiter.count, key.starts(with: prefix) else {
            return nil
        }
        for index in prefix.count...(key.count - delimiter.count)
        where key[index..<(index + delimiter.count)].elementsEqual(delimiter) {
            return Array(key[..<(index + delimiter.count)])
        }
        return nil
    }

    /// The least byte string that is greater than everything beginning with `bytes`.
    static func successor(of bytes: [UInt8]) -> [UInt8]? {
        guard let index = bytes.lastIndex(where: { $0 != 0xFF }) else { return nil }
        return Array(bytes[..<index]) + [bytes[index] + 1]
    }
}
