import Glibc

/// Why the root key could not be read, opened or changed.
public enum RootError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no such file.
    case missing(String)
    /// The file is there and must not be used: its path and the reason with the remedy.
    case refused(String, String)
    /// A system call failed: path, call, errno.
    case io(String, String, Int32)
    /// root.cfrs is not well formed.
    case malformed(String)
    /// root.cfrs was altered: its authentication code does not match.
    case altered
    /// A root key exists already.
    case alreadyInitialised(String)
    /// No slot opens: the reasons slot by slot.
    case sealed(String)
    /// The passphrase opens no slot.
    case wrongPassphrase
    /// The parameters or labels asked for are not allowed.
    case invalid(String)

    /// A sentence for people.
    public var description: String {
        switch self {
        case .missing(let path): "\(path) does not exist"
        case .refused(let path, let reason): "\(path) is refused: \(reason)"
        case .io(let path, let call, let code): "\(call) failed on \(path): \(String(cString: strerror(code)))"
        case .malformed(let reason): "root.cfrs is malformed: \(reason)"
        case .altered: "root.cfrs was altered: its authentication code does not match; restore it from a backup"
        case .alreadyInitialised(let path): "\(path) exists already; a second root would make its data unreadable"
        case .sealed(let reason): "the root key is sealed: \(reason)"
        case .wrongPassphrase: "the passphrase opens no slot"
        case .invalid(let reason): reason
        }
    }
}
