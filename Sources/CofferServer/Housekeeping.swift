import ArtifactStore
import Logging
import S3API

/// What a server does by itself now and then: the lifecycle rules of buckets, the retention rules of artifacts, and the
/// collection of what nothing needs any more.
struct Housekeeping: Sendable {
    let front: S3Front
    let store: ArtifactStore
    let logger: Logger
    /// Between two rounds.
    var interval: Duration = .seconds(3600)
    /// A collection reads the shape of everything that is kept: not every round.
    var roundsPerCollection = 6

    /// Ends shares whose time is over and completes revocations that are due.
    private func settleShares() async {
        do {
            let upkeep = try await store.settleShares()
            if upkeep.expired + upkeep.completed > 0 {
                logger.info(
                    "shares were settled",
                    metadata: ["expired": "\(upkeep.expired)", "completed": "\(upkeep.completed)"])
            }
            for failure in upkeep.failures {
                logger.error("a revocation is not complete", metadata: ["why": "\(failure)"])
            }
        } catch {
            logger.error("shares could not be settled", metadata: ["error": "\(error)"])
        }
    }

    /// Works until cancelled. A failure is logged and does not keep the next round from its work.
    func run() async {
        var round = 0
        while !Task.isCancelled {
            do { try await Task.sleep(for: interval) } catch { return }
            round += 1
            await front.applyLifecycles()
            await settleShares()
            do {
                let deleted = try await store.applyRetention()
                if !deleted.isEmpty {
                    logger.info("retention rules deleted versions", metadata: ["count": "\(deleted.count)"])
                }
                guard round.isMultiple(of: roundsPerCollection) else { continue }
                let report = try await store.collect()
                let retired = try await store.retireDomainEpochs()
                if !retired.destroyed.isEmpty {
                    logger.info("dedup epochs destroyed", metadata: ["count": "\(retired.destroyed.count)"])
                }
                logger.info(
                    "a collection ended",
                    metadata: ["freed": "\(report.bytesFreed)", "stored": "\(report.storedBytes)"])
            } catch let error as StoreError where error.code == .conflict {
                logger.debug("somebody else is collecting", metadata: ["why": "\(error)"])
            } catch {
                logger.error("housekeeping failed", metadata: ["error": "\(error)"])
            }
        }
    }
}
