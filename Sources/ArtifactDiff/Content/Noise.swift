/// Tells differences of layout and of time from differences of content.
enum Noise {
    /// The lines that differ between two texts.
    struct ChangedLines {
        let old: [UInt8]
        let new: [UInt8]
        let table: LineTable
        let gaps: [TextComparer.Gap]

        func oldLine(_ index: Int) -> ArraySlice<UInt8> { old[table.old.ranges[index]] }
        func newLine(_ index: Int) -> ArraySlice<UInt8> { new[table.new.ranges[index]] }
    }

    /// The classes that explain every changed line; `content` as soon as one is not explained.
    static func classes(of lines: ChangedLines) -> Set<ChangeClass> {
        var result: Set<ChangeClass> = []
        for gap in lines.gaps {
            let old = gap.old.map(lines.oldLine)
            let new = gap.new.map(lines.newLine)
            guard let reasons = explain(old, new) else { return [.content] }
            result.formUnion(reasons)
        }
        return result.isEmpty ? [.content] : result
    }

    private static func explain(_ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>]) -> Set<ChangeClass>? {
        var reasons: Set<ChangeClass> = []
        // Trailing space and empty lines mean nothing anywhere we know of; indentation does in many places.
        let oldBare = old.map(withoutTrailingSpace)
        let newBare = new.map(withoutTrailingSpace)
        let oldFull = oldBare.filter { !$0.isEmpty }
        let newFull = newBare.filter { !$0.isEmpty }
        guard oldFull.count == newFull.count else { return nil }
        let sameLines = oldFull.elementsEqual(newFull, by: { $0.elementsEqual($1) })
        if !sameLines {
            guard zip(oldFull, newFull).allSatisfy({ $0.elementsEqual($1) || differsInDates($0, $1) }) else {
                return nil
            }
            reasons.insert(.dates)
        }
        guard old.count == new.count else { return reasons.union([.whitespace]) }
        for (left, right) in zip(old, new) where !left.elementsEqual(right) {
            let isSameText = withoutTrailingSpace(left).elementsEqual(withoutTrailingSpace(right))
            if endsInCRLF(left) != endsInCRLF(right) {
                reasons.insert(.lineEndings)
            } else if isSameText || sameLines {
                reasons.insert(.whitespace)
            }
        }
        return reasons
    }

    private static func endsInCRLF(_ line: ArraySlice<UInt8>) -> Bool { line.suffix(2).elementsEqual([0x0D, 0x0A]) }

    private static func withoutTrailingSpace(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while let last = line.last, last == 0x20 || (0x09...0x0D).contains(last) { line = line.dropLast() }
        return line
    }

    private static func differsInDates(_ old: ArraySlice<UInt8>, _ new: ArraySlice<UInt8>) -> Bool {
        let (masked, count) = DateMask.mask(old)
        let (other, otherCount) = DateMask.mask(new)
        return count > 0 && count == otherCount && masked == other
    }
}

/// Replaces dates and times in a line by a placeholder, so that lines can be compared apart from them.
///
/// Recognised: `2024-05-06`, `12:34:56` with fractions, the two joined by `T` and followed by a zone, compact
/// `20240506T123456Z`, Unix times of 10 or 13 digits between 2001 and 2033, and `Mon`, `May` and years next to a time.
enum DateMask {
    static func mask(_ line: ArraySlice<UInt8>) -> (bytes: [UInt8], count: Int) {
        var result: [UInt8] = []
        var count = 0
        var rest = line
        var hasClock = false
        while let first = rest.first {
            let previous = result.last
            if isDigit(first), !(previous.map { isDigit($0) || isLetter($0) } ?? false),
                let length = length(of: rest)
            {
                hasClock = hasClock || rest.prefix(length).contains(UInt8(ascii: ":"))
                result.append(0)
                count += 1
                rest = rest.dropFirst(length)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return hasClock ? (maskWords(result), count) : (result, count)
    }

    /// How many bytes of a date or time a text starts with.
    private static func length(of text: ArraySlice<UInt8>) -> Int? {
        let digits = text.prefix(while: isDigit).count
        switch digits {
        case 2: return clockLength(text)
        case 4:
            guard matches(text, "dddd-dd-dd") else { return nil }
            let clock = text.dropFirst(10)
            guard let separator = clock.first, separator == UInt8(ascii: "T") || separator == 0x20,
                let more = clockLength(clock.dropFirst())
            else { return 10 }
            return 11 + more
        case 8 where matches(text, "ddddddddTdddddd"): return text.dropFirst(15).first == UInt8(ascii: "Z") ? 16 : 15
        case 10, 13:
            // Unix time in seconds or milliseconds: 1e9 is September 2001, 2e9 May 2033.
            return text.first == UInt8(ascii: "1") ? digits : nil
        default: return nil
        }
    }

    /// `12:34:56`, a fraction, a zone.
    private static func clockLength(_ text: ArraySlice<UInt8>) -> Int? {
        guard matches(text, "dd:dd") else { return nil }
        var length = matches(text, "dd:dd:dd") ? 8 : 5
        let fraction = text.dropFirst(length)
        if let dot = fraction.first, dot == UInt8(ascii: ".") || dot == UInt8(ascii: ",") {
            let digits = fraction.dropFirst().prefix(while: isDigit).count
            if digits > 0 { length += 1 + digits }
        }
        let zone = text.dropFirst(length)
        if zone.first == UInt8(ascii: "Z") { return length + 1 }
        if let sign = zone.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            if matches(zone.dropFirst(), "dd:dd") { return length + 6 }
            if matches(zone.dropFirst(), "dddd") { return length + 5 }
        }
        return length
    }

    private static let words: Set<String> = [
        "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
        "Oct", "Nov", "Dec", "UTC", "GMT", "CET", "CEST", "EST", "EDT", "PST", "PDT",
    ]

    /// Masks names of days, months and zones, days of the month and years, in a line that has a time of day.
    private static func maskWords(_ line: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var word: [UInt8] = []
        func flush() {
            let text = String(decoding: word, as: UTF8.self)
            let isNumber = !word.isEmpty && word.allSatisfy(isDigit)
            let isDatePart = words.contains(text) || (isNumber && (word.count <= 2 || word.count == 4))
            result += isDatePart ? [0] : word
            word = []
        }
        for byte in line {
            if isDigit(byte) || isLetter(byte) {
                word.append(byte)
            } else {
                flush()
                result.append(byte)
            }
        }
        flush()
        return result
    }

    private static func matches(_ text: ArraySlice<UInt8>, _ shape: StaticString) -> Bool {
        let count = shape.utf8CodeUnitCount
        guard text.count >= count else { return false }
        return shape.withUTF8Buffer { shape in
            zip(text, shape).allSatisfy { byte, wanted in wanted == UInt8(ascii: "d") ? isDigit(byte) : byte == wanted }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) }
}
