import Compression

/// Expands gzip files in memory (RFC 1952), one or several members.
public enum GzipReader {
    /// What a gzip holds.
    public struct Content: Sendable {
        /// The header of each member.
        public var headers: [GzipHeader]
        /// The members' expanded bytes, one after the other.
        public var bytes: [UInt8]
        /// Bytes after the last member, such as padding.
        public var trailingBytes: Int
    }

    /// Expands all members; refuses more than `limit` bytes of output. CRC and length of each are checked.
    public static func expand(_ bytes: [UInt8], upTo limit: Int) throws(ArchiveError) -> Content {
        var content = Content(headers: [], bytes: [], trailingBytes: 0)
        var position = 0
        repeat {
            content.headers.append(try GzipHeader(parsing: Array(bytes[position...].prefix(GzipHeader.longest))))
            do throws(CompressionError) {
                let stream = try InflateStream(format: .gzip)
                position = try inflate(stream, bytes, from: position, into: &content.bytes, limit: limit)
            } catch {
                throw .corrupt(member: "gzip", reason: error.description)
            }
            if content.bytes.count > limit {
                throw .limit(.totalBytes, member: nil, value: Int64(content.bytes.count), allowed: Int64(limit))
            }
        } while bytes[position...].starts(with: [0x1F, 0x8B])
        content.trailingBytes = bytes.count - position
        return content
    }

    /// Inflates one member; returns where it ends. Stops early, without an error, once the limit is passed.
    private static func inflate(
        _ stream: InflateStream, _ bytes: [UInt8], from start: Int, into output: inout [UInt8], limit: Int
    ) throws(CompressionError) -> Int {
        var position = start
        var buffer = [UInt8](repeating: 0, count: 256 * 1024)
        var hasEnded = false
        while !hasEnded, output.count <= limit {
            var result: Result<InflateStream.Step, CompressionError> = .failure(.malformed("no input"))
            bytes.withUnsafeBytes { input in
                buffer.withUnsafeMutableBytes { room in
                    do throws(CompressionError) {
                        result = .success(
                            try stream.step(UnsafeRawBufferPointer(rebasing: input[position...]), into: room))
                    } catch {
                        result = .failure(error)
                    }
                }
            }
            let step = try result.get()
            position += step.consumed
            output += buffer[..<step.produced]
            hasEnded = step.ended
            if !hasEnded, step.consumed == 0, step.produced == 0 { throw .malformed("the stream is cut short") }
        }
        return position
    }
}
