import ArgumentParser

/// `coffer key …`.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "The keys between the root key and the KMS keys: state, rotation, destruction.",
        discussion: """
            keyring: seals the backing keys of KMS keys, one keyring a Region (--region). storage: seals the indexes of packs. \
            service: seals secrets that services keep. signing: signs the version \
            log. row: codes of keys, grants, shares and pins. journal: the chain of the security journal. \
            token: grant tokens, import tokens and markers. dedup: secrets of dedup domains, by epoch. KMS keys themselves \
            rotate with `aws kms rotate-key-on-demand`; none of this re-encrypts stored content, which `coffer store \
            reencrypt` does.
            """,
        subcommands: [
            KeyStatus.self, KeyRotate.self, KeyRewrap.self, KeyDestroy.self, KeyRetire.self, KeyDeletionPreview.self,
        ])
}

/// The layers that have versions of their own to rotate.
enum RotatingLayer: String, ExpressibleByArgument, CaseIterable {
    case keyring, storage, service, signing, row, journal, token, dedup
}
