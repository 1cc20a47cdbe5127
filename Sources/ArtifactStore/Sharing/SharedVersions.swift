import Cryptography
import Foundation
public import KeyHierarchy

/// A version that somebody else owns, with the share through which it is read.
public struct SharedVersion: Sendable {
    /// The share.
    public let share: ArtifactShare
    /// The version.
    public let version: Version

    /// What whoever reads it must be allowed to do with a key, each time.
    public var permission: KeyPermission {
        KeyPermission(
            operation: "Decrypt", keyARN: share.keyARN,
            context: share.mechanism == .rewrap ? share.wrapContext : DataKeyBinding(version).context)
    }
}

extension Version {
    /// What its owner must be allowed to do with its key to read it.
    public var readPermission: KeyPermission {
        KeyPermission(operation: "Decrypt", keyARN: keyARN, context: DataKeyBinding(self).context)
    }
}

extension VersionReference {
    /// Splits `ACCOUNT/REPOSITORY/ARTIFACT`, by which a recipient names what another account shared, into the account and
    /// the rest; a name without an account is the rest.
    public static func account(in name: String) -> (account: String?, rest: String) {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].contains("/"), parts[0].utf8.count == 12,
            parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return (nil, name) }
        return (String(parts[0]), String(parts[1]))
    }
}

extension ArtifactStore {
    /// The version of a share, for its recipient.
    ///
    /// - Parameter pipeline: whose jobs ask; nil: the account itself, to which the shares for its pipelines belong too.
    /// - Throws: `StoreError` with `.notFound` when there is no such share for the recipient, `.keyUnavailable` when it has
    ///   ended.
    public func sharedVersion(
        _ id: String, with recipient: AccountRegion, pipeline: String? = nil
    ) async throws -> SharedVersion {
        guard let share = try await hierarchy.share(id), Self.isFor(share, recipient, pipeline),
            let versionID = VersionID(share.version)
        else {
            let whom = pipeline.map { "pipeline \($0) of " } ?? ""
            throw StoreError.notFound(
                "there is no share \(id) for \(whom)account \(recipient.account) in \(recipient.region)")
        }
        try requireActive(share)
        return SharedVersion(share: share, version: try await version(versionID))
    }

    /// A version that another account shared, by its name: `latest`, an execution number, a version number where there was
    /// no execution, an execution or version id, or `sha256:` with the beginning of the digest. Tags and stages are the
    /// owner's and are not asked.
    ///
    /// `latest` is the newest that was ever shared: when that share has ended nothing older takes its place.
    ///
    /// - Throws: `StoreError` with `.notFound` when nothing of the kind was shared with the recipient, `.keyUnavailable`
    ///   when the share has ended.
    public func sharedVersion(
        of account: String, _ reference: VersionReference, with recipient: AccountRegion, pipeline: String? = nil
    ) async throws -> SharedVersion {
        var found: [SharedVersion] = []
        for share in try await hierarchy.shares(with: recipient)
        where share.owner.account == account && share.repository == reference.repository
            && (reference.artifact ?? share.artifact) == share.artifact && Self.isFor(share, recipient, pipeline)
        {
            guard let id = VersionID(share.version) else { continue }
            do {
                let version = try await version(id)
                if Self.isMeant(version, by: reference.which) {
                    found.append(SharedVersion(share: share, version: version))
                }
            } catch let error as StoreError where error.code == .notFound {
                continue  // Gone for good: its shares tell only that there once was one.
            }
        }
        guard let newest = found.max(by: { Self.isOlder($0.version, $1.version) }) else {
            let whom = pipeline.map { "pipeline \($0) of " } ?? ""
            throw StoreError.notFound(
                "account \(account) has not shared \(reference) with \(whom)account \(recipient.account) in "
                    + recipient.region)
        }
        let time = now()
        let candidates = found.filter { $0.version.id == newest.version.id }
        let active = candidates.filter { $0.share.isActive(at: time) }
        // The last that was made, be it of those that have ended: the message names it.
        guard let best = (active.isEmpty ? candidates : active).max(by: { $0.share.createdAt < $1.share.createdAt })
        else { return newest }
        try requireActive(best.share)
        return best
    }

    private static func isFor(_ share: ArtifactShare, _ recipient: AccountRegion, _ pipeline: String?) -> Bool {
        share.recipient == recipient && (pipeline == nil || share.pipeline == nil || share.pipeline == pipeline)
    }

    private static func isOlder(_ a: Version, _ b: Version) -> Bool {
        (a.createdAt, a.number, a.id.rawValue) < (b.createdAt, b.number, b.id.rawValue)
    }

    private static func isMeant(_ version: Version, by which: String) -> Bool {
        if which == "latest" || which.lowercased() == version.id.rawValue { return true }
        if which == version.draft.execution { return true }
        if which.hasPrefix("sha256:") {
            let digits = which.dropFirst("sha256:".count).lowercased()
            return digits.count >= 8 && version.contentID.hex.hasPrefix(digits)
        }
        return which == String(version.draft.executionNumber ?? version.number)
    }

    /// Stores a version's content in an ingest of its reader's: under the reader's key, in the reader's domain. Cuts and
    /// structure stay, so that its ZIP and its hashes are the same; what the reader has already is not stored again. From
    /// then on the copy depends neither on the version nor on the share.
    ///
    /// - Parameter share: what the reader reads through; nil: as the owner.
    /// - Throws: `StoreError` with `.keyUnavailable` when the share has ended or its key cannot be used.
    public func copy(
        _ id: VersionID, through share: ArtifactShare? = nil, into ingest: Ingest
    ) async throws -> StagedContent {
        let version = try await version(id)
        let source = try await open(id, through: share)
        defer { withExtendedLifetime(source.lease) {} }
        let transcoder = Transcoder(source: source.context, session: ingest.session)
        let root = try await pool.run { try source.context.guarding { try transcoder.root(source.root) } }
        guard root.contentID == version.contentID else {
            throw StoreError.integrity("version \(id): its content changed while it was copied")
        }
        return StagedContent(
            ingest: ingest, root: root, logicalBytes: version.logicalBytes, fileCount: version.fileCount)
    }
}
