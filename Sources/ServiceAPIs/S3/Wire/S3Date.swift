import Foundation

/// Times as S3 writes and reads them, without a formatter's cost or locale.
enum S3Date {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Mon, 02 Jan 2006 15:04:05 GMT` (RFC 9110 §5.6.7).
    static func http(_ date: Date) -> String {
        let parts = Civil(Int64(date.timeIntervalSince1970.rounded(.down)))
        return "\(days[parts.weekday]), \(two(parts.day)) \(months[parts.month - 1]) \(parts.year) "
            + "\(two(parts.hour)):\(two(parts.minute)):\(two(parts.second)) GMT"
    }

    /// `2006-01-02T15:04:05.000Z`. S3 counts seconds; with the milliseconds, clients that compare times of files, as
    /// `aws s3 sync` does, do not take a file for newer than its upload within the same second.
    static func iso(_ date: Date) -> String {
        let milliseconds = Int64((date.timeIntervalSince1970 * 1000).rounded())
        let parts = Civil(milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000)
        let fraction = Int(((milliseconds % 1000) + 1000) % 1000)
        let padded = String(repeating: "0", count: 3 - String(fraction).count) + String(fraction)
        return "\(parts.year)-\(two(parts.month))-\(two(parts.day))T"
            + "\(two(parts.hour)):\(two(parts.minute)):\(two(parts.second)).\(padded)Z"
    }

    /// Reads the form that ``http(_:)`` writes; other forms are ignored, as conditions with them are.
    static func parseHTTP(_ text: String) -> Date? {
        let fields = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == ":" })
        guard fields.count == 8, let day = Int(fields[1]), let month = months.firstIndex(of: String(fields[2])),
            let year = Int(fields[3]), let hour = Int(fields[4]), let minute = Int(fields[5]),
            let second = Int(fields[6]), (1...31).contains(day), (1970...9999).contains(year),
            (0..<24).contains(hour), (0..<60).contains(minute), (0...60).contains(second)
        else { return nil }
        let days = Civil.daysSinceEpoch(year: year, month: month + 1, day: day)
        return Date(timeIntervalSince1970: Double(days * 86400 + hour * 3600 + minute * 60 + second))
    }

    /// Midnight, UTC, of a year, month and day; `nil` when there is no such day.
    static func midnight(_ parts: [Int]) -> Date? {
        guard parts.count == 3, (1970...9999).contains(parts[0]), (1...12).contains(parts[1]),
            (1...31).contains(parts[2])
        else { return nil }
        let days = Civil.daysSinceEpoch(year: parts[0], month: parts[1], day: parts[2])
        return Date(timeIntervalSince1970: Double(days) * 86400)
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }

    /// The proleptic Gregorian calendar in UTC (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    private struct Civil {
        let year: Int
        let month: Int
        let day: Int
        let hour: Int
        let minute: Int
        let second: Int
        let weekday: Int

        init(_ seconds: Int64) {
            let days = Int(seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400)
            let rest = Int(seconds) - days * 86400
            hour = rest / 3600
            minute = rest / 60 % 60
            second = rest % 60
            weekday = ((days % 7) + 11) % 7
            let shifted = days + 719_468
            let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
            let dayOfEra = shifted - era * 146_097
            let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
            let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
            let shiftedMonth = (5 * dayOfYear + 2) / 153
            day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
            month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
            year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        }

        static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
            let year = month <= 2 ? year - 1 : year
            let era = (year >= 0 ? year : year - 399) / 400
            let yearOfEra = year - era * 400
            let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
            return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        }
    }
}
