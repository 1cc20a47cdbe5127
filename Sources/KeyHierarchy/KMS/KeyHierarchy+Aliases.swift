public import Catalog
import Cryptography
import Foundation
import Synchronization

extension KeyHierarchy {
    /// Throws `validation` unless a name begins as those of aliases do.
    package static func checkAliasPrefix(_ name: String) throws(KeyError) {
        guard name.hasPrefix("alias/"), name.utf8.count > 6 else {
            throw KeyError(
                .validation,
                "Alias must start with the prefix \"alias/\". Please see "
                    + "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
        }
    }

    package static func checkAliasName(_ name: String) throws(KeyError) {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        try checkAliasPrefix(name)
        // The shape of aliases allows colons, their names do not.
        guard !name.contains(":") else {
            throw KeyError(.validation, "\(name) contains invalid characters for an alias")
        }
        guard allowed, name.utf8.count <= 256 else {
            throw KeyError(
                .invalidAliasName, "Alias \(name) may only have letters, digits and the characters :/_-, up to 256.")
        }
        guard !name.hasPrefix("alias/aws/") else {
            throw KeyError(.notAuthorizedReserved, "Alias names that begin with alias/aws/ are reserved.")
        }
    }

    /// The ARN of the key that an alias means, as a transaction sees it. Anything else is returned as it is: names of keys,
    /// aliases that do not exist, and those of AWS-managed keys, which mean the same key for ever.
    public func keyARN(ofAlias id: String, in scope: AccountRegion, _ transaction: Transaction) throws -> String {
        let identifier = try KeyIdentifier(parsing: id, in: scope)
        guard case .alias(let name) = identifier.resource, !name.hasPrefix("alias/aws/") else { return id }
        let alias = try unsealed().records.find(
            KMSAlias.self, scope: identifier.scope.recordScope, id: name, transaction)
        return alias.map { identifier.scope.kmsARN("key/\($0.targetKeyID)") } ?? id
    }

    package func createAlias(_ name: String, target keyID: String, in scope: AccountRegion) async throws {
        try Self.checkAliasName(name)
        let state = try unsealed()
        let at = now()
        let target = try await key(scope, keyID)
        try KeyStateRules.check(.editing, target)
        try await catalog.write { transaction in
            if let existing = try state.records.find(KMSAlias.self, scope: scope.recordScope, id: name, transaction) {
                throw KeyError(.alreadyExists, "An alias with the name \(existing.arn) already exists")
            }
            guard
                try state.records.countChildren(kind: KMSAlias.kind, of: target.arn, transaction)
                    < KMSLimits.aliasesPerKey
            else { throw KeyError(.limitExceeded, "A key has at most \(KMSLimits.aliasesPerKey) aliases.") }
            let alias = KMSAlias(
                name: name, scope: scope, targetKeyID: keyID, createdAt: at.milliseconds, updatedAt: at.milliseconds)
            try state.records.save(alias, action: "create", transaction)
        }
        caches.withLock { $0.drop(alias: .init(scope: scope, id: name)) }
    }

    package func updateAlias(_ name: String, target keyID: String, in scope: AccountRegion) async throws {
        try Self.checkAliasName(name)
        let state = try unsealed()
        let at = now()
        let target = try await key(scope, keyID)
        guard let present = try await alias(scope, name) else {
            throw KeyError(.notFound, "Alias \(scope.kmsARN(name)) is not found.")
        }
        let current = try await key(scope, present.targetKeyID)
        guard Self.sameKind(current, target) else {
            throw KeyError(
                .validation,
                "Alias \(name) cannot be changed from a \(current.spec) \(current.usage) key to a \(target.spec) \(target.usage) key."
            )
        }
        try KeyStateRules.check(.editing, target)
        try await catalog.write { transaction in
            guard var alias = try state.records.find(KMSAlias.self, scope: scope.recordScope, id: name, transaction)
            else {
                throw KeyError(.notFound, "Alias \(scope.kmsARN(name)) is not found.")
            }
            alias.targetKeyID = keyID
            alias.updatedAt = at.milliseconds
            try state.records.save(alias, action: "retarget", transaction)
        }
        caches.withLock { $0.drop(alias: .init(scope: scope, id: name)) }
    }

    /// Symmetric, asymmetric and HMAC keys do not replace each other, nor do usages.
    private static func sameKind(_ a: KMSKey, _ b: KMSKey) -> Bool {
        func family(_ spec: String) -> String {
            spec == "SYMMETRIC_DEFAULT" ? "symmetric" : spec.hasPrefix("HMAC") ? "hmac" : "asymmetric"
        }
        return family(a.spec) == family(b.spec) && a.usage == b.usage
    }

    package func deleteAlias(_ name: String, in scope: AccountRegion) async throws {
        let state = try unsealed()
        try await catalog.write { transaction in
            guard let alias = try state.records.find(KMSAlias.self, scope: scope.recordScope, id: name, transaction)
            else {
                throw KeyError(.notFound, "Alias \(scope.kmsARN(name)) is not found.")
            }
            try state.records.delete(alias, transaction)
        }
        caches.withLock { $0.drop(alias: .init(scope: scope, id: name)) }
    }

    /// Aliases in the order of their names: all of an account and Region, or those of one key. Predefined aliases
    /// that have no key yet are listed without target.
    package func listAliases(
        _ scope: AccountRegion, of keyID: String?, after marker: String, limit: Int
    ) async throws -> [(name: String, alias: KMSAlias?)] {
        let state = try unsealed()
        let stored = try await catalog.read { transaction in
            if let keyID {
                return try state.records.children(
                    KMSAlias.self, of: scope.kmsARN("key/\(keyID)"), after: marker, limit: limit, transaction)
            }
            return try state.records.list(
                KMSAlias.self, scope: scope.recordScope, after: marker, limit: limit, transaction)
        }
        var result: [(name: String, alias: KMSAlias?)] = stored.map { ($0.name, $0) }
        if keyID == nil {
            let known = Set(stored.map(\.name))
            let end = stored.count == limit ? stored.last?.name : nil
            for service in AWSManagedKeys.services {
                let name = "alias/aws/\(service)"
                guard name > marker, !known.contains(name), end.map({ name < $0 }) ?? true else { continue }
                result.append((name, nil))
            }
            result.sort { $0.name < $1.name }
        }
        return Array(result.prefix(limit))
    }
}

extension KeyError.Code {
    /// Names under `alias/aws/` belong to the services.
    static let notAuthorizedReserved = KeyError.Code(rawValue: "NotAuthorizedException")
}
