import CZlib

/// A complete deflate stream written piece by piece, for outputs too large for memory.
public final class DeflateStream {
    private let stream: UnsafeMutablePointer<z_stream>

    /// - Parameters:
    ///   - format: the wrapping to write.
    ///   - level: 1 … 9.
    public init(format: InflateStream.Format, level: Int = 6) throws(CompressionError) {
        stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let size = Int32(MemoryLayout<z_stream>.size)
        guard
            deflateInit2_(
                stream, Int32(level), Z_DEFLATED, format.windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
        else {
            stream.deallocate()
            throw .unavailable("zlib: deflateInit2 failed")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Compresses `input`, appending what comes out to `output`. With `finish`, ends the stream.
    public func append(
        _ input: UnsafeRawBufferPointer, to output: inout [UInt8], finish: Bool = false
    ) throws(CompressionError) {
        var offset = 0
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        repeat {
            let slice = min(input.count - offset, 1 << 30)
            let last = offset + slice == input.count
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.advanced(by: offset).assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = UInt32(slice)
            offset += slice
            var room = 0
            repeat {
                let (result, left) = buffer.withUnsafeMutableBufferPointer { target in
                    stream.pointee.next_out = target.baseAddress
                    stream.pointee.avail_out = UInt32(target.count)
                    let result = deflate(stream, finish && last ? Z_FINISH : Z_NO_FLUSH)
                    return (result, Int(stream.pointee.avail_out))
                }
                guard result != Z_STREAM_ERROR else { throw .malformed("the stream has already ended") }
                output.append(contentsOf: buffer[..<(buffer.count - left)])
                room = left
            } while room == 0
        } while offset < input.count
    }

    /// Array form of `append`.
    public func append(_ input: [UInt8], to output: inout [UInt8], finish: Bool = false) throws(CompressionError) {
        var failure: CompressionError?
        input.withUnsafeBytes { bytes in
            do throws(CompressionError) { try append(bytes, to: &output, finish: finish) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
