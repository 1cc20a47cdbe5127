import Foundation
import PipelineModel

/// The state of one pipeline: who holds which stage, who waits where, and how far each live execution has come.
///
/// A value without clock, randomness or I/O. `apply` takes an event and answers with effects; the same events give the
/// same states. What an execution reads and produces is not known here.
struct PipelineMachine: Sendable, Hashable, Codable {
    /// The current version of the definition.
    var version: Int
    /// The current execution mode.
    var mode: ExecutionMode
    /// By stage name.
    var lanes: [String: Lane] = [:]
    /// Live executions and those that can still be retried, by id.
    var runs: [String: Run] = [:]
    /// The serial number of the next action or condition check that starts.
    var nextSerial: Int64 = 1
    /// The time of the latest event; never goes back.
    var now: Date = .distantPast

    static let liveLimit = 50
    static let parallelActionLimit = 5
    static let holdDays = 30
    static let parallelRetryable = 50

    init(version: Int, mode: ExecutionMode) {
        self.version = version
        self.mode = mode
    }

    /// A stage as executions compete for it.
    struct Lane: Sendable, Hashable, Codable {
        /// The execution inside.
        var lock: String?
        /// Executions in front, the next to enter first. At most one in SUPERSEDED mode.
        var waiting: [String] = []
        /// Set while the inbound transition is disabled.
        var inbound: Hold?
        /// Set while the outbound transition is disabled.
        var outbound: Hold?
        /// Who enabled the inbound transition last, and when.
        var inboundEnabled: Enabling?
        /// Who enabled the outbound transition last, and when.
        var outboundEnabled: Enabling?
        /// The execution that entered last.
        var latest: Latest?
        /// Nobody may enter until it is decided whether a rollback does.
        var isAwaitingRollback = false
    }

    /// A disabled transition.
    struct Hold: Sendable, Hashable, Codable {
        var reason: String
        var by: String
        var since: Date
    }

    /// An enabled transition that was disabled before.
    struct Enabling: Sendable, Hashable, Codable {
        var by: String
        var at: Date
    }

    /// What the state view shows of the execution that entered a stage last.
    struct Latest: Sendable, Hashable, Codable {
        var id: String
        var number: Int
        var kind: ExecutionKind
        var status: StageStatus
        var automaticRetries = 0
        var manualRetries = 0
        var retriedAutomaticallyLast = false
    }

    /// One execution.
    struct Run: Sendable, Hashable, Codable {
        var id: String
        var number: Int
        /// The version of the definition it started with and keeps.
        var version: Int
        var mode: ExecutionMode
        var kind: ExecutionKind
        var status: ExecutionStatus = .inProgress
        var attempt = 1
        /// The stage in front of which it waits.
        var waitsFor: String?
        /// The stage it is in or was in last.
        var passage: Passage?
        var isAbandoning = false
        var stopReason: String?
        /// The definition was updated: ends as Cancelled when nothing runs any more.
        var isCancelling = false
    }

    /// An execution's way through one stage.
    struct Passage: Sendable, Hashable, Codable {
        var stage: String
        var status: StageStatus = .inProgress
        /// Entry conditions are behind it.
        var hasEntered = false
        var actions: [ActionState]
        /// A condition that is being checked.
        var check: Check?
        var automaticRetries = 0
        var manualRetries = 0
        var retriedAutomaticallyLast = false

        var isRunning: Bool { actions.contains { $0.status == .inProgress } }
        var hasFailed: Bool { actions.contains { $0.status == .failed } }
    }

    /// A condition that is being checked.
    struct Check: Sendable, Hashable, Codable {
        var hook: ConditionHook
        var serial: Int64
    }

    /// One action of a passage.
    struct ActionState: Sendable, Hashable, Codable {
        var name: String
        var order: Int
        var isApproval: Bool
        /// Nil until it starts.
        var status: ActionStatus?
        /// Names this run of the action; 0 until it starts.
        var serial: Int64 = 0
    }
}

/// What happens to a pipeline.
enum MachineEvent: Sendable, Hashable, Codable {
    /// An execution starts.
    case start(id: String, number: Int)
    /// An execution starts that runs one stage again. `isAutomatic` answers the effect `rollBack`.
    case startRollback(id: String, number: Int, stage: String, isAutomatic: Bool)
    /// The effect `rollBack` found no execution to return to.
    case noRollback(stage: String)
    /// An action succeeded or failed.
    case actionEnded(execution: String, serial: Int64, succeeded: Bool)
    /// A condition was checked.
    case conditionEnded(execution: String, serial: Int64, met: Bool)
    /// Somebody asks to stop.
    case stop(execution: String, abandon: Bool, reason: String?)
    /// Somebody asks to retry.
    case retry(execution: String, stage: String, mode: RetryMode)
    /// Somebody passes over a condition.
    case override(execution: String, stage: String, hook: ConditionHook)
    /// Somebody opens or closes a transition.
    case setTransition(stage: String, type: TransitionType, enabled: Bool, reason: String, by: String)
    /// The definition was replaced.
    case update(version: Int)
}

/// What an execution or a stage did, in the words of its events.
enum MachineStep: String, Sendable, Hashable, Codable {
    case started = "STARTED"
    case resumed = "RESUMED"
    case succeeded = "SUCCEEDED"
    case failed = "FAILED"
    case stopping = "STOPPING"
    case stopped = "STOPPED"
    case superseded = "SUPERSEDED"
    case cancelled = "CANCELED"
    case skipped = "SKIPPED"
}

/// What is to be done after an event, in order.
enum MachineEffect: Sendable, Hashable {
    /// Record that an execution did a step.
    case execution(id: String, MachineStep, summary: String?)
    /// Record that an execution's passage did a step.
    case stage(id: String, stage: String, MachineStep)
    /// Start an action; answered by `actionEnded`.
    case startAction(id: String, stage: String, action: String, serial: Int64)
    /// Ignore an action that runs.
    case abandonAction(id: String, stage: String, action: String, serial: Int64)
    /// Check a condition; answered by `conditionEnded`.
    case check(id: String, stage: String, hook: ConditionHook, serial: Int64)
    /// Ignore a condition that is being checked.
    case endCheck(id: String, stage: String, hook: ConditionHook, ConditionStatus)
    /// Find the execution to return to; answered by `startRollback` or `noRollback`.
    case rollBack(stage: String, failed: String)
    /// Record that a transition was opened or closed.
    case transition(stage: String, type: TransitionType, enabled: Bool)
}
