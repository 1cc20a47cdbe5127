import Cryptography

/// Checks a pack without any customer key.
struct PackCheck {
    struct Problem: Sendable, Hashable {
        var reason: String
        /// Bytes that are concerned; nil: all.
        var range: Range<Int>?
    }

    private let packs: PackStore
    private let info: PackInfo

    init(_ packs: PackStore, _ info: PackInfo) {
        self.packs = packs
        self.info = info
    }

    /// Header, trailer, length and index frames. Open packs have no trailer yet.
    func structureProblems() throws -> [Problem] {
        guard let length = try packs.backend.length(info.name) else {
            return [Problem(reason: "it is missing", range: nil)]
        }
        if length < Int64(info.length) {
            return [
                Problem(reason: "it has \(length) bytes instead of \(info.length)", range: Int(length)..<info.length)
            ]
        }
        var problems: [Problem] = []
        func check(_ range: Range<Int>?, _ body: () throws -> Void) throws {
            do {
                try body()
            } catch let error as FormatError {
                problems.append(Problem(reason: error.description, range: range))
            } catch let error as StoreError where error.code == .integrity {
                problems.append(Problem(reason: error.message, range: range))
            }
        }
        try check(0..<PackFormat.headerBytes) {
            let header = try PackFormat.parseHeader(try bytes(0..<PackFormat.headerBytes))
            guard Hex.encode(header.id) == info.name, header.packClass == info.packClass else {
                throw FormatError("its header is another pack's")
            }
        }
        if info.state != .open {
            try check(info.length - PackFormat.trailerBytes..<info.length) { _ = try trailer() }
        }
        try check(info.lastFrameOffset..<info.lastFrameOffset + info.lastFrameBytes) { _ = try packs.entries(of: info) }
        return problems
    }

    private func bytes(_ range: Range<Int>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        try bytes.withUnsafeMutableBytes { try packs.read(pack: info.number, at: range.lowerBound, into: $0) }
        return bytes
    }

    private func trailer() throws -> (PackFormat.Trailer, digests: [UInt8]) {
        let trailer = try PackFormat.parseTrailer(try bytes(info.length - PackFormat.trailerBytes..<info.length))
        let body = Int(trailer.bodyBytes)
        guard body >= PackFormat.headerBytes, body <= info.length - PackFormat.trailerBytes else {
            throw FormatError("its trailer gives an impossible length")
        }
        let digests = try bytes(body..<info.length - PackFormat.trailerBytes)
        guard digests.count == (body + PackFormat.digestSpan - 1) / PackFormat.digestSpan * 32,
            SHA256.digest(digests) == trailer.digest
        else { throw FormatError("its list of digests is damaged") }
        return (trailer, digests)
    }

    /// Compares every MiB with its digest. `pace` is told how many bytes were read, and may wait.
    func digestProblems(pace: (Int) -> Void = { _ in }) throws -> [Problem] {
        guard info.state != .open else { return [] }
        do {
            let (trailer, digests) = try trailer()
            var problems: [Problem] = []
            let body = Int(trailer.bodyBytes)
            for (index, start) in stride(from: 0, to: body, by: PackFormat.digestSpan).enumerated() {
                let range = start..<min(start + PackFormat.digestSpan, body)
                let digest = SHA256.digest(try bytes(range))
                if digest.bytes != Array(digests[index * 32..<index * 32 + 32]) {
                    problems.append(Problem(reason: "bytes \(range) are not what was written", range: range))
                }
                pace(range.count)
            }
            return problems
        } catch let error as FormatError {
            return [Problem(reason: error.description, range: nil)]
        } catch let error as StoreError where error.code == .integrity {
            return [Problem(reason: error.message, range: nil)]
        }
    }
}
