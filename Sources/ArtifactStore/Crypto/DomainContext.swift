import Cryptography

/// The name of a domain's epoch as it enters the sealing of records. Whoever holds a record's key needs nothing else of the
/// domain to open it: readers do without its secrets.
struct RecordDomain: Sendable {
    let id: [UInt8]
    let epoch: UInt32
    /// Length-prefixed domain and epoch, as they enter every derivation of a record.
    let recordFields: [UInt8]
    /// Domain and epoch, as they end the additional data of a record.
    let additionalTail: [UInt8]

    init(id: [UInt8], epoch: UInt32) {
        self.id = id
        self.epoch = epoch
        var fields: [UInt8] = []
        fields.appendBig(UInt32(id.count))
        fields += id
        fields.appendBig(UInt32(4))
        fields.appendBig(epoch)
        recordFields = fields
        var tail = id
        tail.appendBig(epoch)
        additionalTail = tail
    }
}

/// What ingest needs of a domain, with the keyed states computed once.
final class DomainContext: Sendable {
    let id: [UInt8]
    let epoch: UInt32
    let records: RecordDomain
    private let idMAC: HMACSHA256
    private let keyMAC: HMACSHA256
    let cutKey: SecretBytes

    init(_ domain: StoreDomain) {
        id = domain.id
        epoch = domain.epoch
        idMAC = HMACSHA256(key: domain.idKey)
        keyMAC = HMACSHA256(key: domain.chunkKey)
        cutKey = domain.cutKey
        records = RecordDomain(id: domain.id, epoch: domain.epoch)
    }

    /// What a record is named by: its own plaintext, or, for the list of a file's chunks, the file.
    enum Label: Sendable {
        case content
        case file

        fileprivate var id: StaticString { self == .content ? "cid" : "fid" }
        fileprivate var key: StaticString { self == .content ? "ck" : "fk" }
    }

    /// The keyed id of content.
    func recordID(_ digest: SHA256Digest, count: Int64, _ label: Label = .content) -> RecordID {
        expand(idMAC, label.id, digest, count) { RecordID($0) }
    }

    /// The key of content.
    func recordKey(_ digest: SHA256Digest, count: Int64, _ label: Label = .content) -> RecordKey {
        expand(keyMAC, label.key, digest, count) { RecordKey($0) }
    }

    private func expand<R>(
        _ keyed: HMACSHA256, _ label: StaticString, _ digest: SHA256Digest, _ count: Int64,
        _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { info in
            var length = 0
            func put(_ bytes: UnsafeRawBufferPointer) {
                UnsafeMutableRawBufferPointer(rebasing: info[length..<length + bytes.count]).copyMemory(from: bytes)
                length += bytes.count
            }
            put(UnsafeRawBufferPointer(start: ("coffer/1/" as StaticString).utf8Start, count: 9))
            put(UnsafeRawBufferPointer(start: label.utf8Start, count: label.utf8CodeUnitCount))
            put(UnsafeRawBufferPointer(start: ("\0" as StaticString).utf8Start, count: 1))
            withUnsafeBytes(of: UInt32(32).bigEndian) { put($0) }
            digest.withUnsafeBytes { put($0) }
            withUnsafeBytes(of: UInt32(8).bigEndian) { put($0) }
            withUnsafeBytes(of: UInt64(count).bigEndian) { put($0) }
            var mac = keyed
            return withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { output in
                HKDFSHA256.expand(keyed: &mac, info: UnsafeRawBufferPointer(rebasing: info[..<length]), into: output)
                return body(UnsafeRawBufferPointer(output))
            }
        }
    }
}
