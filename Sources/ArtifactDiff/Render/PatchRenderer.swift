import Cryptography

/// Renders a report made with `DiffOptions.Detail.patch` as a patch that `git apply` accepts.
///
/// Text as unified hunks, other content as git's literal binary patches, links, modes and renames in extended headers.
/// What the report left out (too large, out of budget) becomes a comment line starting with `#`, which git skips.
public struct PatchRenderer: Sendable {
    /// A renderer.
    public init() {}

    /// The whole patch as bytes; names and lines need not be UTF-8.
    public func render(_ report: DiffReport) throws -> [UInt8] {
        var output: [UInt8] = []
        for change in report.changes { try append(change, to: &output) }
        for notice in report.notices { append("# \(Self.oneLine(notice))", to: &output) }
        return output
    }

    /// The part of the patch for one change.
    public func append(_ change: Change, to output: inout [UInt8]) throws {
        switch change.status {
        case .kindChanged:
            // Git knows no such thing: one goes, the other comes.
            try appendSide(change, change.old, added: false, to: &output)
            try appendSide(change, change.new, added: true, to: &output)
        case .removed: try appendSide(change, change.old, added: false, to: &output)
        case .added: try appendSide(change, change.new, added: true, to: &output)
        case .changed, .modeChanged, .renamed: try appendPair(change, to: &output)
        }
    }

    // MARK: Sections

    private func appendPair(_ change: Change, to output: inout [UInt8]) throws {
        guard let old = change.old, let new = change.new, old.kind != .directory else { return }
        let newPath = Self.path(change)
        let oldPath = change.rawOldPath.flatMap { Hex.decode($0) } ?? change.oldPath.map { Array($0.utf8) } ?? newPath
        var section: [UInt8] = []
        append("diff --git \(Self.quoted("a/", oldPath)) \(Self.quoted("b/", newPath))", to: &section)
        let (oldMode, newMode) = (Self.mode(old), Self.mode(new))
        if oldMode != newMode {
            append("old mode \(oldMode)", to: &section)
            append("new mode \(newMode)", to: &section)
        }
        if change.status == .renamed {
            append("similarity index \(change.similarity ?? 100)%", to: &section)
            append("rename from \(Self.quoted("", oldPath))", to: &section)
            append("rename to \(Self.quoted("", newPath))", to: &section)
        }
        let headerBytes = section.count
        if old.kind == .symlink {
            if old.linkTarget != new.linkTarget {
                appendLink(old, new, oldPath, newPath, to: &section)
            }
        } else if let content = change.content {
            guard try appendContent(content, from: Self.quoted("a/", oldPath), to: Self.quoted("b/", newPath), &section)
            else {
                append("# \(Self.oneLine(change.path)): content not shown", to: &output)
                return
            }
        } else if change.status == .changed {
            append("# \(Self.oneLine(change.path)): content not shown", to: &output)
            return
        }
        // Modes git does not keep, such as group write, leave nothing to say.
        if section.count > headerBytes || oldMode != newMode || change.status == .renamed { output += section }
    }

    private func appendSide(_ change: Change, _ side: ChangeSide?, added: Bool, to output: inout [UInt8]) throws {
        // Git keeps no directories.
        guard let side, side.kind != .directory else { return }
        let path = Self.path(change)
        var section: [UInt8] = []
        append("diff --git \(Self.quoted("a/", path)) \(Self.quoted("b/", path))", to: &section)
        append("\(added ? "new file" : "deleted file") mode \(Self.mode(side))", to: &section)
        let from = added ? "/dev/null" : Self.quoted("a/", path)
        let to = added ? Self.quoted("b/", path) : "/dev/null"
        if side.kind == .symlink {
            appendLink(added ? nil : side, added ? side : nil, path, path, to: &section)
        } else if side.size > 0 {
            guard let content = change.content, try appendContent(content, from: from, to: to, &section) else {
                append("# \(Self.oneLine(change.path)): content not shown", to: &output)
                return
            }
        }
        output += section
    }

