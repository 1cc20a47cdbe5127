import Synchronization

/// Some of the files of a version, planned together: which records are needed, where each is, and what they are needed for.
/// A record that several files need is read and decrypted once. Bounded whatever the size of the version.
struct RestoreWindow: Sendable {
    /// Where in which file some bytes belong.
    struct Place: Sendable {
        var file: RestoredFile
        var offset: Int64
        /// Whether they are all of the file.
        var isWhole: Bool
    }

    struct Need: Sendable {
        var ref: Ref
        var places: [Place]
    }

    /// Neighbouring records of a pack, read at once.
    struct Read: Sendable {
        var pack: UInt32
        var bytes: Range<Int>
        /// In the order of their places in the pack.
        var records: [(location: Location, need: Int)]
    }

    private(set) var needs: [Need] = []
    private(set) var reads: [Read] = []
    /// Needs whose records are in no pack but in the database.
    private(set) var others: [Int] = []
    private(set) var literals: [(bytes: [UInt8], place: Place)] = []
    /// Files of several pieces that have their last one here.
    var finishing: [RestoredFile] = []
    /// Directories with nothing left to be written below, children first.
    var closing: [RestoredFolder] = []
    private var positions: [Ref: Int] = [:]
    private var byteCount: Int64 = 0
    private var pieces = 0
    private var openFiles = 0

    private static let bytesMaximum: Int64 = 64 << 20
    private static let piecesMaximum = 8192
    /// Files of several pieces: each has an open descriptor.
    private static let openFilesMaximum = 64
    /// One read spans at most so many bytes…
    private static let readMaximum = 1 << 20
    /// …and over gaps of at most so many: reading them costs less than asking again.
    private static let gapMaximum = 32 << 10

    var isFull: Bool {
        byteCount >= Self.bytesMaximum || pieces >= Self.piecesMaximum || openFiles >= Self.openFilesMaximum
    }

    var isEmpty: Bool { pieces == 0 && finishing.isEmpty && closing.isEmpty }

    mutating func noteOpenFile() { openFiles += 1 }

    mutating func add(_ segment: Segment, _ place: Place) throws {
        pieces += 1
        byteCount += segment.byteCount
        switch segment {
        case .literal(let bytes): literals.append((bytes, place))
        case .chunk(let ref):
            if let known = positions[ref] {
                needs[known].places.append(place)
            } else {
                positions[ref] = needs.count
                needs.append(Need(ref: ref, places: [place]))
            }
        case .node: throw FormatError("a list of chunks is where a chunk should be")
        }
    }

    /// Looks the records up and groups them into reads, pack by pack.
    mutating func plan(_ context: ReadContext) throws {
        var located: [(location: Location, need: Int)] = []
        located.reserveCapacity(needs.count)
        for (index, need) in needs.enumerated() {
            let location = try need.naming(context).guarding { try context.reader.location(need.ref) }
            if location.pack == Location.journal {
                others.append(index)
            } else {
                located.append((location, index))
            }
        }
        located.sort { ($0.location.pack, $0.location.offset) < ($1.location.pack, $1.location.offset) }
        for (location, need) in located {
            let start = Int(location.offset)
            let end = start + Int(location.recordBytes)
            if var last = reads.last, last.pack == location.pack, start - last.bytes.upperBound <= Self.gapMaximum,
                end - last.bytes.lowerBound <= Self.readMaximum
            {
                last.bytes = last.bytes.lowerBound..<max(end, last.bytes.upperBound)
                last.records.append((location, need))
                reads[reads.count - 1] = last
            } else {
                reads.append(Read(pack: location.pack, bytes: start..<end, records: [(location, need)]))
            }
        }
        positions = [:]
    }
}

extension RestoreWindow.Need {
    /// Has errors name a file that needs the record.
    func naming(_ context: ReadContext) -> ReadContext {
        places.first.map { context.naming($0.file.path) } ?? context
    }
}
