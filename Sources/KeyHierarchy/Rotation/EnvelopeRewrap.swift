public import Cryptography

extension KeyHierarchy {
    /// An envelope for a data key that had none, with one recipient.
    public func envelope(
        around dataKey: SecretBytes, artifactID: [UInt8], for reference: KMSKeyReference, context: [String: String]
    ) async throws -> [UInt8] {
        let key = try await key(reference.scope, reference.keyID)
        var envelope = ArtifactKeyEnvelope(artifactID: artifactID, generation: 1)
        envelope.recipients = [
            ArtifactKeyEnvelope.Recipient(
                keyARN: key.arn, context: context, blob: try await encrypt(dataKey, under: key, context: context),
                created: now(), notAfter: nil, grantID: nil)
        ]
        return envelope.encode(dataKey)
    }

    /// Wraps an artifact's data key anew under the current material of its recipients' keys, the owner's under `reference`.
    ///
    /// The wraps of recipients whose key cannot be used now are kept as they are.
    /// - Parameter owner: the encryption context of the owner's entry.
    /// - Returns: nil when nothing would change.
    /// - Throws: by the state of the owner's key; `KeyFormatError` when the envelope was altered or has no such owner.
    public func rewrapEnvelope(
        _ bytes: [UInt8], owner: [String: String], under reference: KMSKeyReference
    ) async throws -> [UInt8]? {
        var envelope = try ArtifactKeyEnvelope(parsing: bytes)
        let opened = try await openEnvelope(bytes, of: envelope.artifactID, context: owner)
        var hasChanged = false
        for (index, recipient) in envelope.recipients.enumerated() {
            let isOwner = recipient.context == owner
            do {
                let target = isOwner ? reference : try Self.keyReference(recipient.keyARN)
                let key = try await key(target.scope, target.keyID)
                if key.arn == recipient.keyARN, try isCurrent(recipient.blob, key) { continue }
                let blob = try await encrypt(opened.key, under: key, context: recipient.context)
                envelope.recipients[index] = ArtifactKeyEnvelope.Recipient(
                    keyARN: key.arn, context: recipient.context, blob: blob, created: recipient.created,
                    notAfter: recipient.notAfter, grantID: recipient.grantID)
                hasChanged = true
            } catch let error as KeyError where !isOwner && error.code != .sealed {
                continue  // Somebody else's key, disabled or deleted: theirs to see to.
            }
        }
        return hasChanged ? envelope.encode(opened.key) : nil
    }

    private func isCurrent(_ blob: [UInt8], _ key: KMSKey) throws -> Bool {
        guard let current = key.current.flatMap({ Hex.decode($0.materialID) }) else { return false }
        let parsed = try Self.parse(blob)
        return parsed.keyID == key.keyID && parsed.materialReference == Array(current.prefix(16))
    }
}
