import CCofferShims
import CZlib

/// Restores fragments written by `Deflater`, with one context for all of them. Not thread-safe: one instance a worker.
public final class Inflater {
    private let stream: UnsafeMutablePointer<z_stream>
    private let igzip: OpaquePointer?

    /// - Parameter encoder: `.zlib` to refuse igzip, which is otherwise used where installed.
    public init(encoder: Encoder = .automatic) throws(CompressionError) {
        stream = try makeInflateStream(windowBits: -15)
        igzip = CompressionEngine.resolve(encoder, level: 1) == .igzip ? coffer_igzip_inflater_create() : nil
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        if let igzip { coffer_igzip_inflater_destroy(igzip) }
    }

    /// Restores `fragment` into exactly `output.count` bytes. The fragment must be consumed to its end.
    ///
    /// - Throws: `malformed` or `wrongLength`; the output then holds nothing of use.
    public func inflate(
        _ fragment: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        guard fragment.count <= Int(UInt32.max), output.count <= Int(UInt32.max) else {
            throw .malformed("a fragment is at most 4 GiB")
        }
        if let igzip {
            let count = coffer_igzip_inflate(
                igzip, fragment.baseAddress, fragment.count, output.baseAddress, output.count)
            if count == Int64(output.count) { return }
            // zlib decides what is wrong: it is the reference, and says it in words.
        }
        guard inflateReset(stream) == Z_OK else { throw .malformed("inflateReset failed") }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: fragment.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(fragment.count)
        // Output may wait inside when the room is used up, so a spare byte is offered last, and must stay unused.
        var spare: UInt8 = 0
        let result = withUnsafeMutablePointer(to: &spare) { spare in
            stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? spare
            stream.pointee.avail_out = UInt32(output.count)
            let first = CZlib.inflate(stream, Z_SYNC_FLUSH)
            guard first == Z_OK || first == Z_BUF_ERROR, stream.pointee.avail_out == 0 else { return first }
            stream.pointee.next_out = spare
            stream.pointee.avail_out = 1
            return CZlib.inflate(stream, Z_SYNC_FLUSH)
        }
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
            throw .malformed(message(of: stream, result))
        }
        guard Int(stream.pointee.total_out) == output.count, stream.pointee.avail_in == 0 else {
            throw .wrongLength(expected: output.count)
        }
    }

    /// Array form: restores `fragment` into exactly `count` bytes.
    public func inflate(_ fragment: [UInt8], count: Int) throws(CompressionError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        var failure: CompressionError?
        output.withUnsafeMutableBytes { target in
            fragment.withUnsafeBytes { source in
                do throws(CompressionError) { try inflate(source, into: target) } catch { failure = error }
            }
        }
        if let failure { throw failure }
        return output
    }
}

/// A deflate stream restored piece by piece, for ZIP members and gzip files of unknown origin.
public final class InflateStream {
    /// The wrapping around the deflate data.
    public enum Format: Sendable {
        /// Bare RFC 1951, as in ZIP.
        case raw
        /// RFC 1952, one member; its CRC and length are checked.
        case gzip
        /// RFC 1950.
        case zlib

        var windowBits: Int32 {
            switch self {
            case .raw: -15
            case .gzip: 31
            case .zlib: 15
            }
        }
    }

    /// What one step did.
    public struct Step: Sendable, Equatable {
        /// Bytes of input used up; the rest must be offered again.
        public var consumed: Int
        /// Bytes written to the output.
        public var produced: Int
        /// The stream's end was reached; bytes after it belong to somebody else.
        public var ended: Bool
    }

    private let stream: UnsafeMutablePointer<z_stream>
    private var ended = false

    /// A fresh stream.
    public init(format: Format) throws(CompressionError) {
        stream = try makeInflateStream(windowBits: format.windowBits)
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Starts over with the next stream of the same format (the next member of a gzip file).
    public func reset() throws(CompressionError) {
        guard inflateReset(stream) == Z_OK else { throw .malformed("inflateReset failed") }
        ended = false
    }

    /// Moves as much as possible from `input` to `output`. A step that moves nothing needs more input or more room.
    public func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Step {
        if ended { return Step(consumed: 0, produced: 0, ended: true) }
        let offered = min(input.count, Int(UInt32.max))
        let room = min(output.count, Int(UInt32.max))
        guard room > 0 else { return Step(consumed: 0, produced: 0, ended: false) }
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(offered)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(room)
        let result = CZlib.inflate(stream, Z_NO_FLUSH)
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
            throw .malformed(message(of: stream, result))
        }
        ended = result == Z_STREAM_END
        return Step(
            consumed: offered - Int(stream.pointee.avail_in), produced: room - Int(stream.pointee.avail_out),
            ended: ended)
    }
}

private func makeInflateStream(windowBits: Int32) throws(CompressionError) -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    guard inflateInit2_(stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        stream.deallocate()
        throw .unavailable("zlib: inflateInit2 failed")
    }
    return stream
}

private func message(of stream: UnsafeMutablePointer<z_stream>, _ code: Int32) -> String {
    stream.pointee.msg.map { String(cString: $0) } ?? "zlib code \(code)"
}
