public import Cryptography
public import Foundation

/// CFKE: who can open an artifact. The artifact's data key (ADK), wrapped once for each recipient.
///
/// ```
/// "CFKE"  u8 format=1  u8 suite=1  u16 recipient count  16 artifact ID  u32 ADK generation
/// recipients: u8 type=1  LP(key ARN)  LP(canonical encryption context)  LP(CFKB)
///             u64 created  u64 not-after (0 = none)  LP(grant ID)          times in milliseconds since 1970
/// 32 HMAC-SHA-256 of all before, under X(ADK, "envelope", 32; artifact ID, generation)
/// ```
/// Adding, dropping or altering a recipient needs the ADK, hence permission to unwrap it.
public struct ArtifactKeyEnvelope: Sendable, Equatable {
    /// One who can open the artifact.
    public struct Recipient: Sendable, Equatable {
        /// The KMS key that wraps the ADK.
        public let keyARN: String
        /// The encryption context of the wrap.
        public let context: [String: String]
        /// The wrapped ADK.
        public let blob: [UInt8]
        /// When the recipient was added.
        public let created: Date
        /// After this the entry opens nothing.
        public let notAfter: Date?
        /// The grant that goes with it.
        public let grantID: String?
    }

    /// Sixteen bytes.
    public let artifactID: [UInt8]
    /// Counts re-keyings.
    public let generation: UInt32
    /// In the order they were added.
    public var recipients: [Recipient]

    static let recipientsMax = 1000

    init(artifactID: [UInt8], generation: UInt32, recipients: [Recipient] = []) {
        self.artifactID = artifactID
        self.generation = generation
        self.recipients = recipients
    }

    /// Whether bytes claim to be an envelope.
    public static func isEnvelope(_ bytes: [UInt8]) -> Bool { bytes.starts(with: "CFKE".utf8) }

    /// Reads an envelope; nothing in it is authenticated before it is opened.
    public init(parsing bytes: [UInt8]) throws(KeyFormatError) {
        var reader = ByteReader(bytes, "CFKE")
        try reader.expect("CFKE")
        try reader.expect(1, "format")
        try reader.expect(1, "suite")
        let count = try reader.uint16()
        artifactID = try reader.take(16)
        generation = try reader.uint32()
        recipients = []
        for _ in 0..<count {
            try reader.expect(1, "recipient type")
            let arn = String(decoding: try reader.prefixed(max: 2048), as: UTF8.self)
            let context = try EncryptionContext.decode(try reader.prefixed(max: EncryptionContext.bytesMax))
            let blob = try reader.prefixed(max: 4096)
            let created = Self.date(try reader.uint64())
            let notAfter = try reader.uint64()
            let grant = String(decoding: try reader.prefixed(max: 128), as: UTF8.self)
            recipients.append(
                Recipient(
                    keyARN: arn, context: context, blob: blob, created: created,
                    notAfter: notAfter == 0 ? nil : Self.date(notAfter), grantID: grant.isEmpty ? nil : grant))
        }
        _ = try reader.take(32)
        try reader.end()
    }

    private var body: [UInt8] {
        var writer = ByteWriter()
        writer.append("CFKE")
        writer.append([1, 1])
        writer.append(UInt16(recipients.count))
        writer.append(artifactID)
        writer.append(generation)
        for recipient in recipients {
            writer.append(1 as UInt8)
            writer.appendPrefixed(Array(recipient.keyARN.utf8))
            writer.appendPrefixed(EncryptionContext.encode(recipient.context))
            writer.appendPrefixed(recipient.blob)
            writer.append(Self.milliseconds(recipient.created))
            writer.append(recipient.notAfter.map(Self.milliseconds) ?? 0)
            writer.appendPrefixed(Array((recipient.grantID ?? "").utf8))
        }
        return writer.bytes
    }

    private func code(_ dataKey: SecretBytes, over body: [UInt8]) -> [UInt8] {
        var number = ByteWriter()
        number.append(generation)
        let key = Derivation.expand(dataKey, "envelope", 32, artifactID, number.bytes)
        return HMACSHA256.code(key: key, body).bytes
    }

    func encode(_ dataKey: SecretBytes) -> [UInt8] {
        let body = body
        return body + code(dataKey, over: body)
    }

    /// Checks that the bytes this value was read from were written by somebody who held the data key.
    package func verify(_ bytes: [UInt8], _ dataKey: SecretBytes) throws(KeyFormatError) {
        guard constantTimeEqual(code(dataKey, over: Array(bytes.dropLast(32))), Array(bytes.suffix(32))) else {
            throw KeyFormatError("CFKE", "its recipients were altered")
        }
    }

    private static func date(_ milliseconds: UInt64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }

    private static func milliseconds(_ date: Date) -> UInt64 {
        UInt64(max(0, (date.timeIntervalSince1970 * 1000).rounded()))
    }
}

/// An opened artifact data key.
public struct ArtifactDataKey: Sendable {
    /// 32 bytes.
    public let key: SecretBytes
    /// Counts re-keyings.
    public let generation: UInt32
    /// The KMS key that opened it.
    public let keyARN: String
}
