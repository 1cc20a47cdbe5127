/// Renders a report for people: one line a path, with sizes and what changed, and a summary.
public struct TextRenderer: Sendable {
    /// Whether to use colours (ANSI escapes).
    public var usesColour: Bool
    /// Whether to list paths whose only difference is noise.
    public var showsNoise: Bool
    /// Whether to show changed lines below their file.
    public var showsLines: Bool
    /// Most paths listed; the rest is counted.
    public var limit: Int

    /// A renderer.
    public init(usesColour: Bool = false, showsNoise: Bool = false, showsLines: Bool = true, limit: Int = 10_000) {
        self.usesColour = usesColour
        self.showsNoise = showsNoise
        self.showsLines = showsLines
        self.limit = limit
    }

    /// The whole text, ending in a line feed.
    public func render(_ report: DiffReport) -> String {
        var lines = ["\(Self.safe(report.old)) → \(Self.safe(report.new))"]
        if report.isEqual {
            lines.append("equal")
        } else {
            let shown = report.changes.filter { showsNoise || !$0.isNoise }
            for change in shown.prefix(limit) { append(change, indent: 0, to: &lines) }
            if shown.count > limit { lines.append("… and \(shown.count - limit) more") }
            for rename in report.directoryRenames {
                lines.append(
                    paint("R ", .rename)
                        + "\(Self.safe(rename.from))/ → \(Self.safe(rename.to))/ (\(rename.files) files)")
            }
        }
        lines.append(Self.summary(report))
        for notice in report.notices { lines.append(paint("note: ", .note) + Self.safe(notice)) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One line that says it all: `7 changed, 6 renamed, 827 gzip header only`.
    public static func summary(_ report: DiffReport) -> String {
        let summary = report.summary
        var parts: [String] = []
        func add(_ count: Int, _ word: String) { if count > 0 { parts.append("\(count) \(word)") } }
        add(summary.changed, "changed")
        add(summary.added, "added")
        add(summary.removed, "removed")
        add(summary.renamed, "renamed")
        add(summary.kindChanged, "of another kind")
        add(summary.modeChanged, "mode only")
        // Paths with several classes of noise count in each, so the classes are listed behind their total.
        if summary.noise.count == 1, let (kind, count) = summary.noise.first {
            add(count, "\(phrase(kind)) only")
        } else if summary.noiseOnly > 0 {
            let kinds = summary.noise.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            parts.append(
                "\(summary.noiseOnly) noise only ("
                    + kinds.map { "\($0.value) \(phrase($0.key))" }.joined(separator: ", ") + ")")
        }
        if parts.isEmpty { parts.append("no differences") }
        let delta = summary.sizeDelta
        return parts.joined(separator: ", ") + (delta == 0 ? "" : "; \(delta > 0 ? "+" : "−")\(size(delta.magnitude))")
    }

    // MARK: Lines

    private func append(_ change: Change, indent: Int, to lines: inout [String]) {
        let margin = String(repeating: "  ", count: indent)
        var text = margin + marker(change) + " "
        if let old = change.oldPath { text += Self.safe(old) + " → " }
        text += Self.safe(change.path)
        if (change.new ?? change.old)?.kind == .directory { text += "/" }
        let remarks = remarks(change)
        if !remarks.isEmpty { text += "  " + paint("(" + remarks.joined(separator: ", ") + ")", .dim) }
        lines.append(text)
        switch change.content {
        case .text(let diff) where showsLines:
            for hunk in diff.hunks { append(hunk, margin: margin + "    ", to: &lines) }
        case .archive(let archive):
            for member in archive.changes where showsNoise || !member.isNoise {
                append(member, indent: indent + 1, to: &lines)
            }
        default: break
        }
    }

    private func append(_ hunk: TextDiff.Hunk, margin: String, to lines: inout [String]) {
        lines.append(
            margin + paint("@@ -\(hunk.oldStart),\(hunk.oldCount) +\(hunk.newStart),\(hunk.newCount) @@", .note))
        for line in hunk.lines {
            let text = Self.safe(line.text.string)
            switch line.kind {
            case .context: lines.append(margin + " " + text)
            case .added: lines.append(margin + paint("+" + text, .added))
            case .removed: lines.append(margin + paint("-" + text, .removed))
            }
        }
    }

    private func marker(_ change: Change) -> String {
        switch change.status {
        case .added: paint("A", .added)
        case .removed: paint("D", .removed)
        case .changed: change.isNoise ? paint("~", .dim) : paint("M", .changed)
        case .modeChanged: paint("m", .changed)
        case .kindChanged: paint("T", .changed)
        case .renamed: paint("R", .rename)
        }
    }

    private func remarks(_ change: Change) -> [String] {
        var remarks: [String] = []
        switch (change.old, change.new) {
        case (let old?, let new?):
            if old.kind != new.kind { remarks.append("\(old.kind.rawValue) → \(new.kind.rawValue)") }
            if old.size != new.size {
                let delta = new.size - old.size
                remarks.append(
                    "\(Self.size(new.size.magnitude)), \(delta > 0 ? "+" : "−")\(Self.size(delta.magnitude))")
            } else if new.kind == .file {
                remarks.append(Self.size(new.size.magnitude))
            }
            if change.classes.contains(.mode) || change.status == .modeChanged {
                remarks.append("mode \(String(old.mode, radix: 8)) → \(String(new.mode, radix: 8))")
            }
            if let from = old.linkTarget, let to = new.linkTarget, from != to {
                remarks.append("\(Self.safe(from)) → \(Self.safe(to))")
            }
        case (let only?, nil), (nil, let only?):
            if only.kind == .file { remarks.append(Self.size(only.size.magnitude)) }
            if let target = only.linkTarget { remarks.append("→ \(Self.safe(target))") }
        case (nil, nil): break
        }
        if let similarity = change.similarity, similarity < 100 { remarks.append("\(similarity) % the same") }
        let other = change.classes.filter { $0 != .content && $0 != .mode }
        remarks += other.map { Self.phrase($0.rawValue) }
        return remarks + contentRemarks(change.content)
    }

    private func contentRemarks(_ content: ContentChange?) -> [String] {
        switch content {
        case .text(let diff):
            return ["+\(diff.addedLines) −\(diff.removedLines) lines" + (diff.isApproximate ? ", approximate" : "")]
        case .binary(let diff):
            var remarks = ["\(diff.format.map { $0 + ", " } ?? "")\(Self.size(diff.differingBytes.magnitude)) differ"]
            if let parts = diff.parts, !parts.isEmpty {
                remarks.append(parts.prefix(6).joined(separator: " ") + (parts.count > 6 ? " …" : ""))
            }
            return remarks
        case .archive(let diff):
            return [diff.formats.joined(separator: "/"), "\(diff.identicalMembers) members equal"]
        case .omitted(let reason): return ["not compared: \(reason)"]
        case nil: return []
        }
    }

    private static func phrase(_ kind: String) -> String {
        switch ChangeClass(rawValue: kind) {
        case .gzipHeader: "gzip header"
        case .archiveTimes: "archive times"
        case .entryOrder: "entry order"
        case .archiveMetadata: "archive metadata"
        case .pycHeader: "pyc header"
        case .lineEndings: "line endings"
        case .buildID: "build id"
        default: kind
        }
    }

    // MARK: Form

    private enum Colour: String {
        case added = "32"
        case removed = "31"
        case changed = "33"
        case rename = "36"
        case note = "35"
        case dim = "2"
    }

    private func paint(_ text: String, _ colour: Colour) -> String {
        usesColour ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Bytes in a form for people, in units of 1,024.
    static func size(_ bytes: UInt64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = bytes
        var rest: UInt64 = 0
        var unit = 0
        while value >= 1_024, unit + 1 < units.count {
            rest = value % 1_024
            value /= 1_024
            unit += 1
        }
        let tenths = rest * 10 / 1_024
        return unit > 0 && value < 10 ? "\(value).\(tenths) \(units[unit])" : "\(value) \(units[unit])"
    }

    /// Text from artifacts without control characters, which could take over a terminal.
    static func safe(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "\t" || !isControl(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        // Controls of ASCII and Latin-1, and marks that reverse the direction of text.
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
            || (0x2066...0x2069).contains(scalar.value)
    }
}
