import Glibc

/// What each container format's next structure is.
extension ScanLevel {
    // MARK: ar

    mutating func nextAr(_ window: UnsafeRawBufferPointer, isAll: Bool) -> Decision {
        // Members start at even offsets; the padding byte stands before the next header.
        let padding = window[0] == ArFormat.padding ? 1 : 0
        if window.count < padding + ArFormat.headerBytes {
            return isAll ? rest(.skeleton, window) : .needMore
        }
        let fields = UnsafeRawBufferPointer(rebasing: window[padding..<(padding + ArFormat.headerBytes)])
        guard let header = ArFormat.Header(fields) else { return rest(.body, window) }
        // BSD names lie in front of the data and count towards its size.
        return skeleton(
            padding + ArFormat.headerBytes + header.inlineNameBytes,
            then: .body(header.size - Int64(header.inlineNameBytes), nests: true))
    }

    // MARK: tar

    mutating func nextTar(_ window: UnsafeRawBufferPointer, isAll: Bool) -> Decision {
        // The padding of the member before and the next header are one run.
        let gap = padding
        if window.count < gap + TarBlock.size {
            return isAll ? rest(.skeleton, window) : .needMore
        }
        let block = UnsafeRawBufferPointer(rebasing: window[gap..<(gap + TarBlock.size)])
        padding = 0
        if TarBlock.isZero(block) { return skeleton(gap + TarBlock.size, then: .structure(.tar)) }
        guard let header = TarBlock(block) else { return rest(.body, window) }
        if header.isExtension {
            // Names and times of the following member, not content.
            guard header.paddedBytes < 1 << 20 else { return rest(.body, window) }
            return skeleton(gap + TarBlock.size + Int(header.paddedBytes), then: .structure(.tar))
        }
        if header.contentBytes == 0 { return skeleton(gap + TarBlock.size, then: .structure(.tar)) }
        padding = Int(header.paddedBytes - header.contentBytes)
        return skeleton(gap + TarBlock.size, then: .body(header.contentBytes, nests: true))
    }

    // MARK: zip

    mutating func nextZip(_ window: UnsafeRawBufferPointer, isAll: Bool) -> Decision {
        if window.count < 4 { return isAll ? rest(.skeleton, window) : .needMore }
        switch window.u32(0) {
        case ZipFormat.localSignature:
            return localHeader(window, isAll: isAll)
        case ZipFormat.centralSignature, ZipFormat.endSignature, ZipFormat.end64Signature:
            return rest(.skeleton, window)
        default:
            // A descriptor behind a member whose length was known all the same, with or without its signature.
            if window.count < 28, !isAll { return .needMore }
            for length in [16, 24, 12, 20] where Self.startsStructure(window, at: length) {
                return skeleton(length, then: .structure(.zip))
            }
            return rest(.body, window)
        }
    }

    private mutating func localHeader(_ window: UnsafeRawBufferPointer, isAll: Bool) -> Decision {
        let fixed = ZipFormat.localBytes
        if window.count < fixed { return isAll ? rest(.skeleton, window) : .needMore }
        let (flags, method) = (window.u16(6), window.u16(8))
        var size = Int64(window.u32(18))
        let nameEnd = fixed + Int(window.u16(26))
        let length = nameEnd + Int(window.u16(28))
        if size == Int64(ZipFormat.max32) || window.u32(22) == ZipFormat.max32 {
            if window.count < length { return isAll ? rest(.skeleton, window) : .needMore }
            // Local headers carry both sizes, the expanded one first (APPNOTE 4.5.3).
            let extra = try? ZipExtra(
                Array(window[nameEnd..<length])[...], at: 0, wants: .init(uncompressed: true, compressed: true))
            // No such field: the size stands for itself.
            size = extra?.compressed ?? size
        }
        if flags & 0x0008 != 0, size == 0 { return skeleton(length, then: .zipUntilDescriptor(seen: 0)) }
        return skeleton(length, then: .body(size, nests: method == 0 && flags & 1 == 0))
    }

    /// Looks for the descriptor whose recorded size is the number of bytes seen since the member's data began: a false
    /// match needs a signature, the right length and another signature behind it, and would cost sharing, not bytes.
    mutating func untilDescriptor(_ window: UnsafeRawBufferPointer, seen: Int64, isAll: Bool) -> Decision {
        let longest = 28
        let end = isAll ? window.count : window.count - longest + 1
        if end <= 0 { return .needMore }
        var position = Self.next(0x50, in: window, from: 0, to: end)
        while position < end {
            if let length = descriptorLength(window, at: position, size: seen + Int64(position)) {
                if position == 0 { return skeleton(length, then: .structure(.zip)) }
                break
            }
            position = Self.next(0x50, in: window, from: position + 1, to: end)
        }
        state = .zipUntilDescriptor(seen: seen + Int64(position))
        return .span(.body, length: Int64(position), known: false, begins: seen == 0)
    }

    /// Where a byte next occurs, `end` where it does not.
    private static func next(_ byte: UInt8, in window: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
        guard start < end, let base = window.baseAddress,
            let found = memchr(base + start, Int32(byte), end - start)
        else { return end }
        return UnsafeRawPointer(found) - base
    }

    private func descriptorLength(_ window: UnsafeRawBufferPointer, at position: Int, size: Int64) -> Int? {
        guard window.count - position >= 16, window.u32(position) == ZipFormat.descriptorSignature else { return nil }
        if window.u32(position + 8) == UInt32(truncatingIfNeeded: size), Self.startsStructure(window, at: position + 16)
        {
            return 16
        }
        if window.count - position >= 24, window.u64(position + 8) == UInt64(size),
            Self.startsStructure(window, at: position + 24)
        {
            return 24
        }
        return nil
    }

    private static func startsStructure(_ window: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard window.count >= offset + 4 else { return false }
        let signature = window.u32(offset)
        return signature == ZipFormat.localSignature || signature == ZipFormat.centralSignature
    }
}
