import Foundation
import Testing

@testable import ActionProviders

/// A directory that is gone when the test is over.
final class Scratch: Sendable {
    let path: String

    init() throws {
        // The real path: on some systems the temporary directory is behind a link.
        let base = realPath(FileManager.default.temporaryDirectory.path) ?? "/tmp"
        path = base + "/coffer-test-\(UUID().uuidString.lowercased())"
        try makeDirectory(path, mode: 0o700)
    }

    deinit { removeTree(path) }

    /// Writes text files below `directory`, making directories as needed.
    static func write(_ files: [String: String], below directory: String) throws {
        for (name, text) in files {
            let file = "\(directory)/\(name)"
            try FileManager.default.createDirectory(
                atPath: PathText.parent(file), withIntermediateDirectories: true)
            try text.write(toFile: file, atomically: false, encoding: .utf8)
        }
    }

    /// All files below `directory` with their text; links as `-> target`.
    static func read(_ directory: String) throws -> [String: String] {
        var result: [String: String] = [:]
        guard let walk = FileManager.default.enumerator(atPath: directory) else { return [:] }
        for case let name as String in walk {
            let path = "\(directory)/\(name)"
            if let target = linkTarget(path) {
                result[name] = "-> \(target)"
            } else if let data = FileManager.default.contents(atPath: path),
                (try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType) == .typeRegular
            {
                result[name] = String(decoding: data, as: UTF8.self)
            }
        }
        return result
    }
}

/// Waits for something that another task will make true; the test's time limit is the deadline.
func eventually(_ condition: () async throws -> Bool) async throws {
    while try await !condition() { await Task.yield() }
}
