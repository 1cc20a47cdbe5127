import AWSProtocol
import AccessControl
import Foundation
import KeyHierarchy
import Synchronization

/// One request as authorisation sees it.
struct KMSCall: Sendable {
    let principal: Principal
    let region: String
    let remoteAddress: String
    let isSecure: Bool
    let time: Date

    /// Throws `AccessDenied` for an anonymous request.
    init(_ request: ServiceRequest) throws(AWSError) {
        principal = try request.requirePrincipal()
        region = request.region
        remoteAddress = request.remoteAddress
        isSecure = request.isSecure
        time = request.receivedAt
    }

    /// A service's own call on behalf of somebody.
    init(principal: Principal, region: String, _ request: ServiceRequest) {
        self.principal = principal
        self.region = region
        remoteAddress = request.remoteAddress
        isSecure = request.isSecure
        time = request.receivedAt
    }

    /// The caller's own account in the Region the request came to.
    var scope: AccountRegion { AccountRegion(account: principal.account, region: region) }
}

/// What an operation is about to do, for conditions of policies and constraints of grants.
struct KMSAction: Sendable {
    /// Without `kms:`.
    let name: String
    /// The operation as grants name it, when grants can allow it.
    var grantOperation: String?
    /// The encryption context, for symmetric operations.
    var context: [String: String]?
    /// The alias the key was asked for by.
    var alias: String?
    /// Further condition keys.
    var conditions: [String: [String]] = [:]

    init(
        _ name: String, grant: String? = nil, context: [String: String]? = nil, alias: String? = nil,
        conditions: [String: [String]] = [:]
    ) {
        self.name = name
        grantOperation = grant
        self.context = context
        self.alias = alias
        self.conditions = conditions
    }
}

/// Decides about KMS requests: key policy, the account's own permissions, grants.
///
/// An explicit deny decides. Otherwise the key policy must allow the principal itself, or allow the account and the
/// account's own permissions must allow it too, or a grant must match. Across accounts both sides must allow.
struct KMSAuthorizer: Sendable {
    let keys: KeyHierarchy
    let access: AccessControl
    private let parsed = ParsedPolicies()

    /// How a request was allowed.
    enum Basis: Sendable {
        case policy
        /// The grants that match; what is granted on may only be narrower.
        case grants([KMSGrant])
    }

    init(keys: KeyHierarchy, access: AccessControl) {
        self.keys = keys
        self.access = access
    }

    /// What another account hears of a key that it may not use, and of one that does not exist: the same.
    static func foreignRefusal(_ principal: Principal) -> KeyError {
        KeyError(
            .accessDenied,
            "User: \(principal.arn) is not authorized to perform this operation because the resource does not exist in "
                + "this Region, no resource-based policies allow access, or a resource-based policy explicitly denies "
                + "access")
    }

    /// Throws `accessDenied` unless the caller may perform the action on the key.
    @discardableResult
    func authorize(_ call: KMSCall, _ action: KMSAction, on key: KMSKey) async throws -> Basis {
        do {
            return try await decide(call, action, on: key)
        } catch let error as KeyError where error.code == .accessDenied && call.principal.account != key.scope.account {
            throw Self.foreignRefusal(call.principal)
        }
    }

    private func decide(_ call: KMSCall, _ action: KMSAction, on key: KMSKey) async throws -> Basis {
        let full = "kms:\(action.name)"
        let policy = try parsed.policy(of: key)
        // Most policies have no conditions, and gathering their values is most of a decision's work.
        let conditions = policy.hasConditions ? try await conditionValues(call, action, key) : [:]
        var allowsPrincipal = false
        var allowsAccount = false
        let folded = full.lowercased()
        for statement in policy.statements where applies(statement, folded, key, conditions) {
            switch (matches(statement, call.principal, key.scope), statement.allows) {
            case (.no, _): continue
            case (_, false): throw denied(call, full, key.arn, "with an explicit deny in a resource-based policy")
            case (.principal, true): allowsPrincipal = true
            case (.account, true): allowsAccount = true
            }
        }
        let own = call.principal.account == key.scope.account
        let identityAllows = identityAllows(call.principal, full, key.arn, own: own)
        if own
            ? (allowsPrincipal && Self.isWithinSession(call.principal, full, key.arn))
                || (allowsAccount && identityAllows)
            : (allowsPrincipal || allowsAccount) && identityAllows
        {
            return .policy
        }
        if let operation = action.grantOperation, own || identityAllows {
            // A grant to an account is the account's to hand on: sessions get of it what they were limited to.
            let isWithinSession = Self.isWithinSession(call.principal, full, key.arn)
            let matching = try await keys.grants(key.scope, key.keyID).filter {
                $0.allows(operation, to: call.principal, context: action.context)
                    && (isWithinSession || $0.namesPrincipal(call.principal))
            }
            if !matching.isEmpty { return .grants(matching) }
        }
        throw denied(call, full, key.arn, "because no resource-based policy allows the \(full) action")
    }

