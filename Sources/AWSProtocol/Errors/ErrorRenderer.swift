import Foundation
import HTTPTypes

extension ServiceResponse {
    /// Writes an error as the given dialect's clients expect it. The answer to a `HEAD` request has no body.
    public static func failure(_ error: AWSError, to request: ServiceRequest, in dialect: Dialect) -> ServiceResponse {
        var response: ServiceResponse
        let status = error.status(in: dialect)
        switch dialect {
        case .json, .restJSON:
            response = ServiceResponse(
                status: status,
                headers: [.contentType: dialect == .json ? "application/x-amz-json-1.1" : "application/json"],
                body: .bytes(json(error)))
            response.setHeader("x-amzn-RequestId", request.requestID)
            response.setHeader("x-amzn-ErrorType", error.code)
        case .query:
            response = .text(
                status: status, contentType: "text/xml", queryDocument(error, status: status, request.requestID))
            response.setHeader("x-amzn-RequestId", request.requestID)
        case .restXML:
            response = .text(status: status, contentType: "application/xml", s3Document(error, request))
            response.setHeader("x-amz-request-id", RequestID.s3Form(request.requestID))
            response.setHeader("x-amz-id-2", request.requestID)
        }
        if request.method == "HEAD" || status == 304 { response.body = .empty }
        return response
    }

    private static func json(_ error: AWSError) -> [UInt8] {
        var members = ["__type": error.code, "message": error.message]
        for field in error.fields { members[field.name] = field.value }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A dictionary of strings always encodes; were it not to, an empty object still carries the status.
        guard let data = try? encoder.encode(members) else { return Array("{}".utf8) }
        return Array(data)
    }

    private static func queryDocument(_ error: AWSError, status: Int, _ requestID: String) -> String {
        var xml = XMLWriter()
        xml.element("ErrorResponse") { xml in
            xml.element("Error") { xml in
                xml.element("Type", status >= 500 ? "Receiver" : "Sender")
                xml.element("Code", error.code)
                xml.element("Message", error.message)
            }
            xml.element("RequestId", requestID)
        }
        return xml.document
    }

    private static func s3Document(_ error: AWSError, _ request: ServiceRequest) -> String {
        var xml = XMLWriter()
        xml.element("Error") { xml in
            xml.element("Code", error.code)
            xml.element("Message", error.message)
            for field in error.fields { xml.element(field.name, field.value) }
            if !error.fields.contains(where: { $0.name == "Resource" }) {
                xml.element("Resource", PercentCoding.decode(request.path))
            }
            xml.element("RequestId", RequestID.s3Form(request.requestID))
            xml.element("HostId", request.requestID)
        }
        return xml.document
    }
}
