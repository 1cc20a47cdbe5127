import Cryptography

/// Contents by name, encoded: a million small ones take some tens of megabytes.
struct ContentTable: Sendable {
    /// The entry of a name's first eight bytes. Two contents that share them push each other out, which costs whoever goes to
    /// the trouble of making them a second sending.
    private var numbers: [UInt64: UInt32] = [:]
    private var entries = PackedEntries()

    /// Contents so far.
    var count: Int { numbers.count }

    /// The content of a name, if it is there.
    subscript(_ name: ContentName) -> FileContent? {
        get throws {
            guard let number = numbers[name.key],
                case .file(let content) = try entries.entry(Int(number)).content, content.isNamed(name)
            else { return nil }
            return content
        }
    }

    /// Remembers a content by its own name.
    mutating func insert(_ content: FileContent) {
        let number = entries.append(TreeEntry(name: [], mode: 0, content: .file(content)))
        if let old = numbers.updateValue(UInt32(number), forKey: content.name.key) { entries.remove(Int(old)) }
    }
}

extension ContentName {
    fileprivate var key: UInt64 {
        digest.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } ^ UInt64(bitPattern: byteCount)
    }
}
