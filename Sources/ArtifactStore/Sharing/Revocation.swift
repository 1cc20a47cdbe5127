import Catalog
import Cryptography
import Foundation
public import KeyHierarchy
import Logging

extension ArtifactStore {
    /// How long after the end of a re-wrapped share its version gets a new data key by itself, in seconds.
    static let rekeySeconds: Int64 = 7 * 24 * 3600

    /// Ends a share at a depth. The first depth is reached in one transaction whatever happens to the others, which are
    /// completed before this returns or, where that fails, by upkeep. A share that has ended can be ended deeper.
    ///
    /// At the first depth, a version that had been wrapped for the recipient gets a new data key within seven days.
    ///
    /// - Throws: `StoreError` with `.notFound`; what prevented a deeper depth, the first having been reached.
    public func revokeShare(
        _ shareID: String, depth: RevocationDepth, by: String, reason: String = ""
    ) async throws -> ArtifactShare {
        guard let share = try await hierarchy.share(shareID) else {
            throw StoreError.notFound("there is no share \(shareID)")
        }
        let ended = try await end(share, depth: depth, by: by, reason: reason, action: "revoke")
        return depth == .unwrap ? ended : try await complete(ended)
    }

    /// R1, and a note of what is to follow.
    private func end(
        _ share: ArtifactShare, depth: RevocationDepth, by: String, reason: String, action: String
    ) async throws -> ArtifactShare {
        let hierarchy = try hierarchy
        guard let id = VersionID(share.version) else { throw StoreError.notFound("the share names no version") }
        let time = now().milliseconds
        let ended = try await changeEnvelope(of: id) { _, _, wrapped in
            var changed = wrapped
            if share.mechanism == .rewrap, ArtifactKeyEnvelope.isEnvelope(wrapped) {
                do {
                    changed = try await hierarchy.removeRecipients(from: wrapped, context: share.wrapContext)
                } catch let error as KeyError where error.code != .sealed {
                    // None of its keys can be used: nothing opens the envelope now, and the record ends the share. Upkeep
                    // replaces the envelope once its owner's key works again.
                    log.warning("a recipient stays in an envelope for now", metadata: ["share": "\(share.shareID)"])
                }
            }
            return EnvelopeChange(wrapped: changed) { [pinRecords] transaction in
                guard var share = try hierarchy.share(share.shareID, in: transaction) else {
                    throw StoreError.notFound("there is no share \(share.shareID)")
                }
                Self.note(&share, depth: depth, at: time, by: by, reason: reason)
                try hierarchy.deleteGrant(of: share, in: transaction)
                try hierarchy.record(share, action: action, in: transaction)
                _ = try pinRecords.remove(id, share.pinName, at: time, transaction)
                return share
            }
        }
        if ended.grantID != nil { hierarchy.forgetGrants(of: ended.keyARN) }
        return ended
    }

    private static func note(
        _ share: inout ArtifactShare, depth: RevocationDepth, at time: Int64, by: String, reason: String
    ) {
        let reached = share.revocation?.depth ?? 0
        if share.revocation == nil {
            share.revocation = .init(at: time, by: by, depth: RevocationDepth.unwrap.rawValue, reason: reason)
        }
        if depth > .unwrap {
            if reached < depth.rawValue { share.pending = .init(depth: depth.rawValue, at: time) }
        } else if share.mechanism == .rewrap, reached == 0 {
            share.pending = .init(depth: RevocationDepth.rekey.rawValue, at: time + rekeySeconds * 1000)
        }
    }

    /// Does what is still to be done about an ended share, and notes that it is done.
    private func complete(_ share: ArtifactShare) async throws -> ArtifactShare {
        guard let pending = share.pending, let id = VersionID(share.version) else { return share }
        if pending.depth >= RevocationDepth.reencrypt.rawValue { try await isolate(id) }
        try await rekey(id)
        let hierarchy = try hierarchy
        return try await catalog.write { transaction in
            guard var share = try hierarchy.share(share.shareID, in: transaction) else {
                throw StoreError.notFound("there is no share \(share.shareID)")
            }
            let reached = max(share.revocation?.depth ?? 0, pending.depth)
            share.revocation?.depth = reached
            if share.pending?.depth ?? 0 <= pending.depth { share.pending = nil }
            try hierarchy.record(share, action: "revoke-\(pending.depth)", in: transaction)
            return share
        }
    }

    /// R2: a new data key for a version, with the manifest sealed anew under it. Recipients whose key cannot be used now
    /// lose their share; the others notice nothing.
    func rekey(_ id: VersionID) async throws {
        let hierarchy = try hierarchy
        let time = now().milliseconds
        let shares = try await hierarchy.shares(ofVersion: id.rawValue)
        try await changeEnvelope(of: id) { row, binding, wrapped in
            let dataKey = try await keys.openDataKey(wrapped, of: binding)
            let rekeyed = try await hierarchy.rekeyEnvelope(
                try await envelope(wrapped, dataKey, binding, row, hierarchy), owner: binding.context)
            let number = Int(try row.natural("number"))
            let root = try RootManifest.open(try row.bytes("root"), dataKey: dataKey, version: id, number: number)
            let sealed = try RootManifest.seal(root, dataKey: rekeyed.new.key, version: id, number: number)
            // What is about to replace the only way to the content is opened once before it does.
            let opened = try await keys.openDataKey(rekeyed.envelope, of: binding)
            guard try RootManifest.open(sealed, dataKey: opened, version: id, number: number) == root else {
                throw StoreError.integrity("version \(id): its manifest came back changed from being sealed anew")
            }
            return EnvelopeChange(wrapped: rekeyed.envelope, root: sealed) { [pinRecords] transaction in
                for share in shares where rekeyed.dropped.contains(share.wrapContext) {
                    guard var share = try hierarchy.share(share.shareID, in: transaction), share.revocation == nil
                    else { continue }
                    share.revocation = .init(
                        at: time, by: "coffer", depth: RevocationDepth.rekey.rawValue,
                        reason: "\(share.keyARN) could not be used when the data key was replaced")
                    try hierarchy.record(share, action: "lapse", in: transaction)
                    _ = try pinRecords.remove(id, share.pinName, at: time, transaction)
                }
            }
        }
    }

    /// Ends the shares whose time is over, and completes the ends that are due. What fails is tried again the next time;
    /// reads look at the clock and at the record themselves and do not wait for this.
    @discardableResult
    public func settleShares() async throws -> ShareUpkeep {
        var upkeep = ShareUpkeep()
        let time = now()
        for var share in try await hierarchy.allShares() {
            do {
                if share.revocation == nil, !share.isActive(at: time) {
                    share = try await end(
                        share, depth: .unwrap, by: "coffer", reason: "its time was over", action: "expire")
                    upkeep.expired += 1
                }
                if let pending = share.pending, pending.at <= time.milliseconds {
                    _ = try await complete(share)
                    upkeep.completed += 1
                }
            } catch let error as StoreError where error.code == .notFound {
                continue  // Its version is gone, and with it everything there was to share.
            } catch {
                upkeep.failures.append("share \(share.shareID): \(error)")
            }
        }
        return upkeep
    }
}
