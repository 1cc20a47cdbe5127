import ArgumentParser
import CofferServer
import Foundation
import SystemPackage

/// The options of every command that speaks to a server.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Data directory of a server on this machine: its endpoint and root access key are used.",
            valueName: "directory"))
    var data: String?

    @Option(help: ArgumentHelp("Base URL of the server.", valueName: "URL"))
    var endpoint: String?

    @Option(help: "Profile of ~/.aws/credentials and ~/.aws/config.")
    var profile: String?

    @Option(help: "Region to ask in.")
    var region: String?

    /// Where to ask and as whom.
    func settings() throws -> Settings { try Settings(self, ProcessInfo.processInfo.environment) }

    /// Opens a connection for the duration of `body`.
    func withClient<Result>(_ body: (NativeClient) async throws -> Result) async throws -> Result {
        let client = NativeClient(try settings())
        do {
            let result = try await body(client)
            try await client.close()
            return result
        } catch {
            // The first error is the one to report.
            try? await client.close()
            throw error
        }
    }
}

/// An access key as the signer needs it.
struct Credentials: Sendable {
    var accessKeyID: String
    var secretAccessKey: String
    var sessionToken: String?
}

/// Where to ask and as whom, found where AWS's tools would look.
struct Settings: Sendable {
    let endpoint: URL
    let credentials: Credentials
    let region: String

    /// Endpoint: `--endpoint`, `--data`, COFFER_ENDPOINT, AWS_ENDPOINT_URL, the profile's `endpoint_url`. Credentials:
    /// `--data`'s own, unless a profile was asked for; else environment, else the profile of the shared files.
    init(_ options: ConnectionOptions, _ environment: [String: String]) throws {
        func set(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let profile = options.profile ?? set("AWS_PROFILE") ?? set("AWS_DEFAULT_PROFILE")
        let shared = SharedFiles(environment)
        let section = shared.section(profile ?? "default")
        var announced: Announcement?
        if let data = options.data {
            announced = try Announcement.read(dataDirectory: data)
            guard announced != nil || options.endpoint != nil else {
                throw CommandFailure(
                    .unreachable,
                    "no server has announced itself in \(data); start one with `coffer serve --data \(data)`")
            }
        }
        let address =
            options.endpoint ?? announced?.endpoint ?? set("COFFER_ENDPOINT") ?? set("AWS_ENDPOINT_URL")
            ?? section["endpoint_url"]
        guard let address else {
            throw CommandFailure(
                .usage,
                "no server named: set COFFER_ENDPOINT or AWS_ENDPOINT_URL, or name its data directory with --data")
        }
        guard let url = URL(string: address), let scheme = url.scheme, scheme == "http" || scheme == "https",
            url.host != nil
        else {
            throw CommandFailure(.usage, "\(address) is not an endpoint; give one such as http://127.0.0.1:8080")
        }
        endpoint = url
        region =
            options.region ?? set("AWS_REGION") ?? set("AWS_DEFAULT_REGION") ?? announced?.region ?? section["region"]
            ?? "us-east-1"
        credentials = try Settings.credentials(options, profile, section, set)
    }

    private static func credentials(
        _ options: ConnectionOptions, _ profile: String?, _ section: [String: String], _ set: (String) -> String?
    ) throws -> Credentials {
        if let data = options.data, options.profile == nil {
            let file = URL(fileURLWithPath: data).appendingPathComponent("credentials")
            if let pair = try RootCredentials.read(FilePath(file.path)) {
                return Credentials(accessKeyID: pair.accessKeyID, secretAccessKey: pair.secretAccessKey)
            }
        }
        if options.profile == nil, let id = set("AWS_ACCESS_KEY_ID"), let secret = set("AWS_SECRET_ACCESS_KEY") {
            return Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: set("AWS_SESSION_TOKEN"))
        }
        if let id = section["aws_access_key_id"], let secret = section["aws_secret_access_key"] {
            return Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: section["aws_session_token"])
        }
        let named = profile.map { "profile \($0) has no access key" } ?? "no credentials found"
        throw CommandFailure(
            .notAllowed,
            "\(named): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or eval \"$(coffer env --data DIR)\"")
    }
}

/// `~/.aws/credentials` and `~/.aws/config`, as far as static keys, region and endpoint go.
struct SharedFiles {
    private let credentials: [String: [String: String]]
    private let config: [String: [String: String]]

    init(_ environment: [String: String]) {
        let home = environment["HOME"] ?? NSHomeDirectory()
        credentials = SharedFiles.parse(environment["AWS_SHARED_CREDENTIALS_FILE"] ?? home + "/.aws/credentials")
        config = SharedFiles.parse(environment["AWS_CONFIG_FILE"] ?? home + "/.aws/config")
    }

    /// One profile's settings; the credentials file wins over the config file.
    func section(_ profile: String) -> [String: String] {
        let fromConfig = config[profile == "default" ? "default" : "profile \(profile)"] ?? [:]
        return fromConfig.merging(credentials[profile] ?? [:]) { $1 }
    }

    static func parse(_ path: String) -> [String: [String: String]] {
        // A missing or unreadable file is the same as an empty one, as it is for AWS's tools.
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [:] }
        var sections: [String: [String: String]] = [:]
        var current = ""
        for raw in text.split(whereSeparator: \.isNewline) {
            let line = raw.trimmingCharacters(in: .whitespaces)
            if line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                current = line[line.index(after: line.startIndex)..<end].trimmingCharacters(in: .whitespaces)
            } else if let equals = line.firstIndex(of: "="), !raw.hasPrefix(" ") {
                let key = line[..<equals].trimmingCharacters(in: .whitespaces).lowercased()
                sections[current, default: [:]][key] = line[line.index(after: equals)...]
                    .trimmingCharacters(in: .whitespaces)
            }
        }
        return sections
    }
}
