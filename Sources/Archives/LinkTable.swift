/// The symbolic links of a tree that is being written, checked together: one link may lead through another.
struct LinkTable {
    private static let slash = UInt8(ascii: "/")
    private static let maximumHops = 40

    /// Whether links may lead anywhere.
    private let isFree: Bool
    private var targets: [[UInt8]: [UInt8]] = [:]

    init(_ origin: ArchiveOrigin) { isFree = origin == .ownTree }

    var count: Int { targets.count }

    /// Links in tree order.
    var sorted: [(name: EntryName, target: [UInt8])] {
        names.map { ($0, targets[$0.bytes] ?? []) }.sorted { $0.0 < $1.0 }
    }

    private var names: [EntryName] = []

    /// Notes a link. Refuses empty targets and, unless links are free, absolute ones.
    mutating func add(_ name: EntryName, target: [UInt8]) throws(ArchiveError) {
        guard let first = target.first else { throw problem(name, target, "the target is empty") }
        guard isFree || first != Self.slash else { throw problem(name, target, "the target is absolute") }
        guard !target.contains(0), target.count < 4_096 else {
            throw problem(name, target, "the target is not a path")
        }
        guard targets.updateValue(target, forKey: name.bytes) == nil else {
            throw .duplicateName(name: name.description)
        }
        names.append(name)
    }

    /// Follows every link through all others; refuses the first that leaves the tree.
    func check() throws(ArchiveError) {
        if isFree { return }
        for name in names { try follow(name) }
    }

    private func follow(_ name: EntryName) throws(ArchiveError) {
        let target = targets[name.bytes] ?? []
        // Where we are, and the components still to walk, last first.
        var place = Array(name.components.dropLast().map(Array.init))
        var pending = Self.reversedComponents(of: target)
        var hops = 0
        while let component = pending.popLast() {
            if component == [UInt8(ascii: ".")] { continue }
            if component == [UInt8(ascii: "."), UInt8(ascii: ".")] {
                guard place.popLast() != nil else { throw problem(name, target, "it leads out of the tree") }
                continue
            }
            place.append(component)
            guard let next = targets[Array(place.joined(separator: [Self.slash]))] else { continue }
            hops += 1
            // A loop leads nowhere; opening it fails, and that harms nobody.
            guard hops <= Self.maximumHops else { return }
            place.removeLast()
            pending += Self.reversedComponents(of: next)
        }
    }

    private static func reversedComponents(of path: [UInt8]) -> [[UInt8]] {
        path.split(separator: slash).reversed().map(Array.init)
    }

    private func problem(_ name: EntryName, _ target: [UInt8], _ reason: String) -> ArchiveError {
        .unsafeLink(name: name.description, target: String(decoding: target, as: UTF8.self), reason: reason)
    }
}
