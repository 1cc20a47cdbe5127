import Cryptography
public import Foundation

extension KeyHierarchy {
    /// A fresh artifact data key and its envelope for one recipient.
    ///
    /// - Parameters:
    ///   - artifactID: sixteen bytes that name the artifact version for ever.
    ///   - context: the encryption context of the wrap, for example the object's ARN.
    public func createEnvelope(
        artifactID: [UInt8], for reference: KMSKeyReference, context: [String: String]
    ) async throws -> (dataKey: ArtifactDataKey, envelope: [UInt8]) {
        guard artifactID.count == 16 else {
            throw KeyError(.validation, "An artifact ID has sixteen bytes, not \(artifactID.count).")
        }
        let secret = SecretBytes.random(count: 32)
        var envelope = ArtifactKeyEnvelope(artifactID: artifactID, generation: 1)
        envelope.recipients = [try await wrap(secret, reference, context, notAfter: nil, grantID: nil)]
        let key = ArtifactDataKey(key: secret, generation: 1, keyARN: reference.keyARN)
        return (key, envelope.encode(secret))
    }

    /// Opens an envelope with the first recipient key that can be used now, or with `keyARN` only.
    ///
    /// Throws the last key's refusal when none opens it (`disabled`, `invalidState`, `accessDenied` when all entries are
    /// past their time), and `KeyFormatError` when the envelope was altered.
    public func openEnvelope(_ bytes: [UInt8], using keyARN: String? = nil) async throws -> ArtifactDataKey {
        try await open(try ArtifactKeyEnvelope(parsing: bytes), bytes) { keyARN == nil || $0.keyARN == keyARN }
    }

    private func open(
        _ envelope: ArtifactKeyEnvelope, _ bytes: [UInt8], where isWanted: (ArtifactKeyEnvelope.Recipient) -> Bool
    ) async throws -> ArtifactDataKey {
        let time = now()
        var refusal: any Error = KeyError(
            .accessDenied, "None of the artifact's recipients within their time is the one that asks.")
        for recipient in envelope.recipients where isWanted(recipient) {
            if let end = recipient.notAfter, end <= time { continue }
            do {
                let key = try await referencedKey(recipient.keyARN)
                let secret = try await decrypt(
                    Self.parse(recipient.blob), with: key, context: recipient.context)
                try envelope.verify(bytes, secret)
                return ArtifactDataKey(key: secret, generation: envelope.generation, keyARN: recipient.keyARN)
            } catch let error as KeyError {
                refusal = error
            }
        }
        throw refusal
    }

    /// Opens the envelope of an artifact with the recipients that have exactly `context`.
    ///
    /// Throws `KeyFormatError` when the envelope was altered, is another artifact's or has no such recipient; `accessDenied`
    /// when the recipient's time is over; else the last key's refusal.
    public func openEnvelope(
        _ bytes: [UInt8], of artifactID: [UInt8], context: [String: String]
    ) async throws -> ArtifactDataKey {
        let envelope = try ArtifactKeyEnvelope(parsing: bytes)
        guard envelope.artifactID == artifactID else {
            throw KeyFormatError("CFKE", "it belongs to another artifact")
        }
        guard envelope.recipients.contains(where: { $0.context == context }) else {
            throw KeyFormatError("CFKE", "it has no recipient with this encryption context")
        }
        return try await open(envelope, bytes) { $0.context == context }
    }

    /// Shares: wraps the data key for one more recipient. About 300 bytes; nothing of the artifact is touched.
    public func addRecipient(
        to bytes: [UInt8], _ reference: KMSKeyReference, context: [String: String], notAfter: Date? = nil,
        grantID: String? = nil
    ) async throws -> [UInt8] {
        let opened = try await openEnvelope(bytes)
        var envelope = try ArtifactKeyEnvelope(parsing: bytes)
        guard envelope.recipients.count < ArtifactKeyEnvelope.recipientsMax else {
            throw KeyError(.limitExceeded, "An artifact has at most \(ArtifactKeyEnvelope.recipientsMax) recipients.")
        }
        envelope.recipients.removeAll { $0.keyARN == reference.keyARN && $0.context == context }
        envelope.recipients.append(
            try await wrap(opened.key, reference, context, notAfter: notAfter, grantID: grantID))
        return envelope.encode(opened.key)
    }

    /// Revokes at the first depth: drops the recipients with a context. The same bytes when there are none.
    ///
    /// Opens the envelope with whichever of its keys can be used, its owner's or a recipient's.
    public func removeRecipients(from bytes: [UInt8], context: [String: String]) async throws -> [UInt8] {
        var envelope = try ArtifactKeyEnvelope(parsing: bytes)
        let kept = envelope.recipients.filter { $0.context != context }
        if kept.count == envelope.recipients.count { return bytes }
        guard !kept.isEmpty else {
            throw KeyError(.validation, "The last recipient cannot be removed; delete the artifact instead.")
        }
        let opened = try await openEnvelope(bytes)
        envelope.recipients = kept
        return envelope.encode(opened.key)
    }

