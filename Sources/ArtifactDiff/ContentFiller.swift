/// Reads the content of drafts and compares it, several at a time, delivering in order.
struct ContentFiller: Sendable {
    let old: any TreeSource
    let new: any TreeSource
    let options: DiffOptions
    let comparer: ContentComparer
    let context: ContentComparer.Context

    /// The changes with their content, and what limits cut short.
    func fill(_ drafts: [Draft]) async throws -> (changes: [Change], notices: [String]) {
        guard options.detail != .names else { return (drafts.map(\.change), []) }
        var budget = OutputBudget(bytes: options.outputBytes)
        var finished: [Int: (change: Change, notices: [String])] = [:]
        var changes: [Change] = []
        changes.reserveCapacity(drafts.count)
        var notices: [String] = []
        try await withThrowingTaskGroup(of: (Int, Change, [String]).self) { group in
            var started = 0
            while changes.count < drafts.count {
                // Changes that finished ahead of their turn wait, so the window bounds memory as well as work.
                while started < drafts.count, started < changes.count + max(options.concurrency, 1) {
                    let (index, draft) = (started, drafts[started])
                    group.addTask {
                        let (change, notices) = try await fill(draft)
                        return (index, change, notices)
                    }
                    started += 1
                }
                guard let (index, change, remarks) = try await group.next() else { break }
                finished[index] = (change, remarks)
                while let next = finished.removeValue(forKey: changes.count) {
                    changes.append(budget.charge(next.change))
                    notices += next.notices
                }
            }
        }
        if budget.isExhausted {
            notices.append("content beyond \(options.outputBytes) bytes of output is given in counts only")
        }
        return (changes, notices)
    }

    private func fill(_ draft: Draft) async throws -> (Change, [String]) {
        var change = draft.change
        do {
            switch (draft.old, draft.new, change.status) {
            case _ where change.content != nil: break
            case (let old?, let new?, .changed), (let old?, let new?, .renamed):
                guard change.status == .changed || change.similarity != 100, old.node.kind == .file else { break }
                return try await compare(old, new, change)
            case (let gone?, let come, _) where options.detail == .patch && gone.node.kind == .file:
                // Where a file became something else, or the reverse, only one side has content.
                guard come == nil || change.status == .kindChanged else { break }
                change.content = try await whole(gone, from: self.old, added: false)
            case (_, let come?, .added) where options.detail == .patch,
                (_, let come?, .kindChanged) where options.detail == .patch:
                change.content = try await whole(come, from: self.new, added: true)
            default: break
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            change.content = .omitted(reason: "it could not be read: \(error)")
            return (change, ["\(change.path): \(error)"])
        }
        return (change, [])
    }

    private func compare(_ old: PathNode, _ new: PathNode, _ change: Change) async throws -> (Change, [String]) {
        var change = change
        let largest = max(old.node.size, new.node.size)
        guard largest <= Int64(options.fileBytes) else {
            change.content = .omitted(reason: "it is larger than \(options.fileBytes) bytes")
            return (change, [])
        }
        if let deadline = comparer.deadline, options.now() >= deadline {
            change.content = .omitted(reason: "the time limit was reached")
            return (change, ["\(change.path): not compared, because the time limit was reached"])
        }
        let oldBytes = try await self.old.read(old.path)
        let newBytes = try await self.new.read(new.path)
        let keepsMode = change.classes.contains(.mode)
        if oldBytes == newBytes {
            change.classes = keepsMode ? [.mode] : []
            if change.status == .renamed { change.similarity = 100 }
            return (change, [])
        }
        let comparison = await Offload.run { [comparer, context] in
            comparer.compare(old: oldBytes, new: newBytes, path: new.path, context: context)
        }
        change.classes = comparison.classes.union(keepsMode ? [.mode] : []).sorted()
        change.content = comparison.content
        return (change, comparison.notices.map { "\(change.path): \($0)" })
    }

    /// The whole content of a file that only one side has.
    private func whole(_ entry: PathNode, from source: any TreeSource, added: Bool) async throws -> ContentChange? {
        guard entry.node.kind == .file else { return nil }
        guard entry.node.size <= Int64(options.fileBytes) else {
            return .omitted(reason: "it is larger than \(options.fileBytes) bytes")
        }
        let bytes = try await source.read(entry.path)
        let options = options
        return await Offload.run {
            if TextComparer.isText(bytes) {
                return .text(TextComparer(options: options).whole(bytes, added: added))
            }
            return .binary(
                BinaryDiff(
                    format: BinaryComparer.format(of: bytes), commonPrefix: 0, commonSuffix: 0,
                    differingBytes: Int64(bytes.count), parts: nil, oldBytes: added ? DiffText([]) : DiffText(bytes),
                    newBytes: added ? DiffText(bytes) : DiffText([])))
        }
    }
}

/// Bounds the content of a report.
struct OutputBudget {
    private var left: Int
    private(set) var isExhausted = false

    init(bytes: Int) { left = bytes }

    /// The change, without its lines and bytes where the budget is used up.
    mutating func charge(_ change: Change) -> Change {
        guard let content = change.content else { return change }
        let cost = Self.cost(content)
        if cost <= left {
            left -= cost
            return change
        }
        isExhausted = true
        var change = change
        change.content = Self.reduced(content)
        return change
    }

    private static func cost(_ content: ContentChange) -> Int {
        switch content {
        case .text(let diff): diff.hunks.reduce(0) { $0 + $1.lines.reduce(0) { $0 + $1.text.bytes.count + 16 } }
        case .binary(let diff): (diff.oldBytes?.bytes.count ?? 0) + (diff.newBytes?.bytes.count ?? 0)
        case .archive(let diff): diff.changes.reduce(0) { $0 + 64 + ($1.content.map(cost) ?? 0) }
        case .omitted: 0
        }
    }

    private static func reduced(_ content: ContentChange) -> ContentChange {
        switch content {
        case .text(var diff):
            diff.hunks = []
            return .text(diff)
        case .binary(var diff):
            diff.oldBytes = nil
            diff.newBytes = nil
            return .binary(diff)
        case .archive(var diff):
            for index in diff.changes.indices { diff.changes[index].content = diff.changes[index].content.map(reduced) }
            return .archive(diff)
        case .omitted: return content
        }
    }
}