    /// Appends hunks or a binary patch; false where the report does not hold what a patch needs.
    private func appendContent(
        _ content: ContentChange, from: String, to: String, _ section: inout [UInt8]
    ) throws -> Bool {
        switch content {
        case .text(let diff):
            guard !diff.hunks.isEmpty else { return false }
            append("--- \(from)\(from.contains(" ") && !from.hasPrefix("\"") ? "\t" : "")", to: &section)
            append("+++ \(to)\(to.contains(" ") && !to.hasPrefix("\"") ? "\t" : "")", to: &section)
            for hunk in diff.hunks { append(hunk, to: &section) }
            return true
        case .binary(let diff):
            guard let old = diff.oldBytes?.bytes, let new = diff.newBytes?.bytes else { return false }
            let oldID = from == "/dev/null" ? Self.noObject : Self.blobID(old)
            let newID = to == "/dev/null" ? Self.noObject : Self.blobID(new)
            append("index \(oldID)..\(newID)", to: &section)
            append("GIT binary patch", to: &section)
            try GitBinary.appendLiteral(new, to: &section)
            try GitBinary.appendLiteral(old, to: &section)
            return true
        case .archive, .omitted: return false
        }
    }

    private func append(_ hunk: TextDiff.Hunk, to output: inout [UInt8]) {
        append("@@ -\(hunk.oldStart),\(hunk.oldCount) +\(hunk.newStart),\(hunk.newCount) @@", to: &output)
        for line in hunk.lines {
            switch line.kind {
            case .context: output.append(UInt8(ascii: " "))
            case .added: output.append(UInt8(ascii: "+"))
            case .removed: output.append(UInt8(ascii: "-"))
            }
            output += line.text.bytes
            output.append(0x0A)
            if line.lacksNewline { append("\\ No newline at end of file", to: &output) }
        }
    }

    /// A link is a file whose content is its target, without a line feed.
    private func appendLink(
        _ old: ChangeSide?, _ new: ChangeSide?, _ oldPath: [UInt8], _ newPath: [UInt8], to output: inout [UInt8]
    ) {
        append("--- \(old == nil ? "/dev/null" : Self.quoted("a/", oldPath))", to: &output)
        append("+++ \(new == nil ? "/dev/null" : Self.quoted("b/", newPath))", to: &output)
        append("@@ -\(old == nil ? "0,0" : "1") +\(new == nil ? "0,0" : "1") @@", to: &output)
        for (sign, side) in [("-", old), ("+", new)] {
            guard let side else { continue }
            append("\(sign)\(side.linkTarget ?? "")", to: &output)
            append("\\ No newline at end of file", to: &output)
        }
    }

    private func append(_ line: String, to output: inout [UInt8]) {
        output += line.utf8
        output.append(0x0A)
    }

    // MARK: Names and ids

    private static let noObject = String(repeating: "0", count: 40)

    /// Git's name of a file's content: SHA-1 over a header and the bytes.
    private static func blobID(_ bytes: [UInt8]) -> String {
        var hash = SHA1()
        hash.update(Array("blob \(bytes.count)\0".utf8))
        hash.update(bytes)
        return Hex.encode(hash.finish())
    }

    private static func mode(_ side: ChangeSide) -> String {
        if side.kind == .symlink { return "120000" }
        return side.mode & 0o100 != 0 ? "100755" : "100644"
    }

    private static func path(_ change: Change) -> [UInt8] {
        change.rawPath.flatMap { Hex.decode($0) } ?? Array(change.path.utf8)
    }

    /// A path as git writes it: in quotes with octal escapes where it has unusual bytes.
    static func quoted(_ prefix: String, _ path: [UInt8]) -> String {
        let isPlain = path.allSatisfy {
            $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        if isPlain { return prefix + String(decoding: path, as: UTF8.self) }
        var result = "\"" + prefix
        for byte in path {
            switch byte {
            case UInt8(ascii: "\""): result += "\\\""
            case UInt8(ascii: "\\"): result += "\\\\"
            case 0x09: result += "\\t"
            case 0x0A: result += "\\n"
            case 0x20..<0x7F: result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let octal = String(byte, radix: 8)
                result += "\\" + String(repeating: "0", count: 3 - octal.count) + octal
            }
        }
        return result + "\""
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