    /// Revokes at the first depth: drops a recipient, so that no later read can use its key.
    public func removeRecipient(from bytes: [UInt8], keyARN: String) async throws -> [UInt8] {
        let opened = try await openEnvelope(bytes)
        var envelope = try ArtifactKeyEnvelope(parsing: bytes)
        let before = envelope.recipients.count
        envelope.recipients.removeAll { $0.keyARN == keyARN }
        guard envelope.recipients.count < before else {
            throw KeyError(.notFound, "\(keyARN) is not a recipient of the artifact.")
        }
        guard !envelope.recipients.isEmpty else {
            throw KeyError(.validation, "The last recipient cannot be removed; delete the artifact instead.")
        }
        return envelope.encode(opened.key)
    }

    /// Wraps the data key anew under the current material of every recipient key; after a key's rotation.
    public func rewrapEnvelope(_ bytes: [UInt8]) async throws -> [UInt8] {
        let opened = try await openEnvelope(bytes)
        var envelope = try ArtifactKeyEnvelope(parsing: bytes)
        for (index, recipient) in envelope.recipients.enumerated() {
            let key = try await referencedKey(recipient.keyARN)
            let blob = try await encrypt(opened.key, under: key, context: recipient.context)
            envelope.recipients[index] = ArtifactKeyEnvelope.Recipient(
                keyARN: recipient.keyARN, context: recipient.context, blob: blob, created: recipient.created,
                notAfter: recipient.notAfter, grantID: recipient.grantID)
        }
        return envelope.encode(opened.key)
    }

    /// Revokes at the second depth: a new data key for the same recipients. The caller seals the manifest anew under it.
    ///
    /// Recipients whose time is over are left out. Those whose key cannot be used are left out too and named in `dropped`,
    /// unless `owner` is their context: without the owner's key nothing is re-keyed.
    public func rekeyEnvelope(_ bytes: [UInt8], owner: [String: String]? = nil) async throws -> RekeyedEnvelope {
        let old = try await openEnvelope(bytes)
        let before = try ArtifactKeyEnvelope(parsing: bytes)
        let secret = SecretBytes.random(count: 32)
        var envelope = ArtifactKeyEnvelope(artifactID: before.artifactID, generation: before.generation + 1)
        var dropped: [[String: String]] = []
        let time = now()
        for recipient in before.recipients {
            if let end = recipient.notAfter, end <= time { continue }
            do {
                let key = try await referencedKey(recipient.keyARN)
                envelope.recipients.append(
                    ArtifactKeyEnvelope.Recipient(
                        keyARN: recipient.keyARN, context: recipient.context,
                        blob: try await encrypt(secret, under: key, context: recipient.context),
                        created: recipient.created, notAfter: recipient.notAfter, grantID: recipient.grantID))
            } catch let error as KeyError where error.code != .sealed && owner != nil && recipient.context != owner {
                dropped.append(recipient.context)
            }
        }
        let new = ArtifactDataKey(key: secret, generation: envelope.generation, keyARN: old.keyARN)
        return RekeyedEnvelope(old: old, new: new, envelope: envelope.encode(secret), dropped: dropped)
    }

    private func wrap(
        _ secret: SecretBytes, _ reference: KMSKeyReference, _ context: [String: String], notAfter: Date?,
        grantID: String?
    ) async throws -> ArtifactKeyEnvelope.Recipient {
        let key = try await key(reference.scope, reference.keyID)
        return ArtifactKeyEnvelope.Recipient(
            keyARN: key.arn, context: context, blob: try await encrypt(secret, under: key, context: context),
            created: now(), notAfter: notAfter, grantID: grantID)
    }

    private func referencedKey(_ arn: String) async throws -> KMSKey {
        let identifier = try KeyIdentifier(parsing: arn, in: AccountRegion(account: "", region: ""))
        guard case .key(let keyID) = identifier.resource else {
            throw KeyError(.invalidARN, "\(arn) is not the ARN of a key.")
        }
        return try await key(identifier.scope, keyID)
    }
}

/// An envelope under a new data key.
public struct RekeyedEnvelope: Sendable {
    /// What it was before.
    public let old: ArtifactDataKey
    /// What it is now.
    public let new: ArtifactDataKey
    /// The new envelope.
    public let envelope: [UInt8]
    /// The contexts of recipients that could not be taken along.
    public let dropped: [[String: String]]
}
