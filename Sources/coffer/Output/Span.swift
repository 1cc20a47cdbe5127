import ArgumentParser

/// A length of time on the command line: a number and `s`, `m`, `h`, `d` or `w`.
struct Span: ExpressibleByArgument {
    let seconds: Int

    private static let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]

    init?(argument: String) {
        guard let unit = argument.last.flatMap({ Self.units[$0] }), let count = Int(argument.dropLast()), count > 0
        else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        seconds = product
    }

    /// The same for people, in the largest unit that fits exactly.
    static func text(_ seconds: Int) -> String {
        let fitting = units.filter { seconds % $0.value == 0 }.max { $0.value < $1.value }
        return fitting.map { "\(seconds / $0.value)\($0.key)" } ?? "\(seconds)s"
    }
}
