import AWSProtocol
import AccessControl
import KeyHierarchy
import PipelineEngine
import PipelineModel

typealias Shapes = CodePipelineShapes

/// What the operations share: who calls, from where, and whether they may.
struct CodePipelineOperations: Sendable {
    let service: PipelineService
    let access: AccessControl

    /// The caller, once access control agrees, and the account and region in which the call works.
    struct Caller: Sendable {
        var scope: AccountRegion
        var arn: String
    }

    /// Authorises an operation on a resource named below `arn:aws:codepipeline:REGION:ACCOUNT:`; `nil` stands for all.
    func authorize(_ request: ServiceRequest, _ operation: String, on resource: String?) throws -> Caller {
        let principal = try request.requirePrincipal()
        let scope = AccountRegion(account: principal.account, region: request.region)
        let arn = resource.map { Self.arn($0, in: scope) } ?? "*"
        try access.authorize(principal, action: "codepipeline:\(operation)", resource: arn)
        return Caller(scope: scope, arn: principal.arn)
    }

    static func arn(_ resource: String, in scope: AccountRegion) -> String {
        "arn:aws:codepipeline:\(scope.region):\(scope.account):\(resource)"
    }
}

/// A request of which nothing is needed.
struct AnyInput: Decodable, Sendable {}
