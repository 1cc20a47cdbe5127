import Catalog
import Foundation
import PipelineModel

/// Conditions around stages: their rows. Checking them is done outside of the transaction.
extension Ledger {
    func conditions(_ execution: String, _ stage: String) throws -> [ConditionStateView] {
        let row = try transaction.row(
            "SELECT conditions_json FROM pipeline_passages WHERE execution = ? AND stage = ?", execution, stage)
        return try row.map { try JSONText.decode(try $0.string("conditions_json")) } ?? []
    }

    func setCondition(_ state: ConditionStateView, _ execution: String, _ stage: String) throws {
        var all = try conditions(execution, stage).filter { $0.hook != state.hook }
        all.append(state)
        try transaction.execute(
            "UPDATE pipeline_passages SET conditions_json = ? WHERE execution = ? AND stage = ?",
            try JSONText.encode(all), execution, stage)
        try record(
            .condition, state.status.rawValue, execution: try self.execution(execution), stage: stage,
            message: "\(state.hook.rawValue)\(state.summary.map { ": \($0)" } ?? "")")
    }

    func beginCheck(_ id: String, _ stage: String, _ hook: ConditionHook, _ serial: Int64) throws {
        let execution = try execution(id)
        let rules = (try declaration(execution.version).stage(stage)?.condition(hook)?.rules ?? []).map { rule in
            RuleStateView(
                ruleExecutionID: context.environment.makeID(), name: rule.name, status: .inProgress, summary: nil,
                error: nil, resolvedConfiguration: rule.configuration ?? [:])
        }
        try setCondition(
            ConditionStateView(hook: hook, status: .inProgress, summary: nil, lastStatusChange: time, rules: rules), id,
            stage)
        for (position, rule) in rules.enumerated() {
            try transaction.execute(
                """
                INSERT INTO pipeline_rules (id, pipeline, execution, stage, hook, name, position, attempt, started, updated,
                    status, record_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, rule.ruleExecutionID, row.id, id, stage, hook.rawValue, rule.name, serial * 8 + Int64(position),
                execution.attempt, time, time, rule.status.rawValue, try JSONText.encode(rule))
        }
        aftermath.checks.append(
            CheckTicket(pipeline: row.id, execution: id, stage: stage, hook: hook, serial: serial))
    }

    /// A check ended without a result: overridden, abandoned, cancelled.
    func endCheck(_ id: String, _ stage: String, _ hook: ConditionHook, _ status: ConditionStatus) throws {
        guard var state = try conditions(id, stage).first(where: { $0.hook == hook }) else { return }
        state.status = status
        state.lastStatusChange = time
        for index in state.rules.indices where state.rules[index].status == .inProgress {
            state.rules[index].status = .abandoned
        }
        try updateRules(state)
        try setCondition(state, id, stage)
    }

    private func updateRules(_ state: ConditionStateView) throws {
        for rule in state.rules {
            try transaction.execute(
                "UPDATE pipeline_rules SET status = ?, updated = ?, record_json = ? WHERE id = ? AND status = 'InProgress'",
                rule.status.rawValue, time, try JSONText.encode(rule), rule.ruleExecutionID)
        }
    }

    /// A check has a result.
    func finishCheck(_ ticket: CheckTicket, _ outcomes: [String: RuleOutcome]) throws {
        guard let check = machine.runs[ticket.execution]?.passage?.check, check.serial == ticket.serial,
            var state = try conditions(ticket.execution, ticket.stage).first(where: { $0.hook == ticket.hook })
        else { return }
        for index in state.rules.indices {
            guard let outcome = outcomes[state.rules[index].name] else { continue }
            state.rules[index].status = outcome.passed ? .succeeded : .failed
            state.rules[index].summary = outcome.summary
            state.rules[index].resolvedConfiguration = outcome.configuration
            state.rules[index].error =
                outcome.isError ? ErrorDetails(code: "ConfigurationError", message: outcome.summary) : nil
        }
        let met = state.rules.allSatisfy { $0.status == .succeeded }
        let isError = outcomes.values.contains(where: \.isError)
        state.status = met ? .succeeded : isError ? .errored : .failed
        state.summary = state.rules.first { $0.status != .succeeded }?.summary
        state.lastStatusChange = time
        try updateRules(state)
        try setCondition(state, ticket.execution, ticket.stage)
        try apply(.conditionEnded(execution: ticket.execution, serial: ticket.serial, met: met))
    }
}

/// What a rule found.
struct RuleOutcome: Sendable, Hashable {
    var passed: Bool
    var isError = false
    var summary: String
    var configuration: [String: String]
}

/// The VariableCheck rule: compares a value with another.
enum VariableCheck {
    static func evaluate(_ rule: RuleDeclaration, _ lookUp: (VariableReference) -> String?) -> RuleOutcome {
        var resolved: [String: String] = [:]
        do {
            for (key, value) in rule.configuration ?? [:] {
                resolved[key] = try VariableText.resolve(value, lookUp)
            }
        } catch {
            return RuleOutcome(
                passed: false, isError: true,
                summary: "\(error.reference) has no value: no earlier action of this execution set it",
                configuration: rule.configuration ?? [:])
        }
        let variable = resolved["Variable"] ?? ""
        let value = resolved["Value"] ?? ""
        let name = resolved["Operator"] ?? ""
        let passed: Bool
        switch name {
        case "EQ": passed = variable == value
        case "NE": passed = variable != value
        case "CONTAINS": passed = variable.contains(value)
        case "MATCHES":
            // The pattern is the author's: what is wrong with it is told as the rule's error.
            guard let pattern = try? Regex(value) else {
                return RuleOutcome(
                    passed: false, isError: true, summary: "'\(value)' is not a regular expression",
                    configuration: resolved)
            }
            do {
                passed = try pattern.wholeMatch(in: variable) != nil
            } catch {
                passed = false
            }
        default:
            return RuleOutcome(
                passed: false, isError: true, summary: "Operator must be EQ, NE, CONTAINS or MATCHES, not '\(name)'",
                configuration: resolved)
        }
        return RuleOutcome(
            passed: passed, summary: "'\(variable)' \(name) '\(value)' is \(passed)", configuration: resolved)
    }
}
