/// Compares texts line by line and tells layout from content.
struct TextComparer {
    let options: DiffOptions

    /// Whether content is text: like git, no NUL among the first 8,000 bytes.
    static func isText(_ bytes: [UInt8]) -> Bool {
        !bytes.prefix(8_000).contains(0)
    }

    /// The difference of two texts that are known to differ, and its classes.
    func compare(old: [UInt8], new: [UInt8], path: [UInt8]) -> (classes: Set<ChangeClass>, diff: TextDiff) {
        let table = LineTable(old: old, new: new)
        var matcher = SequenceMatcher(
            table.old.ids, table.new.ids, distinct: table.distinct, budget: options.textSteps)
        let blocks = matcher.match()
        let gaps = Self.gaps(blocks, oldCount: table.old.ids.count, newCount: table.new.ids.count)
        var diff = TextDiff(addedLines: 0, removedLines: 0, isApproximate: matcher.isApproximate, hunks: [])
        for gap in gaps {
            diff.removedLines += gap.old.count
            diff.addedLines += gap.new.count
        }
        if options.detail == .lines || options.detail == .patch {
            let builder = HunkBuilder(old: old, new: new, table: table, context: options.contextLines)
            diff.hunks = builder.hunks(gaps)
        }
        let lines = Noise.ChangedLines(old: old, new: new, table: table, gaps: gaps)
        return (Noise.classes(of: lines), diff)
    }

    /// The whole of a text as added or removed lines, for patches that create or delete it.
    func whole(_ bytes: [UInt8], added: Bool) -> TextDiff {
        let table = LineTable(old: added ? [] : bytes, new: added ? bytes : [])
        let gaps = Self.gaps([], oldCount: table.old.ids.count, newCount: table.new.ids.count)
        let builder = HunkBuilder(
            old: added ? [] : bytes, new: added ? bytes : [], table: table, context: options.contextLines)
        return TextDiff(
            addedLines: table.new.ids.count, removedLines: table.old.ids.count, isApproximate: false,
            hunks: builder.hunks(gaps))
    }

    /// Lines of both sides between matching runs.
    struct Gap: Hashable {
        var old: Range<Int>
        var new: Range<Int>
    }

    static func gaps(_ blocks: [SequenceMatcher.Block], oldCount: Int, newCount: Int) -> [Gap] {
        var result: [Gap] = []
        var (old, new) = (0, 0)
        for block in blocks {
            if block.old > old || block.new > new { result.append(Gap(old: old..<block.old, new: new..<block.new)) }
            old = block.old + block.count
            new = block.new + block.count
        }
        if old < oldCount || new < newCount { result.append(Gap(old: old..<oldCount, new: new..<newCount)) }
        return result
    }
}

/// Makes hunks of changed lines and their surroundings.
struct HunkBuilder {
    let old: [UInt8]
    let new: [UInt8]
    let table: LineTable
    let context: Int

    /// Hunks; changes closer than twice the context share one.
    func hunks(_ gaps: [TextComparer.Gap]) -> [TextDiff.Hunk] {
        var result: [TextDiff.Hunk] = []
        var group: [TextComparer.Gap] = []
        for gap in gaps {
            if let last = group.last, gap.old.lowerBound - last.old.upperBound > context * 2 {
                result.append(hunk(group))
                group = []
            }
            group.append(gap)
        }
        if !group.isEmpty { result.append(hunk(group)) }
        return result
    }

    private func hunk(_ gaps: [TextComparer.Gap]) -> TextDiff.Hunk {
        guard let first = gaps.first, let last = gaps.last else {
            return TextDiff.Hunk(oldStart: 0, oldCount: 0, newStart: 0, newCount: 0, lines: [])
        }
        let before = min(context, first.old.lowerBound)
        let after = min(context, table.old.ids.count - last.old.upperBound)
        let oldRange = (first.old.lowerBound - before)..<(last.old.upperBound + after)
        let newRange = (first.new.lowerBound - before)..<(last.new.upperBound + after)
        var lines: [TextDiff.Line] = []
        var position = oldRange.lowerBound
        for gap in gaps {
            lines += (position..<gap.old.lowerBound).map { line(.context, table.old.ranges[$0], of: old) }
            lines += gap.old.map { line(.removed, table.old.ranges[$0], of: old) }
            lines += gap.new.map { line(.added, table.new.ranges[$0], of: new) }
            position = gap.old.upperBound
        }
        lines += (position..<oldRange.upperBound).map { line(.context, table.old.ranges[$0], of: old) }
        // An empty range is named by the line before it, as in every unified diff.
        return TextDiff.Hunk(
            oldStart: oldRange.isEmpty ? oldRange.lowerBound : oldRange.lowerBound + 1, oldCount: oldRange.count,
            newStart: newRange.isEmpty ? newRange.lowerBound : newRange.lowerBound + 1, newCount: newRange.count,
            lines: lines)
    }

    private func line(_ kind: TextDiff.Line.Kind, _ range: Range<Int>, of bytes: [UInt8]) -> TextDiff.Line {
        let hasNewline = bytes[range.upperBound - 1] == 0x0A
        return TextDiff.Line(
            kind: kind, text: DiffText(bytes[range.lowerBound..<(range.upperBound - (hasNewline ? 1 : 0))]),
            lacksNewline: !hasNewline)
    }
}
