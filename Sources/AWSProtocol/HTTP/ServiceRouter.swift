import HTTPTypes

/// Which service a request is for. Open: values that are not listed name services we do not have.
public struct ServiceName: RawRepresentable, Hashable, Sendable {
    /// The service's name in a SigV4 credential scope.
    public let rawValue: String

    /// Makes a name from a credential scope's.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// CodePipeline.
    public static let codePipeline = ServiceName(rawValue: "codepipeline")
    /// CodeCommit.
    public static let codeCommit = ServiceName(rawValue: "codecommit")
    /// CodeBuild.
    public static let codeBuild = ServiceName(rawValue: "codebuild")
    /// KMS.
    public static let kms = ServiceName(rawValue: "kms")
    /// S3.
    public static let s3 = ServiceName(rawValue: "s3")
    /// STS.
    public static let sts = ServiceName(rawValue: "sts")
    /// IAM.
    public static let iam = ServiceName(rawValue: "iam")
    /// CloudWatch Logs.
    public static let logs = ServiceName(rawValue: "logs")
    /// What lives under `/-/`: health, metrics, the native API and the console.
    public static let coffer = ServiceName(rawValue: "coffer")

    /// The wire format in which the service's errors are written.
    public var dialect: Dialect {
        switch rawValue {
        case "s3": .restXML
        case "sts", "iam", "sns", "cloudformation", "elasticbeanstalk", "elasticloadbalancing": .query
        case "coffer", "lambda", "eks", "scheduler", "codestar-notifications": .restJSON
        default: .json
        }
    }
}

/// Decides which service a request is for, all services sharing one address.
public enum ServiceRouter {
    /// The most bytes of a form that are read to find its `Action`.
    static let formBytesMax = 1 << 20

    /// `X-Amz-Target` prefixes of the JSON services.
    static let targets: [String: String] = [
        "CodePipeline_20150709": "codepipeline", "CodeCommit_20150413": "codecommit",
        "CodeBuild_20161006": "codebuild", "CodeDeploy_20141006": "codedeploy",
        "CodeDeployCommandService_v20141006": "codedeploy-commands", "Logs_20140328": "logs", "AWSEvents": "events",
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail", "CloudTrail_20131101": "cloudtrail",
        "AmazonEC2ContainerServiceV20141113": "ecs", "AmazonEC2ContainerRegistry_V20150921": "ecr",
        "TrentService": "kms", "AmazonSSM": "ssm", "secretsmanager": "secretsmanager",
        "com.amazonaws.codestar.connections.CodeStar_connections_20191201": "codestar-connections",
        "CodeStar_connections_20191201": "codestar-connections",
        "com.amazonaws.codeconnections.CodeConnections_20231201": "codeconnections",
        "CodeConnections_20231201": "codeconnections", "AmazonSQS": "sqs",
        "GraniteServiceVersion20100801": "monitoring", "AWSSecurityTokenServiceV20110615": "sts",
    ]

    /// Version dates of the Query services, each unique.
    static let queryVersions: [String: String] = [
        "2010-05-15": "cloudformation", "2010-03-31": "sns", "2010-05-08": "iam", "2011-06-15": "sts",
        "2010-12-01": "elasticbeanstalk", "2015-12-01": "elasticloadbalancing", "2012-11-05": "sqs",
        "2010-08-01": "monitoring",
    ]

    /// The service that a request's head names: reserved paths, then target header, credential scope, `Action` and
    /// `Version` in the query, path; S3 otherwise.
    public static func service(of request: ServiceRequest) -> ServiceName {
        certainService(of: request) ?? pathService(of: request)
    }

    /// As ``service(of:)``, but also looks for `Action` and `Version` in the form that an unsigned Query call posts; the
    /// form is put back for the front to read.
    /// - Throws: ``AWSError`` when the form is too large; whatever reading the body throws.
    public static func route(_ request: inout ServiceRequest) async throws -> ServiceName {
        if let certain = certainService(of: request) { return certain }
        let contentType = request.headers[.contentType] ?? ""
        if request.method == "POST", contentType.lowercased().hasPrefix("application/x-www-form-urlencoded") {
            let form = try await request.body.collect(upTo: formBytesMax)
            request.body = RequestBody(bytes: form)
            let items = PercentCoding.formItems(String(decoding: form, as: UTF8.self))
            if let service = queryService(items) { return service }
        }
        return pathService(of: request)
    }

    private static func certainService(of request: ServiceRequest) -> ServiceName? {
        if request.path == "/-" || request.path.hasPrefix("/-/") { return .coffer }
        if let target = request.headers.text("x-amz-target"), let dot = target.utf8.lastIndex(of: UInt8(ascii: ".")),
            let service = targets[String(target[..<dot])]
        {
            return ServiceName(rawValue: service)
        }
        if let scope = SigningClaim.scopeService(of: request) { return ServiceName(rawValue: scope) }
        return queryService(request.queryItems)
    }

    private static func queryService(_ items: [(name: String, value: String)]) -> ServiceName? {
        guard items.contains(where: { $0.name == "Action" }),
            let version = items.first(where: { $0.name == "Version" })?.value, let service = queryVersions[version]
        else { return nil }
        return ServiceName(rawValue: service)
    }

    private static func pathService(of request: ServiceRequest) -> ServiceName {
        let path = request.path
        if path.hasPrefix("/v1/repos/") { return .codeCommit }
        if path == "/v2" || path.hasPrefix("/v2/") { return ServiceName(rawValue: "ecr-registry") }
        if path.hasPrefix("/2015-03-31/") { return ServiceName(rawValue: "lambda") }
        if path.hasPrefix("/service/GraniteServiceVersion20100801/") { return ServiceName(rawValue: "monitoring") }
        let wantsPage = request.headers[.accept]?.contains("text/html") ?? false
        if path == "/", request.method == "GET", request.query.isEmpty, wantsPage { return .coffer }
        return .s3
    }
}
