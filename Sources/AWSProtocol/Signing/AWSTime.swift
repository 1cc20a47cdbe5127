public import Foundation

/// The forms in which AWS protocols write times.
public enum AWSTime {
    /// `20150830T123600Z`, as signatures use it.
    public static func basic(_ date: Date) -> String {
        let parts = components(date)
        return pad(parts.year, 4) + pad(parts.month, 2) + pad(parts.day, 2) + "T" + pad(parts.hour, 2)
            + pad(parts.minute, 2) + pad(parts.second, 2) + "Z"
    }

    /// `2015-08-30T12:36:00.000Z`, as XML answers use it.
    public static func iso8601(_ date: Date, milliseconds: Bool = true) -> String {
        let parts = components(date)
        let day = pad(parts.year, 4) + "-" + pad(parts.month, 2) + "-" + pad(parts.day, 2)
        let time = pad(parts.hour, 2) + ":" + pad(parts.minute, 2) + ":" + pad(parts.second, 2)
        return day + "T" + time + (milliseconds ? "." + pad(parts.millisecond, 3) : "") + "Z"
    }

    /// `Sun, 30 Aug 2015 12:36:00 GMT`, as HTTP headers use it (RFC 9110 §5.6.7).
    public static func http(_ date: Date) -> String {
        let parts = components(date)
        let clock = pad(parts.hour, 2) + ":" + pad(parts.minute, 2) + ":" + pad(parts.second, 2)
        return weekdays[parts.weekday] + ", " + pad(parts.day, 2) + " " + months[parts.month - 1] + " "
            + pad(parts.year, 4) + " " + clock + " GMT"
    }

    /// Reads `20150830T123600Z`; `nil` for anything else.
    public static func parseBasic(_ text: String) -> Date? {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let year = number(bytes, 0, 4), let month = number(bytes, 4, 2), let day = number(bytes, 6, 2),
            let hour = number(bytes, 9, 2), let minute = number(bytes, 11, 2), let second = number(bytes, 13, 2)
        else { return nil }
        return date(year, month, day, hour, minute, second)
    }

    /// Reads an RFC 9110 date (`Sun, 30 Aug 2015 12:36:00 GMT`); `nil` for anything else.
    public static func parseHTTP(_ text: String) -> Date? {
        let words = text.split(separator: " ")
        guard words.count == 6, let month = months.firstIndex(of: String(words[2])), let day = Int(words[1]),
            let year = Int(words[3])
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, words[5] == "GMT" || words[5] == "+0000" else { return nil }
        return date(year, month + 1, day, clock[0], clock[1], clock[2])
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private struct Components {
        var year, month, day, hour, minute, second, millisecond, weekday: Int
    }

    /// Civil date from days since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
    private static func components(_ date: Date) -> Components {
        let total = Int((date.timeIntervalSince1970 * 1000).rounded(.down))
        let millisecond = ((total % 86_400_000) + 86_400_000) % 86_400_000
        let days = (total - millisecond) / 86_400_000
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return Components(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * shiftedMonth + 2) / 5 + 1, hour: millisecond / 3_600_000,
            minute: millisecond / 60_000 % 60, second: millisecond / 1000 % 60, millisecond: millisecond % 1000,
            weekday: ((days % 7) + 11) % 7)
    }

    private static func date(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int
    ) -> Date? {
        guard (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second), (0...9999).contains(year)
        else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return Date(timeIntervalSince1970: Double(days * 86_400 + hour * 3600 + minute * 60 + second))
    }

    private static func number(_ bytes: [UInt8], _ start: Int, _ count: Int) -> Int? {
        var value = 0
        for byte in bytes[start..<(start + count)] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
