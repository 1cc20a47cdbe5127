import CCofferShims
import CZlib
import Glibc

/// Which library writes deflate streams. All write RFC 1951, readable by any inflater.
public enum Encoder: String, Sendable, CaseIterable {
    /// igzip for level 1 when libisal is installed, zlib otherwise. `COFFER_ENCODER=zlib|igzip` overrides.
    case automatic
    /// zlib, always present.
    case zlib
    /// ISA-L's igzip at its level 1: about five times as fast as zlib's level 1, slightly larger output.
    case igzip
}

/// What this process compresses with.
public enum CompressionEngine {
    /// Whether libisal was found and passed its check.
    public static let hasIgzip: Bool = coffer_igzip_available() != 0

    /// One line on igzip's availability, for diagnosis output.
    public static var igzip: String { String(cString: coffer_igzip_status()) }

    /// The linked zlib's version.
    public static var zlib: String { String(cString: zlibVersion()) }

    /// `COFFER_ENCODER`, read once; nil when unset or not understood.
    static let override: Encoder? = getenv("COFFER_ENCODER").flatMap { Encoder(rawValue: String(cString: $0)) }

    /// The library that a request for `encoder` at `level` gets.
    public static func resolve(_ encoder: Encoder, level: Int) -> Encoder {
        switch encoder == .automatic ? (override ?? .automatic) : encoder {
        case .zlib: .zlib
        case .igzip: hasIgzip ? .igzip : .zlib
        case .automatic: level <= 1 && hasIgzip ? .igzip : .zlib
        }
    }
}
