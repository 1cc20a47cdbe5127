import AWSProtocol
import AccessControl
import ActionProviders
import ArtifactStore
import CodePipelineAPI
import Console
import Foundation
import KMSAPI
import KeyHierarchy
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
        let house: House
        do {
            house = try await House.open(
                configuration, directory, endpoint: endpoint, logger: logger,
                unseal: { try await waitForUnseal($0, endpoint) })
        } catch is CancellationError {
            return  // Told to stop while sealed: nothing was opened.
        }
        let s3 = s3Front(house)
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
            async let maintained: Void = maintainKeys(house.keys)
            async let worked: Void = house.store.runJobs()
            async let marked: Void = signHeads(house.store)
            try await house.pipelines.run()
            await kept
            await maintained
            await worked
            await marked
        }
        try await house.close()
    }

    /// S3, which asks KMS before it uses an object's key, and notes the use with its encryption context.
    private func s3Front(_ house: House) -> S3Front {
        let (logger, keys) = (logger, house.keys)
        let permissions = KMSPermissions(keys: keys, access: house.access)
        return S3Front(
            objects: house.objects, access: house.access, keyChanges: { keys.changeCount },
            useKey: { use, request in
                try await permissions.require(
                    use.operation, on: use.keyARN, context: use.context, principal: use.principal, via: "s3", request)
                try await keys.beginUse(of: use.keyARN, operation: use.operation, requestID: request.requestID)
                logger.info(
                    "kms:\(use.operation) through s3",
                    metadata: [
                        "key": "\(use.keyARN)", "principal": "\(use.principal.arn)",
                        "context":
                            "\(use.context.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", "))",
                        "request": "\(request.requestID)",
                    ])
            }, logger: logger)
    }

    private func dispatch(_ house: House, _ s3: S3Front) -> ServiceDispatch {
        let (logger, door) = (logger, door)
        let report: @Sendable (any Error, ServiceRequest) -> Void = { error, request in
            logger.error(
                "\(request.method) \(request.header("x-amz-target") ?? request.path): \(String(reflecting: error))",
                metadata: ["request": "\(request.requestID)"])
        }
        let permissions = KMSPermissions(keys: house.keys, access: house.access)
        let native = NativeAPI(
            services: NativeServices(
                access: house.access, store: house.store, objects: house.objects, keys: house.keys,
                providers: house.providers, pipelines: house.pipelines, version: CofferVersion.text,
                dataDirectory: directory.path.string, isStopping: { door.isStopping }, logger: logger,
                requireKeyPermission: { permission, principal, request in
                    try await permissions.require(
                        permission.operation, on: permission.keyARN, context: permission.context,
                        conditions: permission.conditions, principal: principal, via: "s3", request)
                }))
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

    /// Signs the head of the version log every minute in which it has grown.
    private func signHeads(_ store: ArtifactStore) async {
        while !Task.isCancelled {
            do {
                try await store.recordHead()
                try await Task.sleep(for: .seconds(60))
            } catch is CancellationError {
                return
            } catch {
                logger.error("the head of the version log could not be signed: \(error)")
                // A cancelled sleep ends the loop at its condition.
                try? await Task.sleep(for: .seconds(60))
            }
        }
    }

    /// Lets what is due happen to keys (deletion, rotation, expiry) even when nobody asks for them.
    private func maintainKeys(_ keys: KeyHierarchy) async {
        while !Task.isCancelled {
            do {
                try await keys.maintain()
                try await Task.sleep(for: .seconds(300))
            } catch is CancellationError {
                return
            } catch {
                logger.error("keys: \(error)")
                // A cancelled sleep ends the loop at its condition.
                try? await Task.sleep(for: .seconds(300))
            }
        }
    }

    /// Answers 503 to everything but `POST /-/v1/root/unseal` until a passphrase has opened the root.
    private func waitForUnseal(_ keys: KeyHierarchy, _ endpoint: String) async throws {
        let (opened, announce) = AsyncStream.makeStream(of: Void.self)
        let unseal = UnsealRequest(keys: keys)
        door.become(
            .sealed { request in
                let response = await unseal.respond(to: request)
                if !keys.isSealed { announce.finish() }
                return response
            })
        logger.warning("the root key is sealed: run `coffer root unseal --endpoint \(endpoint)`")
        await cancelWhenGracefulShutdown { for await _ in opened {} }
        guard !keys.isSealed else { throw CancellationError() }
        door.become(.starting)
    }

    /// The address by which programs of this machine reach the port.
    private func endpoint(_ port: Int) -> String {
        var host = configuration.host
        if host == "0.0.0.0" || host == "::" { host = "127.0.0.1" }
        return "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
