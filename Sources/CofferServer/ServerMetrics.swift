import Synchronization

/// What the door has seen, for `GET /-/metrics` in Prometheus's text format 0.0.4.
final class ServerMetrics: Sendable {
    private struct Counts {
        var inFlight = 0
        var byStatus: [Int: Int] = [:]
        var seconds = 0.0
        var bytesIn: Int64 = 0
        var bytesOut: Int64 = 0
    }
    private let counts = Mutex(Counts())
    private let started = ContinuousClock.now

    func began() { counts.withLock { $0.inFlight += 1 } }

    func ended(status: Int, duration: Duration, bytesOut: Int64) {
        let parts = duration.components
        counts.withLock {
            $0.inFlight -= 1
            $0.byStatus[status, default: 0] += 1
            $0.seconds += Double(parts.seconds) + Double(parts.attoseconds) / 1e18
            $0.bytesOut += bytesOut
        }
    }

    func received(bytes: Int) { counts.withLock { $0.bytesIn += Int64(bytes) } }

    /// The text of one scrape.
    func text(isReady: Bool) -> String {
        let (inFlight, byStatus, seconds, bytesIn, bytesOut) = counts.withLock {
            ($0.inFlight, $0.byStatus, $0.seconds, $0.bytesIn, $0.bytesOut)
        }
        var lines: [String] = []
        func family(_ name: String, _ kind: String, _ help: String, _ samples: [(String, String)]) {
            lines.append("# HELP \(name) \(help)")
            lines.append("# TYPE \(name) \(kind)")
            for (labels, value) in samples { lines.append("\(name)\(labels) \(value)") }
        }
        family("coffer_ready", "gauge", "1 when requests are answered.", [("", isReady ? "1" : "0")])
        family(
            "coffer_uptime_seconds", "gauge", "Seconds since the process opened its door.",
            [("", "\((ContinuousClock.now - started).components.seconds)")])
        family("coffer_http_requests_in_flight", "gauge", "Requests being answered.", [("", "\(inFlight)")])
        family(
            "coffer_http_requests_total", "counter", "Requests answered, by status.",
            byStatus.sorted { $0.key < $1.key }.map { ("{status=\"\($0.key)\"}", "\($0.value)") })
        family("coffer_http_request_seconds_total", "counter", "Seconds spent answering.", [("", "\(seconds)")])
        family("coffer_http_received_bytes_total", "counter", "Bytes of request bodies.", [("", "\(bytesIn)")])
        family("coffer_http_sent_bytes_total", "counter", "Bytes of response bodies.", [("", "\(bytesOut)")])
        return lines.joined(separator: "\n") + "\n"
    }
}
