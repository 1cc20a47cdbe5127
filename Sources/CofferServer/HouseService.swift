import AWSProtocol
import ActionProviders
import CodePipelineAPI
import Console
import Foundation
import KMSAPI
import Logging
import PipelineEngine
import S3API
import STSAPI
import ServiceLifecycle
import SystemPackage

/// Opens the house once the port is open, lets requests in, runs the engine, and closes everything when told to stop.
struct HouseService: Service {
    let configuration: ServerConfiguration
    let directory: DataDirectory
    let door: FrontDoor
    let bound: Bound
    let logger: Logger
    let onReady: @Sendable (Announcement) -> Void

    func run() async throws {
        guard let port = await bound.port() else { return }
        let endpoint = endpoint(port)
        let house = try await House.open(configuration, directory, endpoint: endpoint, logger: logger)
        let s3 = S3Front(objects: house.objects, access: house.access, logger: logger)
        let dispatch = dispatch(house, s3)
        let housekeeping = Housekeeping(front: s3, store: house.store, logger: logger)
        let announcement = Announcement(
            endpoint: endpoint, region: configuration.region, account: house.account, pid: getpid(), since: Date())
        try announcement.write(to: directory.announcement)
        door.become(.ready { await dispatch.respond(to: $0) })
        logger.info("build commands: \(house.providers.sandboxDescription)")
        onReady(announcement)
        try await cancelWhenGracefulShutdown {
            async let kept: Void = housekeeping.run()
            try await house.pipelines.run()
            await kept
        }
        try await house.close()
    }

    private func dispatch(_ house: House, _ s3: S3Front) -> ServiceDispatch {
        let (logger, door) = (logger, door)
        let report: @Sendable (any Error, ServiceRequest) -> Void = { error, request in
            logger.error(
                "\(request.method) \(request.header("x-amz-target") ?? request.path): \(String(reflecting: error))",
                metadata: ["request": "\(request.requestID)"])
        }
        let native = NativeAPI(
            services: NativeServices(
                access: house.access, store: house.store, objects: house.objects, keys: house.keys,
                providers: house.providers, pipelines: house.pipelines, version: CofferVersion.text,
                dataDirectory: directory.path.string, isStopping: { door.isStopping }, logger: logger))
        return ServiceDispatch(
            authenticator: Authenticator(credentials: house.access),
            fronts: [
                .codePipeline: CodePipelineFront(pipelines: house.pipelines, access: house.access, report: report),
                .kms: KMSFront(keys: house.keys, access: house.access, report: report),
                .s3: s3,
                .sts: STSFront(access: house.access, report: report),
            ],
            native: native, logger: logger)
    }

    /// The address by which programs of this machine reach the port.
    private func endpoint(_ port: Int) -> String {
        var host = configuration.host
        if host == "0.0.0.0" || host == "::" { host = "127.0.0.1" }
        return "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
