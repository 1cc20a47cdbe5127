import ArtifactStore
package import Foundation
import KeyHierarchy

/// A share that is asked for.
package struct ShareRequest: Codable, Sendable {
    package var reference: String
    package var account: String?
    package var region: String?
    package var pipeline: String?
    package var key: String?
    package var notAfter: Date?
    package var purpose: String?

    package init(
        reference: String, account: String?, region: String?, pipeline: String?, key: String?, notAfter: Date?,
        purpose: String?
    ) {
        self.reference = reference
        self.account = account
        self.region = region
        self.pipeline = pipeline
        self.key = key
        self.notAfter = notAfter
        self.purpose = purpose
    }
}

/// A share of an artifact version.
package struct ShareItem: Codable, Sendable {
    package var id: String
    /// What the recipient asks for it by.
    package var reference: String
    package var version: String
    package var repository: String
    package var artifact: String
    package var number: Int
    /// By which people name the version, where an execution made it.
    package var executionNumber: Int?
    package var owner: String
    package var ownerRegion: String
    package var recipient: String
    package var recipientRegion: String
    package var pipeline: String?
    /// `policy`, `rewrap` or `grant`.
    package var mechanism: String
    package var keyARN: String
    package var grantID: String?
    package var purpose: String
    package var createdBy: String
    package var created: Date
    package var notAfter: Date?
    /// `active`, `expired` or `revoked`.
    package var state: String
    package var ended: Date?
    package var endedBy: String?
    package var endReason: String?
    /// The depth reached: 1, 2 or 3.
    package var depth: Int?
    /// The depth that is still to be reached, and from when on.
    package var pendingDepth: Int?
    package var pendingAt: Date?

    /// The version as its recipient may name it, `ACCOUNT/PIPELINE/ARTIFACT@413`; without the account for the owner's own.
    package func versionReference(received: Bool) -> String {
        (received && owner != recipient ? owner + "/" : "") + "\(repository)/\(artifact)@\(executionNumber ?? number)"
    }

    init(_ share: ArtifactShare, of shared: Version?, at time: Date) {
        func date(_ milliseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }
        id = share.shareID
        reference = "share:\(share.shareID)"
        version = share.version
        repository = share.repository
        artifact = share.artifact
        number = share.number
        executionNumber = shared?.draft.executionNumber
        (owner, ownerRegion) = (share.owner.account, share.owner.region)
        (recipient, recipientRegion) = (share.recipient.account, share.recipient.region)
        pipeline = share.pipeline
        mechanism = share.mechanism.rawValue
        keyARN = share.keyARN
        grantID = share.grantID
        purpose = share.purpose
        createdBy = share.createdBy
        created = date(share.createdAt)
        notAfter = share.end
        state = share.revocation != nil ? "revoked" : share.isActive(at: time) ? "active" : "expired"
        ended = share.revocation.map { date($0.at) }
        endedBy = share.revocation?.by
        endReason = share.revocation?.reason
        depth = share.revocation?.depth
        pendingDepth = share.pending?.depth
        pendingAt = share.pending.map { date($0.at) }
    }
}

/// An account of the installation; with its access key when it has just been made.
package struct AccountItem: Codable, Sendable {
    package var account: String
    package var accessKeyID: String?
    package var secretAccessKey: String?

    package init(account: String, accessKeyID: String? = nil, secretAccessKey: String? = nil) {
        self.account = account
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
    }
}

/// What would become unreadable with a key.
package struct KeyPreviewAnswer: Codable, Sendable {
    package struct PinItem: Codable, Sendable {
        package var version: String
        package var name: String
        package var kind: String
        package var owner: String
    }

    package struct PipelineItem: Codable, Sendable {
        package var pipeline: String
        /// Whether new artifacts of the pipeline would be put under the key, and could not be any more.
        package var writes: Bool
        /// Stages whose last successful execution left versions under the key.
        package var stages: [String]
    }

    package var keyARN: String
    package var keyState: String
    package var versionCount: Int
    package var bytes: Int64
    package var versions: [VersionItem]
    package var pins: [PinItem]
    package var pipelines: [PipelineItem]
    package var shares: [ShareItem]
    package var survivingShares: [ShareItem]
    package var dedupDomains: Int
}
