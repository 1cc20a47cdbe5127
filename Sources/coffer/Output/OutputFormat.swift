import ArgumentParser
import Console
import Foundation

/// How data is written to standard output.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    /// Columns for people, with a heading.
    case table
    /// One JSON document.
    case json
    /// One JSON object a line.
    case jsonl
    /// Columns separated by tabs, without a heading, for `cut` and `awk`.
    case plain
}

/// The options that every command with an answer takes.
struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: "table, json, jsonl or plain. Default: table on a terminal, plain otherwise.")
    var chosen: OutputFormat?

    var format: OutputFormat { chosen ?? (Out.isTerminal ? .table : .plain) }

    /// Writes a list: each value with the columns that `cells` makes of it.
    func list<Value: Encodable>(_ values: [Value], _ headings: [String], _ cells: (Value) -> [String]) throws {
        switch format {
        case .json: try Out.write(JSON.pretty(values) + [10])
        case .jsonl: for value in values { try Out.write(JSON.compact(value) + [10]) }
        case .plain: for value in values { Out.line(cells(value).map(plainCell).joined(separator: "\t")) }
        case .table: Table(headings, values.map(cells)).write()
        }
    }

    /// Writes one value: as JSON, or as what `lines` makes of it.
    func one<Value: Encodable>(_ value: Value, _ lines: () -> [String]) throws {
        switch format {
        case .json: try Out.write(JSON.pretty(value) + [10])
        case .jsonl: try Out.write(JSON.compact(value) + [10])
        case .plain, .table: for line in lines() { Out.line(line) }
        }
    }

    private func plainCell(_ cell: String) -> String {
        cell.replacing("\t", with: " ").replacing("\n", with: " ")
    }
}

/// Columns for people.
struct Table {
    private let headings: [String]
    private let rows: [[String]]

    init(_ headings: [String], _ rows: [[String]]) {
        self.headings = headings
        self.rows = rows
    }

    func write() {
        guard !rows.isEmpty else { return }
        var widths = headings.map(\.count)
        for row in rows {
            for (column, cell) in row.enumerated() where column < widths.count {
                widths[column] = max(widths[column], cell.count)
            }
        }
        Out.line(Paint.dim(line(headings, widths)))
        for row in rows { Out.line(line(row, widths, painted: true)) }
    }

    private func line(_ cells: [String], _ widths: [Int], painted: Bool = false) -> String {
        var text = ""
        for (column, cell) in cells.enumerated() {
            let one = cell.replacing("\n", with: " ")
            text += painted ? Paint.status(one) : one
            if column < cells.count - 1 {
                text += String(repeating: " ", count: max(0, widths[column] - one.count) + 2)
            }
        }
        return text
    }
}

/// Sizes and times for people.
enum Say {
    /// `1.5 MiB`; exact below a kibibyte.
    static func bytes(_ count: Int64) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
        if abs(count) < 1024 { return "\(count) B" }
        var value = Double(count)
        var unit = -1
        while abs(value) >= 1024 && unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return String(format: value < 10 ? "%.2f %@" : "%.1f %@", value, units[unit])
    }

    /// Who did something, without what all names have in common: `root`, `user/mara`, `assumed-role/ci/build`.
    static func who(_ arn: String) -> String {
        guard arn.hasPrefix("arn:"), let resource = arn.split(separator: ":", maxSplits: 5).dropFirst(4).last else {
            return arn
        }
        return resource.split(separator: ":").last.map(String.init) ?? arn
    }

    /// `2m 03s`.
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.down))
        if whole < 10 { return String(format: "%.1fs", max(0, seconds)) }
        if whole < 60 { return "\(whole)s" }
        if whole < 3600 { return String(format: "%dm %02ds", whole / 60, whole % 60) }
        return String(format: "%dh %02dm", whole / 3600, whole % 3600 / 60)
    }

    /// `2026-01-31 13:05:09` in local time.
    static func time(_ date: Date?) -> String {
        guard let date else { return "-" }
        var seconds = time_t(date.timeIntervalSince1970)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return String(
            format: "%04d-%02d-%02d %02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
            parts.tm_hour, parts.tm_min, parts.tm_sec)
    }
}
