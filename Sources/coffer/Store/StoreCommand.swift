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
    ///
    /// - Parameter flags: what else JSON says.
    func figures(_ figures: Figures, flags: [String: Bool] = [:]) throws {
        switch format {
        case .json, .jsonl:
            var values = Dictionary(figures.figures.map { ($0.name, Value($0)) }) { $1 }
            for (name, flag) in flags { values[name] = Value(flag) }
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

    /// A number, a text or a truth value, as JSON has them.
    private enum Value: Encodable {
        case figure(Figures.Figure)
        case flag(Bool)

        init(_ figure: Figures.Figure) { self = .figure(figure) }
        init(_ flag: Bool) { self = .flag(flag) }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .figure(let figure):
                if let text = figure.text { try container.encode(text) } else { try container.encode(figure.value) }
            case .flag(let flag): try container.encode(flag)
            }
        }
    }
}
