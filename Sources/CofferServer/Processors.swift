import SystemPackage

/// The processors of the machine.
enum Processors {
    /// How many of them this process may run on, which tools such as `taskset` restrict; `nil` where the kernel does not
    /// say.
    static func usable() -> Int? {
        // A file of the kernel: what it says needs no disk. Without it the machine's own number does.
        guard let status = try? DataDirectory.contents(of: "/proc/self/status") else { return nil }
        return usable(status: String(decoding: status, as: UTF8.self))
    }

    /// The number in proc(5)'s `Cpus_allowed`, a mask of hexadecimal digits in groups with commas between them.
    static func usable(status: String) -> Int? {
        let name = "Cpus_allowed:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        let digits = line.dropFirst(name.count).compactMap(\.hexDigitValue)
        let count = digits.reduce(0) { $0 + $1.nonzeroBitCount }
        return count > 0 ? count : nil
    }
}
