import Catalog
import Cryptography
import Foundation
import Synchronization

extension KeyHierarchy {
    /// Makes a replica of a multi-Region primary key in another Region: same ID and material, own policy and state.
    package func replicate(
        _ primary: KMSKey, to region: String, policy: String, description: String, tags: [String: String]
    ) async throws -> KMSKey {
        guard primary.isMultiRegion, primary.isPrimaryOrSingle else {
            throw KeyError(.unsupported, "\(primary.arn) is not a multi-region primary key.")
        }
        try KeyStateRules.check(.replicate, primary)
        guard region != primary.scope.region, !region.isEmpty else {
            throw KeyError(.validation, "ReplicaRegion must be another Region than that of the primary key.")
        }
        let scope = AccountRegion(account: primary.scope.account, region: region)
        return try await change(primary.scope, primary.keyID, action: "replicate") { primary, change in
            try KeyStateRules.check(.replicate, primary)
            guard try change.find(scope, primary.keyID) == nil else {
                throw KeyError(.alreadyExists, "\(scope.kmsARN("key/\(primary.keyID)")) already exists.")
            }
            var replica = primary
            replica.scope = scope
            replica.policy = policy
            replica.description = description
            replica.tags = tags
            replica.createdAt = change.milliseconds
            replica.onDemandRotations = 0
            for index in replica.materials.indices {
                let version = replica.materials[index].version
                if primary.origin == "EXTERNAL" {
                    // Imported material is brought to each Region by its owner.
                    replica.materials[index].importState = "PENDING_IMPORT"
                    replica.materials[index].validTo = nil
                } else if let secret = try change.backing(primary, version: version) {
                    try change.store(secret, replica, version: version)
                }
            }
            replica.state = primary.origin == "EXTERNAL" ? .pendingImport : .creating
            replica.transitionAt = replica.state == .creating ? change.milliseconds : nil
            let regions = (primary.replicaRegions + [region]).sorted()
            primary.replicaRegions = regions
            replica.replicaRegions = regions
            for var relative in try change.relatives(primary) {
                relative.replicaRegions = regions
                try change.save(relative, "replicate")
            }
            try change.save(replica, "create")
            return replica
        }
    }

    /// Makes a replica the primary key, and the primary a replica.
    package func updatePrimaryRegion(_ primary: KMSKey, to region: String) async throws {
        guard primary.isMultiRegion, primary.isPrimaryOrSingle else {
            throw KeyError(.unsupported, "\(primary.arn) is not a multi-Region primary key.")
        }
        try KeyStateRules.check(.updatePrimary, primary)
        let scope = AccountRegion(account: primary.scope.account, region: region)
        try await change(primary.scope, primary.keyID, action: "update-primary") { primary, change in
            guard region != primary.scope.region, try change.find(scope, primary.keyID) != nil else {
                throw KeyError(.notFound, "\(scope.kmsARN("key/\(primary.keyID)")) is not a replica of \(primary.arn).")
            }
            let regions = (primary.replicaRegions.filter { $0 != region } + [primary.scope.region]).sorted()
            func update(_ key: inout KMSKey) {
                key.primaryRegion = region
                key.replicaRegions = regions
            }
            for var relative in try change.relatives(primary) {
                update(&relative)
                if relative.scope.region == region, relative.state == .enabled {
                    relative.state = .updating
                    relative.transitionAt = change.milliseconds
                }
                try change.save(relative, "update-primary")
            }
            update(&primary)
            primary.state = .updating
            primary.transitionAt = change.milliseconds
        }
    }
}
