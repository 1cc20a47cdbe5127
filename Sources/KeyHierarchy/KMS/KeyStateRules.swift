/// Which operations a key's state allows: the matrix of the KMS documentation.
package enum KeyStateRules {
    /// Operations that share a row of the matrix.
    package enum Group: String, Sendable, CaseIterable {
        /// Encrypt, Decrypt, ReEncrypt, GenerateDataKey*, MACs, signatures, key agreement, GetPublicKey.
        case cryptography
        case createGrant
        case cancelDeletion
        case enableDisable
        case rotationSetting
        case rotateOnDemand
        case rotationStatus
        case parametersForImport
        case importMaterial
        case deleteMaterial
        case scheduleDeletion
        /// CreateAlias, UpdateAlias (new target), TagResource, UntagResource, UpdateKeyDescription.
        case editing
        case replicate
        case updatePrimary
        /// Describing, listing, policies, retiring and revoking grants, deleting aliases.
        case reading
    }

    /// What the matrix says.
    package enum Outcome: Sendable { case ok, disabled, invalidState, unsupported }

    package static func outcome(_ group: Group, _ state: KMSKeyState) -> Outcome {
        switch (group, state) {
        case (.reading, _): return .ok
        case (.cancelDeletion, _): return state.isPendingDeletion ? .ok : .invalidState
        case (_, .enabled): return .ok
        case (.scheduleDeletion, _): return state.isPendingDeletion || state == .updating ? .invalidState : .ok
        case (.editing, _): return state.isPendingDeletion ? .invalidState : .ok
        case (.rotationStatus, .unavailable), (.rotationSetting, .unavailable), (.rotateOnDemand, .unavailable),
            (.parametersForImport, .unavailable), (.importMaterial, .unavailable):
            return .unsupported
        case (.rotationStatus, _): return .ok
        case (.deleteMaterial, _): return state == .creating || state == .updating ? .invalidState : .ok
        case (_, .pendingDeletion), (_, .pendingReplicaDeletion): return .invalidState
        case (.enableDisable, .disabled), (.enableDisable, .unavailable): return .ok
        case (.enableDisable, _): return .invalidState
        case (.parametersForImport, .disabled), (.parametersForImport, .pendingImport): return .ok
        case (.importMaterial, .disabled), (.importMaterial, .pendingImport), (.importMaterial, .updating): return .ok
        case (_, .disabled): return .disabled
        case (.createGrant, .unavailable): return .ok
        case (_, .updating):
            switch group {
            case .cryptography, .createGrant, .rotationSetting, .updatePrimary: return .ok
            default: return .invalidState
            }
        default: return .invalidState
        }
    }

    package static func check(_ group: Group, _ key: KMSKey) throws(KeyError) {
        switch outcome(group, key.state) {
        case .ok: return
        case .disabled: throw KeyError(.disabled, "\(key.arn) is disabled.")
        case .unsupported: throw KeyError(.unsupported, "\(key.arn) does not support this operation.")
        case .invalidState: throw KeyError(.invalidState, "\(key.arn) \(phrase(key.state))")
        }
    }

    private static func phrase(_ state: KMSKeyState) -> String {
        switch state {
        case .enabled: "is enabled."
        case .disabled: "is disabled."
        case .pendingDeletion: "is pending deletion."
        case .pendingReplicaDeletion: "is pending replica deletion."
        case .pendingImport: "is pending import."
        case .unavailable: "is unavailable."
        case .creating: "is creating."
        case .updating: "is updating."
        }
    }
}

extension KMSKeyState {
    /// Whether the key waits for its deletion.
    package var isPendingDeletion: Bool { self == .pendingDeletion || self == .pendingReplicaDeletion }
}
