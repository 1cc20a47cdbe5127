import Catalog
import Cryptography
import Foundation

/// Rotation of symmetric keys: a new backing key becomes current; the old ones open old ciphertexts for ever.
enum KeyRotation {
    /// Makes new material current, in all Regions of a multi-Region key.
    static func rotate(_ key: inout KMSKey, _ type: String, _ change: KeyChange) throws {
        let secret = SecretBytes.random(count: 32)
        let version = (key.materials.map(\.version).max() ?? 0) + 1
        let material = KMSKeyMaterial(
            version: version, materialID: Hex.encode(CiphertextBlob.materialID(of: secret, keyUUID: key.uuid)),
            state: "CURRENT", rotationType: type, rotatedAt: change.milliseconds)
        try change.store(secret, key, version: version)
        append(material, to: &key)
        for var relative in try change.relatives(key) {
            try change.store(secret, relative, version: version)
            append(material, to: &relative)
            try change.save(relative, "rotate")
        }
    }

    private static func append(_ material: KMSKeyMaterial, to key: inout KMSKey) {
        for index in key.materials.indices where key.materials[index].state == "CURRENT" {
            key.materials[index].state = "NON_CURRENT"
        }
        key.materials.append(material)
    }

    /// Rotation is for symmetric keys; automatic rotation only for material made here.
    static func checkKind(_ key: KMSKey, automatic: Bool) throws(KeyError) {
        guard key.spec == "SYMMETRIC_DEFAULT" else {
            throw KeyError(.unsupported, "\(key.arn) is a \(key.spec) key; only symmetric encryption keys rotate.")
        }
        guard !automatic || key.origin == "AWS_KMS" else {
            throw KeyError(.unsupported, "\(key.arn) origin is EXTERNAL which is not valid for this operation.")
        }
        guard key.isPrimaryOrSingle || !automatic else {
            throw KeyError(.unsupported, "\(key.arn) is a multi-Region replica; rotation is set on its primary key.")
        }
    }
}

extension KeyHierarchy {
    package func setRotation(
        _ enabled: Bool, periodDays: Int?, _ scope: AccountRegion, _ keyID: String
    ) async throws {
        try await change(scope, keyID, action: enabled ? "enable-rotation" : "disable-rotation") { key, change in
            try KeyRotation.checkKind(key, automatic: true)
            try KeyStateRules.check(.rotationSetting, key)
            let period = periodDays ?? 365
            if enabled {
                if !key.rotationEnabled || key.rotationPeriodDays != period {
                    let base = key.current?.rotatedAt ?? key.createdAt
                    key.nextRotationAt =
                        max(base, key.rotationEnabled ? base : change.milliseconds) + Int64(period) * 86_400_000
                }
                key.rotationPeriodDays = period
            } else {
                key.nextRotationAt = nil
            }
            key.rotationEnabled = enabled
            for var relative in try change.relatives(key) {
                relative.rotationEnabled = enabled
                relative.rotationPeriodDays = key.rotationPeriodDays
                relative.nextRotationAt = key.nextRotationAt
                try change.save(relative, "rotation")
            }
        }
    }

    /// Rotates now; for imported keys, to the material that waits.
    package func rotateOnDemand(_ scope: AccountRegion, _ keyID: String) async throws {
        try await change(scope, keyID, action: "rotate") { key, change in
            try KeyRotation.checkKind(key, automatic: false)
            guard key.isPrimaryOrSingle else {
                throw KeyError(.unsupported, "\(key.arn) is a multi-Region replica; rotate its primary key.")
            }
            try KeyStateRules.check(.rotateOnDemand, key)
            guard key.onDemandRotations < KMSLimits.onDemandRotations else {
                throw KeyError(
                    .limitExceeded,
                    "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can "
                        + "be performed for this key: \(key.arn)")
            }
            if key.origin == "EXTERNAL" {
                try ImportedMaterial.promotePending(&key, change)
            } else {
                try KeyRotation.rotate(&key, "ON_DEMAND", change)
            }
            key.onDemandRotations += 1
        }
    }
}
