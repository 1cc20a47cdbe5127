import Cryptography
import NIOCore

// What plaintext leaves behind on its way through the socket. Buffers of NIO are its own, and locked in no memory; so they
// are wiped as soon as nobody needs them. Below there is only the kernel: TLS ends before this server, and a handler that
// encrypted here would make a copy of its own as it does so.
extension ByteBuffer {
    /// A copy of a secret for the wire, to be wiped when it has been sent.
    init(copying secret: SecretBytes, _ allocator: ByteBufferAllocator = ByteBufferAllocator()) {
        self = allocator.buffer(capacity: secret.count)
        secret.withUnsafeBytes { _ = writeBytes($0) }
    }

    /// Overwrites the readable bytes with zeroes, in the memory that all copies of this value share.
    ///
    /// For buffers of which nobody will read these bytes any more: one that has been written to the socket, or a request's
    /// body that has been read.
    func wipe() {
        // Not through a mutable view: of memory that is shared, as a part of what was read is, that would be a copy.
        withUnsafeReadableBytes { bytes in
            Cryptography.wipe(UnsafeMutableRawBufferPointer(mutating: bytes))
        }
    }
}

extension EventLoopPromise<Void> {
    /// Wipes a buffer when its bytes have gone out, or never will.
    func wiping(_ buffer: ByteBuffer) -> EventLoopPromise<Void> {
        futureResult.whenComplete { _ in buffer.wipe() }
        return self
    }
}

/// A document as it is gathered from the socket, piece by piece.
struct GatheredBody {
    private var pieces: [ByteBuffer] = []
    private var count = 0

    mutating func append(_ piece: ByteBuffer) {
        pieces.append(piece)
        count += piece.readableBytes
    }

    /// The whole in secret memory; what was read from the socket is wiped.
    consuming func take() -> SecretBytes {
        let whole = SecretBytes(count: count) { target in
            var offset = 0
            for piece in pieces {
                piece.withUnsafeReadableBytes {
                    UnsafeMutableRawBufferPointer(rebasing: target[offset...]).copyMemory(from: $0)
                }
                offset += piece.readableBytes
            }
        }
        wipe()
        return whole
    }

    /// For a document that nobody will read.
    func wipe() {
        for piece in pieces { piece.wipe() }
    }
}
