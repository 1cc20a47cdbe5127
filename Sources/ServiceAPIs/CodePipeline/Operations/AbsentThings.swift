import AWSProtocol
import PipelineModel

extension CodePipelineOperations {
    /// Operations about things that cannot exist here: partners' action types and their jobs, and webhooks, which cannot be
    /// made. Their answers are those of the service for things that are not there.
    func addAbsentThings(to table: inout JSONOperationTable) {
        for operation in ["GetActionType", "UpdateActionType", "PollForThirdPartyJobs"] {
            refuse(
                operation, .actionTypeNotFound,
                "There are no action types of partners here, and no such type of AWS's.",
                in: &table)
        }
        let thirdParty = [
            "AcknowledgeThirdPartyJob", "GetThirdPartyJobDetails", "PutThirdPartyJobSuccessResult",
            "PutThirdPartyJobFailureResult",
        ]
        for operation in thirdParty {
            refuse(operation, .jobNotFound, "There are no jobs of partners' action types here.", in: &table)
        }
        for operation in ["RegisterWebhookWithThirdParty", "DeregisterWebhookWithThirdParty"] {
            refuse(operation, "WebhookNotFoundException", "There is no such webhook.", in: &table)
        }
        table.on("ListWebhooks") {
            (_: Shapes.ListWebhooksInput, request: ServiceRequest) -> Shapes.ListWebhooksOutput in
            _ = try authorize(request, "ListWebhooks", on: nil)
            return .init(webhooks: [])
        }
        // Deleting a webhook that is not there succeeds, and none is.
        table.on("DeleteWebhook") { (_: AnyInput, request: ServiceRequest) in
            _ = try authorize(request, "DeleteWebhook", on: nil)
        }
    }

    private func refuse(
        _ operation: String, _ code: PipelineError.Code, _ message: String, in table: inout JSONOperationTable
    ) {
        table.on(operation) { (_: AnyInput, request: ServiceRequest) -> Void in
            _ = try authorize(request, operation, on: nil)
            throw PipelineError(code, message)
        }
    }
}
