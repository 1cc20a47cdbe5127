import CCofferShims
import CZlib

/// Writes raw deflate (RFC 1951), one independent piece at a time, with one context for all of them.
///
/// A *fragment* ends with a full flush: it starts and ends on byte boundaries, refers to nothing before itself and carries
/// no final block, so fragments can be concatenated into one stream. Not thread-safe: one instance a worker.
public final class Deflater {
    /// The library in use.
    public let encoder: Encoder
    /// The level asked for (igzip has only its level 1).
    public let level: Int

    private let stream: UnsafeMutablePointer<z_stream>?
    private let igzip: OpaquePointer?

    /// The two bytes that end a stream made of fragments: an empty final block with fixed codes.
    public static let endOfStream: [UInt8] = [0x03, 0x00]

    /// - Parameter level: 1 (fastest) … 9 (smallest).
    /// - Throws: `unavailable` when memory is short or the level is out of range.
    public init(level: Int = 1, encoder: Encoder = .automatic) throws(CompressionError) {
        guard (1...9).contains(level) else { throw .unavailable("level \(level) is not between 1 and 9") }
        self.level = level
        self.encoder = CompressionEngine.resolve(encoder, level: level)
        if self.encoder == .igzip {
            stream = nil
            guard let made = coffer_igzip_deflater_create() else { throw .unavailable("igzip: no memory") }
            igzip = made
        } else {
            igzip = nil
            let made = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            made.initialize(to: z_stream())
            let size = Int32(MemoryLayout<z_stream>.size)
            guard
                deflateInit2_(made, Int32(level), Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
            else {
                made.deallocate()
                throw .unavailable("zlib: deflateInit2 failed")
            }
            stream = made
        }
    }

    deinit {
        if let igzip { coffer_igzip_deflater_destroy(igzip) }
        if let stream {
            deflateEnd(stream)
            stream.deallocate()
        }
    }

    /// A capacity that always suffices for a fragment of `count` bytes of input.
    public static func fragmentBound(_ count: Int) -> Int { count + count / 512 + 512 }

    /// Compresses `input` into a fragment ended by a full flush and returns its length in bytes.
    ///
    /// - Throws: `outputTooSmall` when it does not fit (a caller that wants to store incompressible data passes a short
    ///   output on purpose).
    public func compressFragment(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int {
        try compress(input, into: output, final: false)
    }

    /// Compresses `input` into a complete raw deflate stream, as a ZIP member holds it, and returns its length.
    public func compressFinal(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int {
        try compress(input, into: output, final: true)
    }

    /// Array form of `compressFragment`.
    public func compressFragment(_ input: [UInt8]) throws(CompressionError) -> [UInt8] {
        try compress(input, final: false)
    }

    /// Array form of `compressFinal`.
    public func compressFinal(_ input: [UInt8]) throws(CompressionError) -> [UInt8] { try compress(input, final: true) }

    private func compress(_ input: [UInt8], final: Bool) throws(CompressionError) -> [UInt8] {
        let capacity = Self.fragmentBound(input.count)
        var failure: CompressionError?
        let output = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            input.withUnsafeBytes { bytes in
                do throws(CompressionError) {
                    count = try compress(bytes, into: UnsafeMutableRawBufferPointer(buffer), final: final)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
        return output
    }

    private func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, final: Bool
    ) throws(CompressionError) -> Int {
        guard input.count <= Int(UInt32.max), output.count <= Int(UInt32.max) else {
            throw .malformed("a fragment is at most 4 GiB")
        }
        if let igzip {
            let count = coffer_igzip_compress(
                igzip, input.baseAddress, input.count, output.baseAddress, output.count, final ? 1 : 0)
            if count == -1 { throw .outputTooSmall(capacity: output.count) }
            guard count >= 0 else { throw .malformed("igzip failed") }
            return Int(count)
        }
        guard let stream, deflateReset(stream) == Z_OK else { throw .malformed("deflateReset failed") }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(input.count)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(output.count)
        let result = deflate(stream, final ? Z_FINISH : Z_FULL_FLUSH)
        // A flush is complete only when zlib leaves room unused.
        let complete = final ? result == Z_STREAM_END : stream.pointee.avail_in == 0 && stream.pointee.avail_out > 0
        guard complete else { throw .outputTooSmall(capacity: output.count) }
        return output.count - Int(stream.pointee.avail_out)
    }
}
