import ArgumentParser
import AsyncHTTPClient

@main
struct Coffer: AsyncParsableCommand {
    mutating func run() async throws {}
}
