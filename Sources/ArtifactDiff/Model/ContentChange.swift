import Cryptography

/// Compared content.
public indirect enum ContentChange: Sendable, Hashable, Codable {
    /// Line by line.
    case text(TextDiff)
    /// Bytes without lines.
    case binary(BinaryDiff)
    /// Member by member.
    case archive(ArchiveDiff)
    /// Not compared, and why.
    case omitted(reason: String)
}

/// A piece of text that need not be UTF-8.
public struct DiffText: Sendable, Hashable, Codable {
    /// The bytes.
    public var bytes: [UInt8]

    /// Wraps bytes.
    public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// The text, with invalid UTF-8 repaired.
    public var string: String { String(decoding: bytes, as: UTF8.self) }

    private enum CodingKeys: String, CodingKey { case hex }

    /// A string, or an object with the bytes in hexadecimal.
    public init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {
            bytes = Array(text.utf8)
            return
        }
        let hex = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .hex)
        guard let decoded = Hex.decode(hex) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not hexadecimal"))
        }
        bytes = decoded
    }

    /// A string where the bytes are UTF-8, else an object with the bytes in hexadecimal.
    public func encode(to encoder: any Encoder) throws {
        if let text = String(validating: bytes, as: UTF8.self) {
            var container = encoder.singleValueContainer()
            try container.encode(text)
        } else {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(Hex.encode(bytes), forKey: .hex)
        }
    }
}

/// A comparison of lines.
public struct TextDiff: Sendable, Hashable, Codable {
    /// One run of changes with its surroundings.
    public struct Hunk: Sendable, Hashable, Codable {
        /// First line of the old text, counted from 1 (0 when `oldCount` is 0 at the start).
        public var oldStart: Int
        /// Lines of the old text.
        public var oldCount: Int
        /// First line of the new text, counted as `oldStart`.
        public var newStart: Int
        /// Lines of the new text.
        public var newCount: Int
        /// The lines.
        public var lines: [Line]
    }

    /// One line of a hunk.
    public struct Line: Sendable, Hashable, Codable {
        /// What became of a line.
        public enum Kind: String, Sendable, Hashable, Codable {
            /// In both texts.
            case context
            /// In the new text only.
            case added
            /// In the old text only.
            case removed
        }

        /// What became of the line.
        public var kind: Kind
        /// The line without its line feed.
        public var text: DiffText
        /// Whether the line ends the text without a line feed.
        public var lacksNewline: Bool
    }

    /// Lines that were added.
    public var addedLines: Int
    /// Lines that were removed.
    public var removedLines: Int
    /// The budget ran out, so the difference is correct but not the smallest.
    public var isApproximate: Bool
    /// The hunks, in order; fewer than there are when the report was limited to counts.
    public var hunks: [Hunk]
}

/// What can be said about bytes without lines.
public struct BinaryDiff: Sendable, Hashable, Codable {
    /// The kind of content, such as `ELF` or `PNG`, where its signature is known.
    public var format: String?
    /// Length of the common start.
    public var commonPrefix: Int64
    /// Length of the common end, not counting the start again.
    public var commonSuffix: Int64
    /// Bytes in the runs that differ, on the new side, found by aligning equal blocks.
    public var differingBytes: Int64
    /// Sections of an executable, or other named parts, that differ.
    public var parts: [String]?
    /// The whole old content, present when a patch was asked for.
    public var oldBytes: DiffText?
    /// The whole new content, present when a patch was asked for.
    public var newBytes: DiffText?
}

/// A comparison of archive members.
public struct ArchiveDiff: Sendable, Hashable, Codable {
    /// The containers, outermost first: `gzip`, `tar`.
    public var formats: [String]
    /// Members in both archives with equal content.
    public var identicalMembers: Int
    /// Members that differ.
    public var changes: [Change]
    /// What limits cut short.
    public var notices: [String]
}
