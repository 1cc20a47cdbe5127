import Cryptography

/// Keys and secrets kept in memory so that hot calls need no SQL.
///
/// Entries are dropped after the commit that changes them and before its caller hears of it. A reader notes `epoch` before
/// it reads rows and may fill the cache only when no drop happened since; a stale value can therefore not come back.
struct KeyCaches {
    struct Name: Hashable {
        let scope: AccountRegion
        let id: String
    }

    struct BackingName: Hashable {
        let scope: AccountRegion
        let keyID: String
        let version: UInt32
    }

    struct DomainName: Hashable {
        let id: [UInt8]
        let epoch: UInt32
    }

    private(set) var epoch: UInt64 = 0
    private(set) var keys: [Name: KMSKey] = [:]
    /// Where the keys above are, by ID: a multi-Region key is in several places.
    private(set) var scopes: [String: [AccountRegion]] = [:]
    private(set) var aliases: [Name: KMSAlias] = [:]
    private(set) var grants: [Name: [KMSGrant]] = [:]
    private(set) var backing: [BackingName: SecretBytes] = [:]
    private(set) var privateKeys: [BackingName: AsymmetricPrivateKey] = [:]
    private(set) var domains: [DomainName: StoredDomain] = [:]
    private(set) var domainsByScope: [String: DomainName] = [:]
    private static let countMax = 10_000

    init() {}

    /// Empty, and none of those before.
    init(after other: KeyCaches) { epoch = other.epoch + 1 }

    mutating func fill(_ key: KMSKey, since: UInt64) {
        guard since == epoch else { return }
        if keys.count >= Self.countMax {
            keys.removeAll(keepingCapacity: true)
            scopes.removeAll(keepingCapacity: true)
        }
        if keys.updateValue(key, forKey: Name(scope: key.scope, id: key.keyID)) == nil {
            scopes[key.keyID, default: []].append(key.scope)
        }
    }

    mutating func fill(_ alias: KMSAlias, since: UInt64) {
        guard since == epoch else { return }
        if aliases.count >= Self.countMax { aliases.removeAll(keepingCapacity: true) }
        aliases[Name(scope: alias.scope, id: alias.name)] = alias
    }

    mutating func fill(_ list: [KMSGrant], of key: Name, since: UInt64) {
        guard since == epoch else { return }
        if grants.count >= Self.countMax { grants.removeAll(keepingCapacity: true) }
        grants[key] = list
    }

    mutating func fill(_ secret: SecretBytes, _ name: BackingName, since: UInt64) {
        guard since == epoch else { return }
        if backing.count >= Self.countMax { backing.removeAll(keepingCapacity: true) }
        backing[name] = secret
    }

    mutating func fill(_ key: AsymmetricPrivateKey, _ name: BackingName, since: UInt64) {
        guard since == epoch else { return }
        if privateKeys.count >= Self.countMax { privateKeys.removeAll(keepingCapacity: true) }
        privateKeys[name] = key
    }

    mutating func fill(_ domain: StoredDomain, since: UInt64) {
        guard since == epoch else { return }
        if domains.count >= Self.countMax {
            domains.removeAll(keepingCapacity: true)
            domainsByScope.removeAll(keepingCapacity: true)
        }
        let name = DomainName(id: domain.domain.id, epoch: domain.domain.epoch)
        domains[name] = domain
        if domain.isActive { domainsByScope[domain.scope] = name }
    }

    /// Forgets a key in every Region that has it.
    mutating func drop(keyID: String) {
        epoch += 1
        keys = keys.filter { $0.key.id != keyID }
        scopes[keyID] = nil
        grants = grants.filter { $0.key.id != keyID }
        backing = backing.filter { $0.key.keyID != keyID }
        privateKeys = privateKeys.filter { $0.key.keyID != keyID }
        for (id, domain) in domains where domain.key?.keyID == keyID {
            domains[id] = nil
            domainsByScope[domain.scope] = nil
        }
    }

    mutating func drop(alias name: Name) {
        epoch += 1
        aliases[name] = nil
    }

    mutating func drop(aliasesOf target: String, _ scope: AccountRegion) {
        epoch += 1
        aliases = aliases.filter { $0.key.scope != scope || $0.value.targetKeyID != target }
    }

    mutating func dropDomains() {
        epoch += 1
        domains.removeAll()
        domainsByScope.removeAll()
    }
}
