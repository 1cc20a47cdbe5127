public import Catalog
import Cryptography
public import Foundation
public import KeyHierarchy
import Synchronization

/// Accounts, access keys and temporary credentials: who a signature belongs to, and what they may do.
///
/// An account's own keys may do everything within the account, as AWS's root user may; temporary credentials may do what
/// their ``SessionGrant`` says. Users, roles and policies are not modelled yet.
public final class AccessControl: Sendable {
    /// Secrets that have been opened, by access key id. Keys are never altered once made, so entries stay true.
    private let opened = Mutex<[String: Credential]>([:])
    private let catalog: Catalog
    private let sealer: any SecretSealer
    private let now: @Sendable () -> Date

    /// Opens access control over a catalogue migrated with ``AccessSchema``.
    public init(catalog: Catalog, sealer: any SecretSealer, now: @escaping @Sendable () -> Date = { Date() }) {
        self.catalog = catalog
        self.sealer = sealer
        self.now = now
    }

    /// Opens access control with secrets sealed under the installation's key ring.
    public convenience init(catalog: Catalog, keys: KeyHierarchy, now: @escaping @Sendable () -> Date = { Date() }) {
        self.init(catalog: catalog, sealer: KeyringSealer(keys: keys), now: now)
    }

    // MARK: Accounts

    /// The root access key, and whether this call made it.
    public struct Bootstrap: Sendable {
        /// The account's root credential.
        public let credential: Credential
        /// Whether the account and its key are new.
        public let isNew: Bool
    }

    /// Makes the account and its root access key on first use; later calls return the key that was made then.
    /// - Parameters:
    ///   - account: twelve digits.
    ///   - accessKeyID: the key id to use on first use; generated unless both it and `secret` are given.
    ///   - secret: its secret.
    /// - Throws: ``BootstrapError`` for values that no client could use and for a catalogue of another account.
    public func bootstrap(account: String, accessKeyID: String? = nil, secret: String? = nil) async throws -> Bootstrap
    {
        if let existing = try await rootKey() {
            guard existing.principal.account == account else {
                throw BootstrapError.otherAccount(stored: existing.principal.account, asked: account)
            }
            return Bootstrap(credential: existing, isNew: false)
        }
        guard Self.isAccount(account) else { throw BootstrapError.badAccount(account) }
        var id = KeyMaker.accessKeyID(prefix: "AKIA")
        var text = KeyMaker.secret()
        if let accessKeyID, let secret {
            guard KeyMaker.isAccessKeyID(accessKeyID) else { throw BootstrapError.badAccessKeyID }
            guard KeyMaker.isSecret(secret) else { throw BootstrapError.badSecret }
            (id, text) = (accessKeyID, secret)
        }
        return Bootstrap(credential: try await insert(account, accessKeyID: id, secret: text), isNew: true)
    }

    private func insert(_ account: String, accessKeyID keyID: String, secret: String) async throws -> Credential {
        let keySecret = SecretBytes(copying: Array(secret.utf8))
        let sealed = try await sealer.seal(keySecret, name: Self.secretName(keyID))
        let created = now()
        try await catalog.write { transaction in
            let existing = try transaction.row("SELECT account FROM access_accounts WHERE account = ?", account)
            guard existing == nil else { throw AccountExists(account: account) }
            try transaction.execute(
                "INSERT INTO access_accounts (account, created_ms) VALUES (?, ?)", account, created)
            try transaction.execute(
                """
                INSERT INTO access_keys (access_key_id, account, kind, sealed_secret, created_ms)
                VALUES (?, ?, ?, ?, ?)
                """, keyID, account, Principal.Kind.root.rawValue, sealed, created)
        }
        let credential = Credential(principal: .root(account: account, accessKeyID: keyID), secret: keySecret)
        opened.withLock { $0[keyID] = credential }
        return credential
    }

    /// Makes a further account with a root access key of its own. It sees nothing of the others.
    /// - Throws: ``BootstrapError/badAccount(_:)`` unless it has twelve digits, ``AccountExists``.
    public func createAccount(_ account: String) async throws -> Credential {
        guard Self.isAccount(account) else { throw BootstrapError.badAccount(account) }
        return try await insert(
            account, accessKeyID: KeyMaker.accessKeyID(prefix: "AKIA"), secret: KeyMaker.secret())
    }

    /// The accounts there are, the installation's own first.
    public func accounts() async throws -> [String] {
        try await catalog.read { transaction in
            try transaction.rows("SELECT account FROM access_accounts ORDER BY created_ms, account").map {
                try $0.string("account")
            }
        }
    }

    /// Whether a principal is the operator of the installation: the account made at its first start, not limited by a grant.
    public func isOperator(_ principal: Principal) async throws -> Bool {
        guard principal.grant == nil, let root = try await rootKey() else { return false }
        return principal.account == root.principal.account
    }

