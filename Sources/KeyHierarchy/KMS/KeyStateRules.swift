/// Which operations a key's state allows.
enum KeyStateRules {
    /// Operations that share a row of the matrix.
    enum Group: Sendable, CaseIterable {
        /// Encrypt, Decrypt, ReEncrypt, GenerateDataKey*, MACs, signatures, key agreement, GetPublicKey.
        case cryptography
    }

    static func check(_ group: Group, _ key: KMSKey) throws(KeyError) {
        switch key.state {
        case .enabled, .updating: return
        case .disabled: throw KeyError(.disabled, "\(key.arn) is disabled.")
        case .pendingDeletion, .pendingReplicaDeletion: throw KeyError(.invalidState, "\(key.arn) is pending deletion.")
        case .pendingImport: throw KeyError(.invalidState, "\(key.arn) is pending import.")
        case .unavailable: throw KeyError(.invalidState, "\(key.arn) is unavailable.")
        case .creating: throw KeyError(.invalidState, "\(key.arn) is creating.")
        }
    }
}
