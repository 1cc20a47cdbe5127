import Foundation
import Synchronization

/// Limits a rate by waiting.
final class Pace: Sendable {
    private let bytesPerSecond: Int?
    private let debt = Mutex(0.0)

    init(bytesPerSecond: Int?) { self.bytesPerSecond = bytesPerSecond }

    func wait(_ bytes: Int) {
        guard let bytesPerSecond, bytesPerSecond > 0 else { return }
        let seconds = debt.withLock { debt -> Double in
            debt += Double(bytes) / Double(bytesPerSecond)
            guard debt > 0.05 else { return 0 }
            defer { debt = 0 }
            return debt
        }
        if seconds > 0 { Thread.sleep(forTimeInterval: seconds) }
    }
}
