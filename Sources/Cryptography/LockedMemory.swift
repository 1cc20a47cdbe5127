import CCofferShims
import Glibc
import Synchronization

/// Memory for secrets: locked against swapping where limits allow, left out of core dumps, wiped when given back.
///
/// Not libcrypto's secure heap: its random generator allocates there too, and fails for good when callers fill it.
enum LockedMemory {
    private static let regionBytes = 256 * 1024
    private static let smallest = 32
    /// Larger blocks get pages of their own.
    private static let largest = 16 * 1024
    /// Larger blocks are not locked: they hold documents, and would use up the limit that keys need.
    private static let lockedMaximum = 1 << 20

    /// Free blocks by size class: 32, 64, … 16,384 bytes. Addresses, because raw pointers are not Sendable.
    private static let free = Mutex<[[UInt]]>(Array(repeating: [], count: 10))

    /// A zeroed block of at least `count` bytes, aligned to 32.
    static func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        guard count <= largest else { return pages(count) }
        let sizeClass = sizeClass(count)
        let address = free.withLock { free -> UInt in
            if let address = free[sizeClass].popLast() { return address }
            let base = UInt(bitPattern: pages(regionBytes))
            let size = UInt(smallest << sizeClass)
            free[sizeClass].append(contentsOf: stride(from: base + size, to: base + UInt(regionBytes), by: Int(size)))
            return base
        }
        guard let pointer = UnsafeMutableRawPointer(bitPattern: address) else {
            preconditionFailure("a block of locked memory has an address")
        }
        return pointer
    }

    /// Wipes a block and gives it back. `count` is what was asked for.
    static func release(_ pointer: UnsafeMutableRawPointer, _ count: Int) {
        explicit_bzero(pointer, count)
        if count > largest {
            munmap(pointer, count)
        } else {
            free.withLock { $0[sizeClass(count)].append(UInt(bitPattern: pointer)) }
        }
    }

    private static func sizeClass(_ count: Int) -> Int {
        var index = 0
        while smallest << index < count { index += 1 }
        return index
    }

    private static func pages(_ count: Int) -> UnsafeMutableRawPointer {
        let mapped = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { preconditionFailure("out of memory for secrets") }
        // Both best effort: the limit on locked memory may be small, and a kernel may lack the advice.
        if count <= lockedMaximum { _ = mlock(mapped, count) }
        _ = madvise(mapped, count, 16 /* MADV_DONTDUMP */)
        return mapped
    }
}

/// What a process that holds secrets gives away when it crashes.
public enum ProcessMemory {
    /// Writes no core dump, and lets no process of the same user read this one's memory. What it starts is not affected by
    /// the latter.
    public static func forbidDumps() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        // Both best effort, and neither fails on Linux.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        _ = coffer_forbid_dumps()
    }
}
