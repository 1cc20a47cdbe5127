import COpenSSL
import Glibc

/// Key material in memory of its own: locked where the limits allow, excluded from core dumps, wiped when released.
///
/// It has no text form, is not Codable, and hands its bytes out only inside closures.
public final class SecretBytes: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
    // Proof: the memory is written only during initialisation, before the reference is shared, and read-only after.
    private let base: UnsafeMutableRawPointer
    /// Length in bytes.
    public let count: Int

    /// Makes a secret of `count` bytes filled by `fill`, which sees zeroes.
    public init(count: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        self.count = count
        base = LockedMemory.allocate(max(count, 1))
        try fill(UnsafeMutableRawBufferPointer(start: base, count: count))
    }

    /// Copies bytes into secret memory. The caller wipes the source where it can.
    public convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(count: bytes.count) { $0.copyMemory(from: bytes) }
    }

    /// Copies bytes into secret memory. The caller wipes the source where it can.
    public convenience init(copying bytes: some Sequence<UInt8>) {
        self.init(consuming: Array(bytes))
    }

    /// Takes over an array: its bytes are wiped when this is their only owner.
    public convenience init(consuming bytes: consuming [UInt8]) {
        var source = bytes
        self.init(count: source.count) { target in source.withUnsafeBytes { target.copyMemory(from: $0) } }
        source.withUnsafeMutableBytes { wipe($0) }
    }

    /// `count` bytes from the private random generator.
    public static func random(count: Int) -> SecretBytes { SecureRandom.privateBytes(count) }

    deinit { LockedMemory.release(base, max(count, 1)) }

    /// Lends the bytes; the pointer must not escape the closure.
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// A copy of bytes that are public by design: the commitment or the nonce out of a derivation, ciphertext that was read
    /// with the care that is due to secrets.
    public func disclosing(_ range: Range<Int>? = nil) -> [UInt8] {
        withUnsafeBytes { bytes in range.map { Array(bytes[$0]) } ?? Array(bytes) }
    }

    /// A part of the secret as a secret of its own.
    public func slice(_ range: Range<Int>) -> SecretBytes {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice outside the secret")
        return withUnsafeBytes { SecretBytes(copying: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// A sentence for people.
    public var description: String { "SecretBytes(\(count) bytes, redacted)" }
    /// Shows nothing of the content.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Wipes memory in a way the compiler does not remove.
public func wipe(_ bytes: UnsafeMutableRawBufferPointer) { OPENSSL_cleanse(bytes.baseAddress, bytes.count) }

/// Wipes an array's bytes in place.
public func wipe(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { wipe($0) }
}

/// Compares in time that depends on the lengths only. Different lengths are unequal.
public func constantTimeEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard let first = a.baseAddress, let second = b.baseAddress else { return true }
    return CRYPTO_memcmp(first, second, a.count) == 0
}

/// Compares in time that depends on the lengths only. Different lengths are unequal.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.withUnsafeBytes { first in b.withUnsafeBytes { constantTimeEqual(first, $0) } }
}

/// Compares in time that depends on the lengths only. Different lengths are unequal.
public func constantTimeEqual(_ a: SecretBytes, _ b: SecretBytes) -> Bool {
    a.withUnsafeBytes { first in b.withUnsafeBytes { constantTimeEqual(first, $0) } }
}
