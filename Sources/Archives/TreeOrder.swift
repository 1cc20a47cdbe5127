/// Checks names that come in the order of a tree walk, as ``EntryName/checkTree(_:isDirectory:)`` checks names in any order,
/// but remembers only the last one: whatever lies below a name follows it immediately.
struct TreeOrder: Sendable {
    private var last: [UInt8] = []
    private var isLastDirectory = true

    /// Refuses duplicates, files or links that other names treat as directories, and names out of order.
    mutating func add(_ name: [UInt8], isDirectory: Bool) throws(ArchiveError) {
        if !last.isEmpty { try check(name) }
        last = name
        isLastDirectory = isDirectory
    }

    private func check(_ name: [UInt8]) throws(ArchiveError) {
        let slash = UInt8(ascii: "/")
        let shared = last.sharedPrefix(with: name)
        if shared == name.count {
            // The same name, or that of a directory of which something has come already.
            guard shared < last.count, last[shared] != slash else {
                throw .duplicateName(name: String(decoding: name, as: UTF8.self))
            }
            throw unordered(name)
        }
        if shared == last.count {
            guard isLastDirectory || name[shared] != slash else {
                throw .nameConflict(
                    name: String(decoding: last, as: UTF8.self), below: String(decoding: name, as: UTF8.self))
            }
            return
        }
        guard last[shared] == slash || (name[shared] != slash && last[shared] < name[shared]) else {
            throw unordered(name)
        }
    }

    private func unordered(_ name: [UInt8]) -> ArchiveError {
        .unsupported(
            .zip, member: String(decoding: name, as: UTF8.self),
            reason: "it follows '\(String(decoding: last, as: UTF8.self))', which is not the order of a tree")
    }
}

extension [UInt8] {
    /// How many bytes both begin with.
    func sharedPrefix(with other: [UInt8]) -> Int {
        let limit = Swift.min(count, other.count)
        var shared = 0
        while shared < limit, self[shared] == other[shared] { shared += 1 }
        return shared
    }
}
