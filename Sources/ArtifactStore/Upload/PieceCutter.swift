import Archives
import Cryptography

/// Cuts a stream into the pieces by which the two ends of an upload compare two states of a file: at the boundaries of
/// archive members, and inside them where a rolling hash under the upload's own seed says so. The seed is random for each
/// upload, so pieces tell nothing about where the store cuts.
public struct PieceCutter {
    private let cutter: GearCutter
    private var scanner = ContainerScanner()
    /// The run under way.
    private var run: [UInt8] = []

    /// - Parameter seed: 32 bytes, the same at both ends.
    public init(seed: [UInt8]) { cutter = GearCutter(cutKey: SecretBytes(copying: seed)) }

    /// Takes the next bytes and hands on the pieces that are complete, with their bytes, which are valid during the call.
    public mutating func feed(
        _ bytes: UnsafeRawBufferPointer, _ take: (UploadPiece, UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        var scanner = self.scanner
        try scanner.feed(bytes) { piece in
            if piece.begins { try emit(isLast: true, take) }
            run.append(contentsOf: piece.bytes)
            try emit(isLast: false, take)
        }
        self.scanner = scanner
    }

    /// Ends the stream.
    public mutating func finish(_ take: (UploadPiece, UnsafeRawBufferPointer) throws -> Void) rethrows {
        var scanner = self.scanner
        try scanner.finish { piece in
            if piece.begins { try emit(isLast: true, take) }
            run.append(contentsOf: piece.bytes)
        }
        try emit(isLast: true, take)
    }

    private mutating func emit(
        isLast: Bool, _ take: (UploadPiece, UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        // Before the run's end is known, a cut must not depend on it.
        guard isLast || run.count >= cutter.maximum else { return }
        let done = try run.withUnsafeBytes { bytes -> Int in
            var start = 0
            while isLast || bytes.count - start >= cutter.maximum {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
                guard let length = cutter.cut(rest, isLast: isLast) else { break }
                let piece = UnsafeRawBufferPointer(rebasing: rest[..<length])
                try take(UploadPiece(piece), piece)
                start += length
            }
            return start
        }
        run.removeFirst(done)
    }
}
