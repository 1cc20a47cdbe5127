import Catalog
public import Foundation
public import KeyHierarchy

/// A repository that CodeCommit source actions can name.
public struct GitRepository: Sendable, Hashable {
    /// The name that actions use.
    public let name: String
    /// An absolute path on this machine or a URL, without any password.
    public let location: String
    /// When it was registered.
    public let createdAt: Date
}

/// The Git repositories of each account and region, by name.
public final class GitRepositories: Sendable {
    private let catalog: Catalog
    private let sealing: any Sealing
    private let git: GitClient
    private let now: @Sendable () -> Date

    init(
        catalog: Catalog, sealing: any Sealing, git: GitClient, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.catalog = catalog
        self.sealing = sealing
        self.git = git
        self.now = now
    }

    /// Registers a repository at an absolute path or a URL, or gives a known name a new place.
    ///
    /// - Throws: `ProviderError` with `InvalidRepositoryNameException`, or with `InvalidInputException` when the place
    ///   cannot be one or, being a path, holds no repository.
    @discardableResult
    public func register(_ name: String, at location: String, in scope: AccountRegion) async throws -> GitRepository {
        guard Self.isName(name) else {
            throw ProviderError(
                "InvalidRepositoryNameException",
                "Invalid repository name: \(name). Use up to 100 letters, digits, '.', '_' and '-', not ending in .git")
        }
        let address = try GitLocation(location)
        if case .path(let path) = address { try await git.checkRepository(atPath: path) }
        let sealed = try await sealing.seal(Array(location.utf8), name: Self.label(name, scope))
        let time = now()
        let created = try await catalog.write { transaction in
            try transaction.row(
                """
                INSERT INTO provider_repositories (account, region, name, sealed, created_at, updated_at)
                VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (account, region, name) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at
                RETURNING created_at
                """, scope.account, scope.region, name, sealed, time, time)?.date("created_at")
        }
        return GitRepository(name: name, location: address.shown, createdAt: created ?? time)
    }

    /// The repository of a name, or nil.
    public func repository(_ name: String, in scope: AccountRegion) async throws -> GitRepository? {
        guard let (location, created) = try await row(name, in: scope) else { return nil }
        return GitRepository(name: name, location: location.shown, createdAt: created)
    }

    /// All repositories by name.
    public func repositories(in scope: AccountRegion) async throws -> [GitRepository] {
        let names = try await catalog.read { transaction in
            try transaction.rows(
                "SELECT name FROM provider_repositories WHERE account = ? AND region = ? ORDER BY name",
                scope.account, scope.region
            ).map { try $0.string("name") }
        }
        var result: [GitRepository] = []
        for name in names {
            if let repository = try await repository(name, in: scope) { result.append(repository) }
        }
        return result
    }

    /// Forgets a repository; the repository itself is not touched.
    ///
    /// - Throws: `ProviderError` with `RepositoryDoesNotExistException`.
    public func remove(_ name: String, in scope: AccountRegion) async throws {
        let count = try await catalog.write { transaction in
            try transaction.execute(
                "DELETE FROM provider_repositories WHERE account = ? AND region = ? AND name = ?",
                scope.account, scope.region, name)
        }
        guard count > 0 else { throw Self.missing(name) }
    }

    /// The commit at the head of each branch of a repository.
    public func branches(of name: String, in scope: AccountRegion) async throws -> [String: String] {
        let location = try await location(of: name, in: scope)
        return try await git.heads(of: location)
    }

    /// Where a repository is, password included.
    ///
    /// - Throws: `ProviderError` with `RepositoryDoesNotExistException`.
    func location(of name: String, in scope: AccountRegion) async throws -> GitLocation {
        guard let (location, _) = try await row(name, in: scope) else { throw Self.missing(name) }
        return location
    }

    private func row(_ name: String, in scope: AccountRegion) async throws -> (GitLocation, Date)? {
        let row = try await catalog.read { transaction in
            try transaction.row(
                "SELECT sealed, created_at FROM provider_repositories WHERE account = ? AND region = ? AND name = ?",
                scope.account, scope.region, name
            ).map { (sealed: try $0.bytes("sealed"), created: try $0.date("created_at")) }
        }
        guard let row else { return nil }
        let text = String(decoding: try await sealing.open(row.sealed, name: Self.label(name, scope)), as: UTF8.self)
        return (try GitLocation(text), row.created)
    }

    private static func missing(_ name: String) -> ProviderError {
        ProviderError(
            "RepositoryDoesNotExistException",
            "No repository named \(name) is registered. Register it with: coffer repository add \(name) PATH-OR-URL")
    }

    private static func label(_ name: String, _ scope: AccountRegion) -> String {
        "repository/\(scope.account)/\(scope.region)/\(name)"
    }

    /// CodeCommit's own rule: `[\w.-]+`, at most 100, not ending in `.git`.
    static func isName(_ name: String) -> Bool {
        (1...100).contains(name.utf8.count) && !name.hasSuffix(".git") && name != "." && name != ".."
            && name.utf8.allSatisfy { byte in
                BuildEnvironment.isIdentifier("_" + String(Unicode.Scalar(byte))) || byte == 46 || byte == 45
            }
    }
}

/// Where a repository is: a path or a URL of a kind that starts no command of its own.
enum GitLocation: Sendable, Equatable {
    case path(String)
    case url(String)

    init(_ text: String) throws(ProviderError) {
        func refuse() -> ProviderError {
            ProviderError(
                "InvalidInputException",
                "Not a repository's place: \(Self.redacted(text)). Give an absolute path or an https, http, ssh, git or "
                    + "file URL")
        }
        guard !text.utf8.contains(where: { $0 < 32 || $0 == 127 }) else { throw refuse() }
        if text.hasPrefix("/") {
            self = .path(text)
            return
        }
        if let colon = text.range(of: "://") {
            let scheme = text[..<colon.lowerBound].lowercased()
            let rest = text[colon.upperBound...]
            guard ["https", "http", "ssh", "git", "file"].contains(scheme), !rest.isEmpty, !rest.hasPrefix("-") else {
                throw refuse()
            }
            self = .url(text)
            return
        }
        // git@host:path, with nothing that git or ssh would take for an option or for a transport helper.
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[0].hasPrefix("-"), !parts[0].contains("/"),
            !parts[1].isEmpty, !parts[1].hasPrefix(":"), !parts[1].hasPrefix("-"), parts[0].contains("@")
        else { throw refuse() }
        self = .url(text)
    }

    var argument: String {
        switch self {
        case .path(let path): path
        case .url(let url): url
        }
    }

    /// For people: without a password.
    var shown: String { Self.redacted(argument) }

    static func redacted(_ text: String) -> String {
        guard let scheme = text.range(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        guard let at = rest.prefix(while: { $0 != "/" }).lastIndex(of: "@") else { return text }
        let user = rest[..<at].split(separator: ":", omittingEmptySubsequences: false)
        guard user.count > 1 else { return text }
        return text[..<scheme.upperBound] + user[0] + ":***" + rest[at...]
    }
}
