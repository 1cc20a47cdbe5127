import AWSProtocol
import AccessControl
import Foundation
import HTTPTypes

/// A request with its bucket, key and query taken apart.
struct S3Request: Sendable {
    let http: ServiceRequest
    /// `nil` for requests about the account.
    let bucket: String?
    /// `nil` for requests about a bucket.
    let key: String?
    private let query: [String: String]

    /// Takes a request apart: path-style, and virtual-hosted when `baseDomain` is given and the host lies under it.
    init(_ request: ServiceRequest, baseDomain: String?) throws(AWSError) {
        http = request.withPresignedHeaders()
        query = Dictionary(
            request.queryItems.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        var path = request.path[...]
        if let absolute = path.range(of: "://") { path = path[absolute.upperBound...].drop { $0 != "/" } }
        if path.hasPrefix("/") { path = path.dropFirst() }
        if let host = Self.hostedBucket(request.authority, baseDomain) {
            bucket = host
            key = path.isEmpty ? nil : try Self.decode(path)
        } else if path.isEmpty {
            bucket = nil
            key = nil
        } else {
            let slash = path.firstIndex(of: "/") ?? path.endIndex
            bucket = try Self.decode(path[..<slash])
            let rest = path[slash...].dropFirst()
            key = rest.isEmpty ? nil : try Self.decode(rest)
        }
    }

    private static func hostedBucket(_ authority: String, _ baseDomain: String?) -> String? {
        guard let baseDomain else { return nil }
        let host = authority.lowercased().split(separator: ":").first.map(String.init) ?? ""
        guard host.hasSuffix("." + baseDomain.lowercased()) else { return nil }
        return String(host.dropLast(baseDomain.count + 1))
    }

    private static func decode(_ text: Substring) throws(AWSError) -> String {
        guard let decoded = String(validating: PercentCoding.decodeBytes(text), as: UTF8.self) else {
            throw AWSError("InvalidURI", "Couldn't parse the specified URI: the key must be percent-encoded UTF-8.")
        }
        return decoded
    }

    var method: String { http.method }

    /// Whether the query names `name`, with or without a value.
    func has(_ name: String) -> Bool { query[name] != nil }

    /// The query's value for `name`; empty counts as absent.
    subscript(_ name: String) -> String? { query[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The query's value for `name`, empty when it has none.
    func raw(_ name: String) -> String? { query[name] }

    /// Every name in the query.
    var queryNames: Set<String> { Set(query.keys) }

    func header(_ name: String) -> String? { http.header(name) }

    /// The bucket's name; the operation was chosen because there is one.
    var bucketName: String { bucket ?? "" }

    /// The key; the operation was chosen because there is one.
    var objectKey: String { key ?? "" }

    /// The version the request names.
    var versionID: String? { self["versionId"] }

    /// An integer of the query. Throws `InvalidArgument`.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(AWSError) -> Int? {
        guard let text = self[name] else { return nil }
        guard let value = Int(text), value <= Int32.max else {
            throw S3Error.invalidArgument(
                "Provided \(name) not an integer or within integer range", name: name, value: text)
        }
        guard range.contains(value) else {
            throw S3Error.invalidArgument(
                "Argument \(name) must be an integer between \(range.lowerBound) and \(range.upperBound)", name: name,
                value: text)
        }
        return value
    }

    /// The caller's account.
    var account: String { http.principal?.account ?? "" }
}
