/// Where an instance keeps its root.
public struct RootLocation: Sendable {
    /// The directory of `root.cfrs`.
    public let directory: String
    /// The file that holds the key of the unattended slot. Best on another volume, or in a credentials directory.
    public let keyFile: String
    /// Called before and after the root file is replaced; tests stop there as a crash would.
    package var crashPoint: (@Sendable () throws -> Void)?

    /// - Parameter keyFile: nil puts `root.key` into `directory`.
    public init(directory: String, keyFile: String? = nil) {
        self.directory = directory
        self.keyFile = keyFile ?? directory + "/root.key"
    }

    /// The sealed root's path.
    public var rootFile: String { directory + "/root.cfrs" }
    /// Whether the key lies beside what it protects; worth a warning.
    public var keyFileIsOnDataVolume: Bool { keyFile.hasPrefix(directory + "/") }
}

/// What can be said about a root without opening it.
public struct RootStatus: Sendable {
    /// One slot.
    public struct Slot: Sendable {
        /// Its name, unique in the file.
        public let label: String
        /// `file`, `passphrase` or `env`.
        public let type: String
        /// The file's path, the variable's name or the cost parameter.
        public let detail: String
    }

    /// The instance's identity, 32 hexadecimal digits.
    public let instance: String
    /// Counts rotations of the root key.
    public let generation: UInt32
    /// All slots.
    public let slots: [Slot]
    /// Whether a rotation still has to finish; the next start does that.
    public let rotationUnfinished: Bool
}