    private static func isAccount(_ text: String) -> Bool {
        text.utf8.count == 12 && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// The root credential of the installation's account, `nil` before ``bootstrap(account:accessKeyID:secret:)``.
    public func rootKey() async throws -> Credential? {
        let row = try await catalog.read { transaction in
            try transaction.row(
                "SELECT access_key_id FROM access_keys WHERE kind = ? ORDER BY created_ms, access_key_id LIMIT 1",
                Principal.Kind.root.rawValue)
        }
        guard let row else { return nil }
        return try await credential(try row.string("access_key_id"))
    }

    // MARK: Keys

    /// The credential of a lasting access key, `nil` when there is none with that id.
    public func credential(_ accessKeyID: String) async throws -> Credential? {
        if let known = opened.withLock({ $0[accessKeyID] }) { return known }
        let row = try await catalog.read { transaction in
            try transaction.row("SELECT account, sealed_secret FROM access_keys WHERE access_key_id = ?", accessKeyID)
        }
        guard let row else { return nil }
        let secret = try await sealer.open(try row.bytes("sealed_secret"), name: Self.secretName(accessKeyID))
        let credential = Credential(
            principal: .root(account: try row.string("account"), accessKeyID: accessKeyID), secret: secret)
        opened.withLock { $0[accessKeyID] = credential }
        return credential
    }

    /// The credential of an access key that came with, or without, a session token.
    /// - Throws: ``SessionTokenError`` when the token is not ours, is over, or belongs to another key.
    public func credential(_ accessKeyID: String, sessionToken: String?) async throws -> Credential? {
        guard let sessionToken, !sessionToken.isEmpty else { return try await credential(accessKeyID) }
        return try await session(accessKeyID, token: sessionToken)
    }

    // MARK: Sessions

    /// What a session token carries, sealed, so that verifying one needs no table.
    private struct SessionRecord: Codable {
        var accessKeyID: String
        var secret: String
        var account: String
        var arn: String
        var userID: String
        var kind: Principal.Kind
        var grant: SessionGrant?
        var expiresAt: Double
    }

    /// Makes temporary credentials that act for a principal.
    /// - Parameters:
    ///   - principal: whom they act for. A session's own limits carry over when no narrower grant is given.
    ///   - grant: what they may do; `nil` for all that the principal may.
    ///   - name: appears in the session's ARN when there is a grant.
    ///   - seconds: how long they hold.
    public func issueSession(
        for principal: Principal, grant: SessionGrant? = nil, name: String = "session", seconds: Int
    ) async throws -> Credential {
        let accessKeyID = KeyMaker.accessKeyID(prefix: "ASIA")
        let limited = grant ?? principal.grant
        let record = SessionRecord(
            accessKeyID: accessKeyID, secret: KeyMaker.secret(), account: principal.account,
            arn: grant == nil ? principal.arn : "arn:aws:sts::\(principal.account):assumed-role/coffer-job/\(name)",
            userID: grant == nil ? principal.userID : "\(principal.userID):\(name)",
            kind: limited == nil ? principal.kind : .session, grant: limited,
            expiresAt: (now().timeIntervalSince1970 + Double(seconds)).rounded(.down))
        let bytes = SecretBytes(copying: Array(try JSONEncoder().encode(record)))
        let sealed = try await sealer.seal(bytes, name: Self.tokenName)
        return Self.credential(record, token: Data(sealed).base64EncodedString())
    }

    private func session(_ accessKeyID: String, token: String) async throws -> Credential {
        guard token.utf8.count <= 16_384, let sealed = Data(base64Encoded: token) else {
            throw SessionTokenError.invalid
        }
        let record: SessionRecord
        do {
            let bytes = try await sealer.open(Array(sealed), name: Self.tokenName)
            record = try bytes.withUnsafeBytes { try JSONDecoder().decode(SessionRecord.self, from: Data($0)) }
        } catch {
            // Whatever keeps a token from opening, its bearer learns only that it is not one of ours.
            throw SessionTokenError.invalid
        }
        guard record.accessKeyID == accessKeyID else { throw SessionTokenError.invalid }
        guard now().timeIntervalSince1970 < record.expiresAt else { throw SessionTokenError.expired }
        return Self.credential(record, token: token)
    }

    private static func credential(_ record: SessionRecord, token: String) -> Credential {
        Credential(
            principal: Principal(
                account: record.account, arn: record.arn, userID: record.userID, accessKeyID: record.accessKeyID,
                kind: record.kind, grant: record.grant),
            secret: SecretBytes(copying: Array(record.secret.utf8)), sessionToken: token,
            expiration: Date(timeIntervalSince1970: record.expiresAt))
    }

    // MARK: Authorisation

    /// Decides whether a principal may perform an action on a resource.
    ///
    /// The account's own keys may do everything to resources of the account: ARNs that name the account, or none (S3's).
    /// Temporary credentials with a grant may do what one of its statements allows.
    /// - Throws: ``AccessDenied``.
    public func authorize(_ principal: Principal, action: String, resource: String) throws(AccessDenied) {
        let parts = resource.utf8.split(
            separator: UInt8(ascii: ":"), maxSplits: 5, omittingEmptySubsequences: false)
        let isOwn =
            parts.count < 6 || parts[4].isEmpty || parts[4].elementsEqual(principal.account.utf8)
        let isGranted =
            principal.grant?.statements.contains { $0.allows(action: action, resource: resource) } ?? true
        guard isOwn, isGranted else {
            throw AccessDenied(principalARN: principal.arn, action: action, resource: resource)
        }
    }

    private static let tokenName = "access/session-token"

    private static func secretName(_ accessKeyID: String) -> String { "access/key/\(accessKeyID)" }
}
