import ArgumentParser
import CofferServer
import KeyHierarchy

/// `coffer root status`.
struct RootStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the root key's slots. Works beside a running server.")

    @OptionGroup var data: DataOption
    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        struct Slot: Encodable {
            var label: String
            var type: String
            var detail: String
        }
        var instance: String
        var generation: UInt32
        var slots: [Slot]
        var rotationUnfinished: Bool
        var keyFileBesideData: Bool
    }

    func run() async throws {
        let location = OfflineKeys.location(data.data)
        let status = try await RootFailure.explaining { try Root.status(location) }
        let answer = Answer(
            instance: status.instance, generation: status.generation,
            slots: status.slots.map { .init(label: $0.label, type: $0.type, detail: $0.detail) },
            rotationUnfinished: status.rotationUnfinished,
            keyFileBesideData: status.slots.contains { $0.type == "file" && $0.detail.hasPrefix(location.directory) })
        try output.one(answer) {
            var lines = ["instance \(answer.instance), generation \(answer.generation)"]
            lines += answer.slots.map { "slot \($0.label): \($0.type), \($0.detail)" }
            if answer.rotationUnfinished { lines.append("a rotation is unfinished; the next start finishes it") }
            return lines
        }
        if answer.keyFileBesideData {
            Talk.line(
                "coffer: a key file lies in the data directory; whoever copies that copies both. Move it elsewhere.")
        }
    }
}
