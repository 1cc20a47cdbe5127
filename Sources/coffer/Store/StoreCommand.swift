import ArgumentParser
import Console

/// `coffer store …`.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The artifact store: figures, collection, checks.",
        subcommands: [StoreStats.self, StoreUsage.self, StoreGC.self, StoreScrub.self, StoreCheck.self])
}

extension OutputOptions {
    /// Writes figures, one a line.
    func figures(_ figures: Figures) throws {
        switch format {
        case .json, .jsonl:
            let values = Dictionary(figures.figures.map { ($0.name, $0.value) }) { $1 }
            try one(values) { [] }
        case .plain: for figure in figures.figures { Out.line("\(figure.name)\t\(figure.value)") }
        case .table:
            Table(
                ["WHAT", ""],
                figures.figures.map { [$0.name, $0.unit == "bytes" ? Say.bytes($0.value) : "\($0.value)"] }
            )
            .write()
        }
    }
}
