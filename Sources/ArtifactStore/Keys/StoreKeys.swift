public import Cryptography
public import Foundation
public import KeyHierarchy

/// A key that can protect versions, as the key service names it.
public struct StoreKeyReference: Sendable, Hashable {
    /// The key's id.
    public let id: String
    /// The key's ARN.
    public let arn: String

    /// A reference.
    public init(id: String, arn: String) {
        self.id = id
        self.arn = arn
    }
}

/// The secrets of one deduplication domain in one epoch.
public struct StoreDomain: Sendable {
    /// 16 bytes, random.
    public let id: [UInt8]
    /// Counts up from 1.
    public let epoch: UInt32
    /// Makes keyed ids.
    public let idKey: SecretBytes
    /// Makes chunk keys.
    public let chunkKey: SecretBytes
    /// Makes the chunker's table.
    public let cutKey: SecretBytes

    /// A domain.
    public init(id: [UInt8], epoch: UInt32, idKey: SecretBytes, chunkKey: SecretBytes, cutKey: SecretBytes) {
        self.id = id
        self.epoch = epoch
        self.idKey = idKey
        self.chunkKey = chunkKey
        self.cutKey = cutKey
    }
}

/// How far a domain reaches: what `StoreConfiguration.Scope` selects, filled in.
public enum StoreDomainScope: Sendable, Hashable {
    case key(StoreKeyReference, AccountRegion)
    case account(AccountRegion)
    case pipeline(String, StoreKeyReference, AccountRegion)
    case artifact(String, StoreKeyReference, AccountRegion)
}

/// What the store needs from a key hierarchy. Calls may reach a key service and fail with its errors.
public protocol StoreKeys: Sendable {
    /// The key that `keyID` (id, ARN, alias; nil: the account's default) means in `scope`.
    func resolve(_ keyID: String?, in scope: AccountRegion) async throws -> StoreKeyReference
    /// A fresh data key and its wrapped form: an envelope (CFKE) with the owner as its only recipient.
    func newDataKey(
        under key: StoreKeyReference, for binding: DataKeyBinding
    ) async throws -> (key: SecretBytes, wrapped: [UInt8])
    /// Unwraps a data key with the owner's key.
    func openDataKey(_ wrapped: [UInt8], of binding: DataKeyBinding) async throws -> SecretBytes
    /// The current storage key and its version.
    func currentStorageKey() async throws -> (version: UInt32, key: SecretBytes)
    /// An earlier storage key.
    func storageKey(version: UInt32) async throws -> SecretBytes
    /// Versions of the storage key that are not destroyed, oldest first.
    func storageKeyVersions() async throws -> [UInt32]
    /// Makes a new storage key current.
    func rotateStorageKey() async throws -> (version: UInt32, key: SecretBytes)
    /// Destroys a storage key that is not current and that nothing is sealed under any more.
    func destroyStorageKey(version: UInt32) async throws
    /// Signs what the store states.
    func signer() async throws -> any StoreSigner
    /// The domain for new content of a scope.
    func domain(for scope: StoreDomainScope) async throws -> StoreDomain
    /// A domain by name, to read what was written in it. `key` is the key that protects the version being read.
    func domain(id: [UInt8], epoch: UInt32) async throws -> StoreDomain
    /// The epoch of a domain that takes new content.
    func newestDomain(id: [UInt8]) async throws -> StoreDomain
    /// Wraps a data key anew for everybody who can open it: under the current material of their keys, the owner's under
    /// `key`. Returns nil when it is so wrapped already.
    func rewrapDataKey(
        _ wrapped: [UInt8], of binding: DataKeyBinding, under key: StoreKeyReference
    ) async throws -> [UInt8]?
    /// Wraps the secrets of the domains of a key under its current material.
    func rewrapDomains(ofKey arn: String) async throws
    /// Starts a new epoch of a domain. Returns its number.
    func rotateDomain(id: [UInt8]) async throws -> UInt32
    /// Epochs of all domains that take no new content and are not destroyed, with the time since when each was noticed to
    /// be unused.
    func retiredDomainEpochs() async throws -> [StoreDomainEpoch]
    /// Notes that no version needs an epoch, or that one does. Returns since when it is unused.
    func noteDomainEpoch(_ epoch: StoreDomainEpoch, isUnused: Bool) async throws -> Date?
    /// Destroys the secret of an epoch that no version needs.
    func destroyDomainEpoch(_ epoch: StoreDomainEpoch) async throws
}

/// One epoch of a domain, without its secret.
public struct StoreDomainEpoch: Sendable, Hashable {
    /// 16 bytes.
    public let id: [UInt8]
    /// Counts up from 1.
    public let epoch: UInt32
    /// Since when nothing needs it, when that was noticed.
    public let unusedSince: Date?

    /// An epoch.
    public init(id: [UInt8], epoch: UInt32, unusedSince: Date? = nil) {
        self.id = id
        self.epoch = epoch
        self.unusedSince = unusedSince
    }
}
