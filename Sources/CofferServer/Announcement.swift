public import Foundation
import SystemPackage

/// What a server tells other programs of the same machine about itself, in `server.json` of its data directory.
/// The file stays behind when the server stops; the lock says whether one is running.
public struct Announcement: Codable, Sendable {
    /// Base URL, such as `http://127.0.0.1:8080`.
    public var endpoint: String
    /// Default region.
    public var region: String
    /// Account of the root access key.
    public var account: String
    /// Process number of the server.
    public var pid: Int32
    /// When it became ready.
    public var since: Date

    /// Reads a data directory's announcement; nil when no server has run there.
    public static func read(dataDirectory: String) throws -> Announcement? {
        guard let bytes = try DataDirectory.contents(of: FilePath(dataDirectory).appending("server.json")) else {
            return nil
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(Announcement.self, from: Data(bytes))
    }

    func write(to file: FilePath) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try DataDirectory.replace(file, with: Array(try encoder.encode(self)))
    }
}
