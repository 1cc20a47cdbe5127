/// What a verification found.
package struct VerifyAnswer: Codable, Sendable {
    package var entries: Int
    package var heads: Int
    package var versions: Int
    package var pins: Int
    package var records: Int
    package var bytes: Int64
    /// What is wrong, one sentence each.
    package var problems: [String]
    /// What could not be read because its key does not allow it.
    package var skipped: [String]
    /// Where reading goes on; nil at the end.
    package var next: String?

    /// Adds what a further request found.
    package mutating func add(_ other: VerifyAnswer) {
        entries += other.entries
        heads += other.heads
        versions += other.versions
        pins += other.pins
        records += other.records
        bytes += other.bytes
        problems += other.problems
        skipped += other.skipped
    }

    /// The numbers in the order in which they are shown.
    package var figures: Figures {
        Figures([
            .init("log entries verified", Int64(entries), "count"),
            .init("signed heads verified", Int64(heads), "count"),
            .init("versions compared", Int64(versions), "count"),
            .init("pins compared", Int64(pins), "count"),
            .init("key records compared", Int64(records), "count"),
            .init("bytes read back", bytes, "bytes"),
            .init("versions whose key does not allow it", Int64(skipped.count), "count"),
            .init("problems", Int64(problems.count), "count"),
        ])
    }
}
