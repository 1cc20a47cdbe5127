import Catalog
import Foundation
public import KeyHierarchy

/// A build project: what a CodeBuild action's `ProjectName` means here.
public struct BuildProject: Sendable, Hashable, Codable {
    /// Its name.
    public var name: String
    /// For people.
    public var summary: String?
    /// The build specification as text, or its path in the source; nil is `buildspec.yml`.
    public var buildspec: String?
    /// Variables for each build. An action's own variables win over these, and these over the buildspec's.
    public var environment: [BuildVariable]
    /// Minutes after which a build is stopped, 5 to 2160.
    public var timeoutMinutes: Int
    /// What `CODEBUILD_BUILD_IMAGE` says. Builds use this machine's tools whatever it is.
    public var image: String

    /// A project; what is left out is as in a project made on first use.
    public init(
        name: String, summary: String? = nil, buildspec: String? = nil, environment: [BuildVariable] = [],
        timeoutMinutes: Int = 60, image: String = "aws/codebuild/standard:7.0"
    ) {
        self.name = name
        self.summary = summary
        self.buildspec = buildspec
        self.environment = environment
        self.timeoutMinutes = timeoutMinutes
        self.image = image
    }
}

/// The build projects of each account and region.
///
/// An action may name a project that nobody made: it is made then, with a `buildspec.yml` in the source and an hour's
/// time, so that a first pipeline needs no preparation.
public final class BuildProjects: Sendable {
    private let catalog: Catalog
    private let sealing: any Sealing
    private let now: @Sendable () -> Date

    init(catalog: Catalog, sealing: any Sealing, now: @escaping @Sendable () -> Date = { Date() }) {
        self.catalog = catalog
        self.sealing = sealing
        self.now = now
    }

    /// Makes a project or replaces the one of this name.
    ///
    /// - Throws: `ProviderError` with `InvalidInputException`.
    public func put(_ project: BuildProject, in scope: AccountRegion) async throws {
        try Self.validate(project)
        let sealed = try await sealing.seal(
            Array(try JSONEncoder().encode(project)), name: Self.label(project.name, scope))
        let time = now()
        _ = try await catalog.write { transaction in
            try transaction.execute(
                """
                INSERT INTO provider_projects (account, region, name, sealed, builds, created_at, updated_at)
                VALUES (?, ?, ?, ?, 0, ?, ?)
                ON CONFLICT (account, region, name) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at
                """, scope.account, scope.region, project.name, sealed, time, time)
        }
    }

    /// The project of a name, or nil.
    public func project(_ name: String, in scope: AccountRegion) async throws -> BuildProject? {
        let sealed = try await catalog.read { transaction in
            try transaction.row(
                "SELECT sealed FROM provider_projects WHERE account = ? AND region = ? AND name = ?",
                scope.account, scope.region, name)?.bytes("sealed")
        }
        guard let sealed else { return nil }
        return try await open(sealed, name, scope)
    }

    /// All projects by name.
    public func projects(in scope: AccountRegion) async throws -> [BuildProject] {
        let rows = try await catalog.read { transaction in
            try transaction.rows(
                "SELECT name, sealed FROM provider_projects WHERE account = ? AND region = ? ORDER BY name",
                scope.account, scope.region
            ).map { (name: try $0.string("name"), sealed: try $0.bytes("sealed")) }
        }
        var result: [BuildProject] = []
        for row in rows { result.append(try await open(row.sealed, row.name, scope)) }
        return result
    }

    /// Forgets a project. Its builds and their logs stay.
    ///
    /// - Throws: `ProviderError` with `ResourceNotFoundException`.
    public func remove(_ name: String, in scope: AccountRegion) async throws {
        let count = try await catalog.write { transaction in
            try transaction.execute(
                "DELETE FROM provider_projects WHERE account = ? AND region = ? AND name = ?",
                scope.account, scope.region, name)
        }
        guard count > 0 else {
            throw ProviderError("ResourceNotFoundException", "There is no build project named \(name)")
        }
    }

    /// The project for a build that starts now, made if there is none, and the build's running number.
    func begin(_ name: String, in scope: AccountRegion) async throws -> (project: BuildProject, buildNumber: Int64) {
        if try await project(name, in: scope) == nil { try await put(BuildProject(name: name), in: scope) }
        let number = try await catalog.write { transaction in
            try transaction.row(
                """
                UPDATE provider_projects SET builds = builds + 1 WHERE account = ? AND region = ? AND name = ?
                RETURNING builds
                """, scope.account, scope.region, name)?.int64("builds")
        }
        guard let number, let project = try await project(name, in: scope) else {
            throw ProviderError("ResourceNotFoundException", "The build project \(name) was removed meanwhile")
        }
        return (project, number)
    }

    private func open(_ sealed: [UInt8], _ name: String, _ scope: AccountRegion) async throws -> BuildProject {
        let bytes = try await sealing.open(sealed, name: Self.label(name, scope))
        return try JSONDecoder().decode(BuildProject.self, from: Data(bytes))
    }

    private static func label(_ name: String, _ scope: AccountRegion) -> String {
        "project/\(scope.account)/\(scope.region)/\(name)"
    }

    static func validate(_ project: BuildProject) throws(ProviderError) {
        guard isName(project.name) else {
            throw ProviderError(
                "InvalidInputException",
                "Invalid project name: \(project.name). Use up to 150 letters, digits, - and _, beginning with a letter or digit"
            )
        }
        guard (1...2160).contains(project.timeoutMinutes) else {
            throw ProviderError(
                "InvalidInputException", "Invalid timeout: \(project.timeoutMinutes). Use 1 to 2160 minutes")
        }
        for variable in project.environment {
            guard BuildEnvironment.isIdentifier(variable.name), !variable.name.hasPrefix("CODEBUILD_") else {
                throw ProviderError(
                    "InvalidInputException",
                    "Invalid environment variable name: \(variable.name). Use letters, digits and _; CODEBUILD_ is reserved"
                )
            }
        }
        if let text = project.buildspec, case .inline(let inline) = BuildPlan.Specification(text) {
            do {
                _ = try BuildspecParser.parse(inline)
            } catch {
                throw ProviderError("InvalidInputException", "Invalid buildspec: \(error.message)")
            }
        }
    }

    static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 150 else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            Character(Unicode.Scalar(byte)).isLetter && byte < 128 || (48...57).contains(byte)
        }
        return isAlphanumeric(first) && name.utf8.allSatisfy { isAlphanumeric($0) || $0 == 45 || $0 == 95 }
    }
}
