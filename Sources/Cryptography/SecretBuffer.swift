/// Secret memory that grows: each time its content moves, what it leaves behind is wiped.
public struct SecretBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// How many bytes have been appended.
    public private(set) var count = 0

    /// An empty buffer with room for `reserving` bytes.
    public init(reserving: Int = 0) {
        capacity = max(reserving, 64)
        base = LockedMemory.allocate(capacity)
    }

    deinit { LockedMemory.release(base, capacity) }

    /// Adds bytes at the end.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(count + bytes.count)
        UnsafeMutableRawBufferPointer(start: base + count, count: bytes.count).copyMemory(from: bytes)
        count += bytes.count
    }

    /// Lends what has been appended; the pointer must not escape the closure.
    public borrowing func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// What has been appended, as a secret of just that length.
    public consuming func finish() -> SecretBytes { withUnsafeBytes { SecretBytes(copying: $0) } }

    private mutating func reserve(_ needed: Int) {
        guard needed > capacity else { return }
        let room = max(needed, capacity * 2)
        let next = LockedMemory.allocate(room)
        next.copyMemory(from: base, byteCount: count)
        LockedMemory.release(base, capacity)
        base = next
        capacity = room
    }
}
