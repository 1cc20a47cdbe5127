import ArgumentParser
import Console

/// `coffer store …`.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The artifact store: figures, collection, checks, re-encryption.",
        subcommands: [
            StoreStats.self, StoreUsage.self, StoreGC.self, StoreScrub.self, StoreCheck.self, StoreReencrypt.self,
            StoreJobCommand.self,
        ])
}

extension OutputOptions {
    /// Writes figures, one a line.
    func figures(_ figures: Figures) throws {
        switch format {
        case .json, .jsonl:
            let values = Dictionary(figures.figures.map { ($0.name, Value($0)) }) { $1 }
            try one(values) { [] }
        case .plain:
            for figure in figures.figures { Out.line("\(figure.name)\t\(figure.text ?? "\(figure.value)")") }
        case .table:
            Table(
                ["WHAT", ""],
                figures.figures.map {
                    [$0.name, $0.text ?? ($0.unit == "bytes" ? Say.bytes($0.value) : "\($0.value)")]
                }
            )
            .write()
        }
    }

    /// A number or a text, as JSON has them.
    private struct Value: Encodable {
        let figure: Figures.Figure

        init(_ figure: Figures.Figure) { self.figure = figure }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if let text = figure.text { try container.encode(text) } else { try container.encode(figure.value) }
        }
    }
}
