public import AccessControl
public import Foundation
public import HTTPTypes

/// An HTTP request as the service fronts see it, free of any transport.
///
/// The adapter fills in everything but ``principal``, which ``Authenticator/verify(_:service:dialect:allowAnonymous:)``
/// sets, together with ``region`` (from the credential scope) and a ``body`` that checks itself while it is read.
public struct ServiceRequest: Sendable {
    /// The request method, upper case.
    public var method: String
    /// The path, percent-encoded exactly as received; never empty.
    public var path: String
    /// What follows the `?`, exactly as received, without the `?`; empty when there is none.
    public var query: String
    /// The header fields, without `Host`, which is ``authority``.
    public var headers: HTTPFields
    /// The `Host` header (HTTP/1.1) or `:authority` (HTTP/2) as received, with its port if it has one.
    public var authority: String
    /// The peer's address, for logs and audit records.
    public var remoteAddress: String
    /// Whether the peer spoke TLS to us, or to a proxy that we trust.
    public var isSecure: Bool
    /// The body. Read it at most once.
    public var body: RequestBody
    /// The id under which this request is logged and answered.
    public var requestID: String
    /// When the request's head arrived; signatures are judged against it.
    public var receivedAt: Date
    /// Who signed the request; `nil` before authentication and for an anonymous request.
    public var principal: Principal?
    /// The region the client believes it speaks to.
    public var region: String

    /// Makes a request from what a transport knows.
    public init(
        method: String, path: String, query: String = "", headers: HTTPFields = [:], authority: String = "",
        remoteAddress: String = "", isSecure: Bool = false, body: RequestBody = RequestBody(bytes: []),
        requestID: String = RequestID.make(), receivedAt: Date = Date(), principal: Principal? = nil,
        region: String = "us-east-1"
    ) {
        self.method = method
        self.path = path.isEmpty ? "/" : path
        self.query = query
        self.headers = headers
        self.authority = authority
        self.remoteAddress = remoteAddress
        self.isSecure = isSecure
        self.body = body
        self.requestID = requestID
        self.receivedAt = receivedAt
        self.principal = principal
        self.region = region
    }

    /// The value of the header called `name`, several joined with commas; `nil` when absent.
    public func header(_ name: String) -> String? {
        let isLower = name.utf8.allSatisfy { !(0x41...0x5A).contains($0) && $0 < 0x80 }
        return headers.text(isLower ? name : name.lowercased())
    }

    /// The query as decoded pairs, in the order sent. A name without `=` has an empty value; `+` stays a plus sign.
    public var queryItems: [(name: String, value: String)] {
        PercentCoding.pairs(query).map { (PercentCoding.decode($0.name), PercentCoding.decode($0.value)) }
    }

    /// The decoded value of the first query parameter called `name`; empty when it has none, `nil` when absent.
    public func queryValue(_ name: String) -> String? {
        queryItems.first { $0.name == name }?.value
    }

    /// The principal, or the error to answer with when a front is asked to work without one.
    public func requirePrincipal() throws(AWSError) -> Principal {
        guard let principal else { throw AWSError("AccessDenied", "Access Denied") }
        return principal
    }
}

/// Something that answers requests for one service. It never throws: failures become responses in its own dialect.
public protocol ServiceFront: Sendable {
    /// Answers one authenticated request.
    func respond(to request: ServiceRequest) async -> ServiceResponse
}

extension HTTPFields {
    /// The value of a field by its lower-case name, several joined with commas; `nil` when absent. A field that is there
    /// once, as most are, is not copied.
    func text(_ name: String) -> String? {
        var found: String?
        for field in self where field.name.canonicalName == name {
            found = found.map { $0 + ", " + field.value } ?? field.value
        }
        return found
    }
}
