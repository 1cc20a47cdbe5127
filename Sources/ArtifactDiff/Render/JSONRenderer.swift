public import Foundation

/// Renders reports as JSON: one document, or one object a line.
public struct JSONRenderer: Sendable {
    /// A renderer.
    public init() {}

    /// The report as one document with sorted keys; `DiffReport` decodes it.
    public func render(_ report: DiffReport) throws -> Data {
        try encoder().encode(report)
    }

    /// The report as lines: `{"type":"diff",…}`, a `{"type":"change",…}` for each change, `{"type":"summary",…}`.
    public func renderLines(_ report: DiffReport) throws -> Data {
        let encoder = encoder()
        var data = try encoder.encode(Head(format: report.format, old: report.old, new: report.new))
        data.append(0x0A)
        for change in report.changes {
            data.append(try encoder.encode(Line(change: change)))
            data.append(0x0A)
        }
        data.append(
            try encoder.encode(
                Tail(
                    summary: report.summary, directoryRenames: report.directoryRenames, notices: report.notices,
                    equal: report.isEqual)))
        data.append(0x0A)
        return data
    }

    /// Reads a report back.
    public static func decode(_ data: Data) throws -> DiffReport {
        try JSONDecoder().decode(DiffReport.self, from: data)
    }

    private func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private struct Head: Encodable {
        var type = "diff"
        var format: Int
        var old: String
        var new: String
    }

    private struct Line: Encodable {
        var type = "change"
        var change: Change
    }

    private struct Tail: Encodable {
        var type = "summary"
        var summary: DiffReport.Summary
        var directoryRenames: [DiffReport.DirectoryRename]
        var notices: [String]
        var equal: Bool
    }
}
