/// What was named in an upload, what of it is lacking, and what was received. Decides; stores nothing.
///
/// Each entry that waits for content is a value, so a sender that sends what is asked for before it names more keeps this
/// small. What was received stays, encoded.
struct UploadLedger {
    /// Entries named since the last restart.
    private(set) var entryCount = 0
    /// Entries that wait for content, by its name.
    private var waiting: [ContentName: [UploadEntry]] = [:]
    /// The names of needed contents by the number under which they were asked for.
    private var needed: [Int: ContentName] = [:]
    private var similar: [Int: UploadBasis.Found] = [:]
    private var received = ContentTable()

    /// Forgets which entries were named; keeps what was received.
    mutating func restart() {
        entryCount = 0
        waiting = [:]
        needed = [:]
        similar = [:]
    }

    /// The number of the next entry.
    mutating func number() -> Int {
        defer { entryCount += 1 }
        return entryCount
    }

    /// What this upload has received.
    func content(_ name: ContentName) throws -> FileContent? { try received[name] }

    /// Has an entry wait for its content. Returns whether that must be asked for: it is not when another waits for it too.
    mutating func wait(_ entry: UploadEntry, for name: ContentName, as index: Int) -> Bool {
        waiting[name, default: []].append(entry)
        guard waiting[name]?.count == 1 else { return false }
        needed[index] = name
        return true
    }

    /// Notes what a needed content may be compared with.
    mutating func compare(_ index: Int, with earlier: UploadBasis.Found) { similar[index] = earlier }

    /// What a needed content may be compared with.
    func earlier(of index: Int) -> UploadBasis.Found? { similar[index] }

    /// The content that was asked for under a number. Throws `StoreError` when none was.
    func name(_ index: Int) throws -> ContentName {
        guard let name = needed[index] else {
            throw StoreError.invalid("nobody asked for the content of entry \(index)")
        }
        return name
    }

    /// The entries that a content completes. Throws `StoreError` when it is not the one that was announced.
    func entries(awaiting index: Int, _ content: FileContent) throws -> [UploadEntry] {
        let name = try name(index)
        guard content.name == name else {
            throw StoreError(.conflict, "entry \(index) is not what was announced: it changed while it was sent")
        }
        return waiting[name] ?? []
    }

    /// Nothing waits for a content any more: it was received.
    mutating func complete(_ index: Int, _ content: FileContent) throws {
        waiting[try name(index)] = nil
        needed[index] = nil
        similar[index] = nil
        received.insert(content)
    }

    /// Files of which the content is lacking.
    var lackingCount: Int { waiting.values.reduce(0) { $0 + $1.count } }

    /// What must be sent still.
    var needs: UploadNeeds {
        var needs = UploadNeeds()
        needs.files = needed.keys.sorted()
        needs.similar = similar.keys.sorted()
        return needs
    }
}
