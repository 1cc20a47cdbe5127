package import Foundation

/// A pipeline in a list.
package struct PipelineItem: Codable, Sendable {
    package var name: String
    package var version: Int
    package var type: String
    package var stages: [String]
    package var created: Date?
    package var updated: Date?
    package var latest: ExecutionItem?
}

/// What is wrong with a pipeline declaration; empty when nothing is.
package struct ValidationAnswer: Codable, Sendable {
    package var name: String
    package var problems: [ErrorAnswer]
    /// What is allowed and seldom meant.
    package var warnings: [String] = []
}

/// An execution in a list.
package struct ExecutionItem: Codable, Sendable {
    package var pipeline: String
    package var id: String
    package var number: Int
    package var status: String
    package var statusSummary: String?
    package var pipelineVersion: Int
    package var trigger: String?
    package var revision: String?
    package var revisionSummary: String?
    package var started: Date?
    package var updated: Date?

    /// True when nothing will change about it any more, unless a stage is retried.
    package var isOver: Bool { status != "InProgress" && status != "Stopping" }
}

/// An execution with its stages, as far as they have come.
package struct ExecutionAnswer: Codable, Sendable {
    package var execution: ExecutionItem
    package var stages: [StageItem]
}

/// One stage of an execution. Status is nil before the execution has reached it.
package struct StageItem: Codable, Sendable {
    package var name: String
    package var status: String?
    package var actions: [ActionItem]
}

/// The latest run of an action in an execution. Status is nil before it began.
package struct ActionItem: Codable, Sendable {
    package var name: String
    package var provider: String
    package var category: String
    package var status: String?
    package var started: Date?
    package var updated: Date?
    package var summary: String?
    package var errorCode: String?
    package var errorMessage: String?
    package var actionExecutionID: String?
    package var externalID: String?
    package var externalURL: String?
    package var percentComplete: Int?
    package var token: String?
}

/// A started, stopped or retried execution.
package struct ExecutionRef: Codable, Sendable {
    package var pipeline: String
    package var id: String
    package var number: Int?

    package init(pipeline: String, id: String, number: Int? = nil) {
        self.pipeline = pipeline
        self.id = id
        self.number = number
    }
}

/// What to start an execution with.
package struct StartBody: Codable, Sendable {
    package var variables: [String: String]
    package var revisions: [RevisionOverride]
    package var clientToken: String?

    package init(variables: [String: String], revisions: [RevisionOverride], clientToken: String?) {
        self.variables = variables
        self.revisions = revisions
        self.clientToken = clientToken
    }

    /// The revision one source action is to take instead of the newest.
    package struct RevisionOverride: Codable, Sendable {
        package var action: String
        package var type: String
        package var value: String

        package init(action: String, type: String, value: String) {
            self.action = action
            self.type = type
            self.value = value
        }
    }
}

/// How to stop an execution.
package struct StopBody: Codable, Sendable {
    package var abandon: Bool
    package var reason: String?

    package init(abandon: Bool, reason: String?) {
        self.abandon = abandon
        self.reason = reason
    }
}

/// Which stage to try again, and which actions of it.
package struct RetryBody: Codable, Sendable {
    package var stage: String?
    package var allActions: Bool

    package init(stage: String?, allActions: Bool) {
        self.stage = stage
        self.allActions = allActions
    }
}

/// A decision that waits for somebody.
package struct ApprovalItem: Codable, Sendable {
    package var pipeline: String
    package var stage: String
    package var action: String
    package var executionID: String
    package var executionNumber: Int?
    package var token: String
    package var requested: Date?
    package var expires: Date?
    package var customData: String?
    package var url: String?
}

/// A decision.
package struct ApprovalDecision: Codable, Sendable {
    package var pipeline: String
    package var stage: String?
    package var action: String?
    package var token: String?
    package var approve: Bool
    package var summary: String

    package init(pipeline: String, stage: String?, action: String?, token: String?, approve: Bool, summary: String) {
        self.pipeline = pipeline
        self.stage = stage
        self.action = action
        self.token = token
        self.approve = approve
        self.summary = summary
    }
}

/// A piece of what an action's commands wrote.
package struct LogEntry: Codable, Sendable {
    package var stage: String
    package var action: String
    package var time: Date?
    package var text: String
}
