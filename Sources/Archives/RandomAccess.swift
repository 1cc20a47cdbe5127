public import SystemPackage

/// Bytes of known length that can be read anywhere, such as a stored version, a file or a buffer.
public protocol RandomAccess: Sendable {
    /// The length in bytes.
    var byteCount: Int64 { get }

    /// The `count` bytes from `offset`. Callers stay within `byteCount`; fewer bytes than asked for is an error.
    func read(at offset: Int64, count: Int) async throws -> [UInt8]
}

/// Random access that answers without suspending: memory, or a local file read off the cooperative pool.
public protocol SynchronousRandomAccess: Sendable {
    /// The length in bytes.
    var byteCount: Int64 { get }

    /// The `count` bytes from `offset`. Callers stay within `byteCount`; fewer bytes than asked for is an error.
    func readNow(at offset: Int64, count: Int) throws -> [UInt8]
}

/// A buffer in memory.
public struct BufferSource: RandomAccess, SynchronousRandomAccess {
    private let bytes: ArraySlice<UInt8>

    /// Presents a whole array.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    /// Presents part of an array without copying it; offsets count from the start of the part.
    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    /// The length in bytes.
    public var byteCount: Int64 { Int64(bytes.count) }

    /// The asked-for bytes, copied.
    public func readNow(at offset: Int64, count: Int) throws -> [UInt8] {
        guard offset >= 0, count >= 0, offset <= byteCount, Int64(count) <= byteCount - offset else {
            throw ArchiveError.system(operation: "read", name: "buffer", code: Errno.invalidArgument.rawValue)
        }
        let start = bytes.startIndex + Int(offset)
        return Array(bytes[start..<(start + count)])
    }

    /// The asked-for bytes, copied.
    public func read(at offset: Int64, count: Int) async throws -> [UInt8] {
        try readNow(at: offset, count: count)
    }
}

/// A local file, open for as long as this object lives. Reads are positional and may run concurrently.
public final class FileSource: SynchronousRandomAccess {
    private let descriptor: FileDescriptor
    private let name: String
    /// The length in bytes when the file was opened.
    public let byteCount: Int64

    /// Opens a file for reading.
    public init(_ path: FilePath) throws {
        name = path.lastComponent?.string ?? path.string
        descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
        do {
            byteCount = try descriptor.seek(offset: 0, from: .end)
        } catch {
            // The failed seek is what the caller needs to know; a failure to close adds nothing.
            try? descriptor.close()
            throw error
        }
    }

    deinit {
        // Nothing was written through this descriptor, so closing cannot lose data.
        try? descriptor.close()
    }

    /// The asked-for bytes; blocks the calling thread.
    public func readNow(at offset: Int64, count: Int) throws -> [UInt8] {
        let result = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialised in
            while initialised < count {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[initialised...])
                let got = try descriptor.read(fromAbsoluteOffset: offset + Int64(initialised), into: rest)
                if got == 0 { break }
                initialised += got
            }
        }
        guard result.count == count else {
            throw ArchiveError.system(operation: "read", name: name, code: Errno.ioError.rawValue)
        }
        return result
    }
}
