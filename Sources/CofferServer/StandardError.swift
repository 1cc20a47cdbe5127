#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Words for the operator that are not log lines: they carry no time stamp and are said whatever the log level.
enum StandardError {
    static func say(_ text: String) {
        let bytes = Array(text.utf8)
        // Nobody listens on a closed standard error; there is nowhere left to say so.
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