    /// For operations without a key: the account's own permissions decide.
    func authorize(_ call: KMSCall, _ name: String, resource: String = "*") throws(KeyError) {
        do {
            try access.authorize(call.principal, action: "kms:\(name)", resource: resource)
        } catch {
            throw KeyError(.accessDenied, error.description)
        }
    }

    /// Refuses a policy that would keep the caller from ever changing it again.
    func checkLockout(_ call: KMSCall, _ text: String, _ key: KMSKey) throws(KeyError) {
        let policy = try KeyPolicy(parsing: text)
        var future = key
        future.policy = text
        let conditions = baseConditions(call, KMSAction("PutKeyPolicy"), future, aliases: [])
        var allowed = false
        for statement in policy.statements where applies(statement, "kms:putkeypolicy", future, conditions) {
            let match = matches(statement, call.principal, key.scope)
            if match == .no { continue }
            if !statement.allows {
                allowed = false
                break
            }
            allowed = true
        }
        guard allowed else {
            throw KeyError(
                .malformedPolicy, "The new key policy will not allow you to update the key policy in the future.")
        }
    }

    // MARK: Matching

    private enum Match { case no, account, principal }

    private func matches(_ statement: KeyPolicy.Statement, _ principal: Principal, _ owner: AccountRegion) -> Match {
        var best = Match.no
        for name in statement.principals {
            if name.text == "*" || Self.names(name.text, principal) {
                best = .principal
                break
            }
            if name.account == principal.account { best = .account }
        }
        guard statement.isNotPrincipal else { return best }
        return best == .no ? .principal : .no
    }

    /// Whether an ARN names the principal: itself, or the role of its session.
    static func names(_ arn: String, _ principal: Principal) -> Bool {
        if arn == principal.arn { return !arn.hasSuffix(":root") }
        // An account's own ARN, which most callers have, is no session's.
        guard !principal.arn.hasSuffix(":root") else { return false }
        let parts = principal.arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[5].hasPrefix("assumed-role/") else { return false }
        let role = parts[5].split(separator: "/")
        return role.count >= 2 && arn == "arn:\(parts[1]):iam::\(parts[4]):role/\(role[1])"
    }

    /// - Parameter action: in lower case.
    private func applies(
        _ statement: KeyPolicy.Statement, _ action: String, _ key: KMSKey, _ conditions: [String: [String]]
    ) -> Bool {
        let actionMatches = statement.actions.contains { Wildcard.matches($0, action) }
        let resourceMatches = statement.resources.contains { $0 == "*" || Wildcard.matches($0, key.arn) }
        return actionMatches != statement.isNotAction && resourceMatches != statement.isNotResource
            && statement.conditions.allSatisfy { $0.holds(conditions) }
    }

    private func identityAllows(_ principal: Principal, _ action: String, _ arn: String, own: Bool) -> Bool {
        guard own else { return Self.isWithinSession(principal, action, arn) }
        return (try? access.authorize(principal, action: action, resource: arn)) != nil
    }

    /// Temporary credentials never exceed what they were limited to.
    static func isWithinSession(_ principal: Principal, _ action: String, _ arn: String) -> Bool {
        principal.grant?.statements.contains { $0.allows(action: action, resource: arn) } ?? true
    }

    private func denied(_ call: KMSCall, _ action: String, _ resource: String, _ reason: String) -> KeyError {
        KeyError(
            .accessDenied,
            "User: \(call.principal.arn) is not authorized to perform: \(action) on resource: \(resource) \(reason)")
    }

    // MARK: Condition keys

    private func conditionValues(_ call: KMSCall, _ action: KMSAction, _ key: KMSKey) async throws -> [String: [String]]
    {
        let policyWantsAliases = key.policy.contains("ResourceAliases")
        let aliases =
            policyWantsAliases
            ? try await keys.listAliases(key.scope, of: key.keyID, after: "", limit: KMSLimits.aliasesPerKey).map(
                \.name)
            : []
        return baseConditions(call, action, key, aliases: aliases)
    }

    private func baseConditions(
        _ call: KMSCall, _ action: KMSAction, _ key: KMSKey, aliases: [String]
    ) -> [String: [String]] {
        var values: [String: [String]] = [
            "kms:calleraccount": [call.principal.account], "aws:principalaccount": [call.principal.account],
            "aws:principalarn": [call.principal.arn], "aws:userid": [call.principal.userID],
            "aws:sourceip": [call.remoteAddress], "aws:securetransport": [call.isSecure ? "true" : "false"],
            "aws:currenttime": ["\(call.time.timeIntervalSince1970)"],
            "aws:epochtime": ["\(call.time.timeIntervalSince1970)"], "aws:requestedregion": [call.region],
            "kms:keyorigin": [key.origin], "kms:keyspec": [key.spec], "kms:keyusage": [key.usage],
            "kms:customermasterkeyspec": [key.spec], "kms:customermasterkeyusage": [key.usage],
            "kms:multiregion": [key.isMultiRegion ? "true" : "false"],
        ]
        if key.isMultiRegion { values["kms:multiregionkeytype"] = [key.isPrimaryOrSingle ? "PRIMARY" : "REPLICA"] }
        if !aliases.isEmpty { values["kms:resourcealiases"] = aliases }
        if let alias = action.alias { values["kms:requestalias"] = [alias] }
        for (name, value) in action.context ?? [:] {
            // Names that differ in case only are one condition key with several values.
            values["kms:encryptioncontext:\(name.lowercased())", default: []].append(value)
        }
        if let context = action.context, !context.isEmpty {
            values["kms:encryptioncontextkeys"] = context.keys.sorted()
        }
        for (name, value) in key.tags { values["aws:resourcetag/\(name.lowercased())"] = [value] }
        for (name, list) in action.conditions { values[name.lowercased()] = list }
        return values
    }
}

extension KMSGrant {
    /// Whether the grantee is the principal itself or the role of its session, not only its account.
    func namesPrincipal(_ principal: Principal) -> Bool {
        (granteePrincipal == principal.arn && !granteePrincipal.hasSuffix(":root"))
            || KMSAuthorizer.names(granteePrincipal, principal)
    }

    /// Whether the grant allows an operation to a principal with an encryption context.
    func allows(_ operation: String, to principal: Principal, context: [String: String]?) -> Bool {
        guard operations.contains(operation) else { return false }
        let grantee = granteePrincipal
        guard
            grantee == principal.arn || KMSAuthorizer.names(grantee, principal) || grantee == principal.account
                || (grantee.hasSuffix(":root") && grantee.contains("::\(principal.account):"))
        else { return false }
        // Constraints concern operations that take a context.
        guard let context else { return true }
        return constraintsHold(context)
    }

    /// Constraint keys compare without regard to case, values exactly. A context with two names that differ in case only
    /// satisfies no constraint: which of the two is meant cannot be told.
    func constraintsHold(_ context: [String: String]) -> Bool {
        guard contextEquals != nil || contextSubset != nil else { return true }
        func folded(_ pairs: [String: String]) -> [String: String] {
            Dictionary(pairs.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
        }
        let actual = folded(context)
        guard actual.count == context.count else { return false }
        func holds(_ wanted: [String: String]) -> Bool {
            folded(wanted).allSatisfy { name, value in actual[name].map { Exact.equal($0, value) } ?? false }
        }
        if let exact = contextEquals, actual.count != folded(exact).count || !holds(exact) { return false }
        if let subset = contextSubset { return holds(subset) }
        return true
    }
}

/// Parsed policies of keys: parsing is the costly part of a decision.
private final class ParsedPolicies: Sendable {
    private struct Entry {
        let text: String
        let policy: KeyPolicy
    }

    private let known = Mutex<[String: Entry]>([:])

    /// A key's policy. What is known under its ID is taken only if it is the same text.
    func policy(of key: KMSKey) throws(KeyError) -> KeyPolicy {
        if let entry = known.withLock({ $0[key.keyID] }), Exact.equal(entry.text, key.policy) { return entry.policy }
        let policy = try KeyPolicy(parsing: key.policy)
        known.withLock { known in
            if known.count >= 1000 { known.removeAll(keepingCapacity: true) }
            known[key.keyID] = Entry(text: key.policy, policy: policy)
        }
        return policy
    }
}
