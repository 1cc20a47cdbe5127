import AWSProtocol
import Cryptography
import HTTPTypes
import ObjectStorage

/// The checksums of an upload as its headers announce them.
struct ChecksumHeaders {
    /// The checksum in a header.
    private(set) var stated: (algorithm: ChecksumAlgorithm, value: String)?
    /// The algorithm whose checksum will come as a trailer.
    private(set) var trailing: ChecksumAlgorithm?
    /// The MD5 from `Content-MD5`.
    private(set) var md5: [UInt8]?
    /// The algorithm the SDK says it uses.
    private(set) var named: ChecksumAlgorithm?

    /// Reads the headers. Throws `InvalidRequest`, `InvalidDigest`.
    init(_ request: S3Request) throws(AWSError) {
        let sent = ChecksumAlgorithm.allCases.filter { request.header($0.headerName) != nil }
        guard sent.count < 2 else {
            throw S3Error.invalidRequest(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        }
        if let algorithm = sent.first, let value = request.header(algorithm.headerName) {
            guard Base64.decode(value)?.count == algorithm.byteCount else {
                throw S3Error.invalidRequest("Value for \(algorithm.headerName) header is invalid.")
            }
            stated = (algorithm, value)
        }
        if let trailer = request.header("x-amz-trailer") {
            trailing =
                ChecksumAlgorithm.allCases.first { trailer.lowercased().contains($0.headerName + ",") }
                ?? ChecksumAlgorithm.allCases.first { trailer.lowercased().hasSuffix($0.headerName) }
            guard trailing != nil else {
                throw S3Error.invalidRequest("The value specified in the x-amz-trailer header is not supported")
            }
        }
        if let text = request.header("content-md5") {
            guard let bytes = Base64.decode(text), bytes.count == 16 else {
                throw AWSError(
                    "InvalidDigest", "The Content-MD5 you specified was invalid.", fields: [("Content-MD5", text)])
            }
            md5 = bytes
        }
        named = try Self.algorithm(request.header("x-amz-sdk-checksum-algorithm"))
    }

    /// The algorithm with this name in any case. Throws `InvalidRequest` for a name that is none.
    static func algorithm(_ name: String?) throws(AWSError) -> ChecksumAlgorithm? {
        guard let name else { return nil }
        guard let algorithm = ChecksumAlgorithm(rawValue: name.uppercased()) else {
            throw S3Error.invalidRequest(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                    + "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        }
        return algorithm
    }

    /// What to compute while the bytes arrive.
    var algorithms: Set<ChecksumAlgorithm> { Set([stated?.algorithm, trailing].compactMap { $0 }) }

    /// What the bytes must be, once the body has been read to its end.
    func expectation(_ request: S3Request) throws(AWSError) -> ContentExpectation {
        var expectation = ContentExpectation(md5: md5, byteCount: request.http.body.contentLength)
        if let stated { expectation.checksums[stated.algorithm] = stated.value }
        if let trailing {
            guard let value = request.http.body.trailers?[trailing.headerName] else {
                throw AWSError(
                    "MalformedTrailerError",
                    "The request announced the trailer \(trailing.headerName) and did not send it.")
            }
            expectation.checksums[trailing] = value
        }
        return expectation
    }

    /// Checks a small body that is in memory. Throws `BadDigest`, and `InvalidRequest` when `isRequired` and nothing
    /// protects the body.
    func check(_ body: [UInt8], _ request: S3Request, isRequired: Bool = false) throws(AWSError) {
        let expectation = try expectation(request)
        if isRequired, md5 == nil, expectation.checksums.isEmpty {
            throw S3Error.invalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
        }
        do {
            try expectation.check(body)
        } catch {
            throw S3Error.translate(error) ?? AWSError("BadDigest", "The checksum did not match.")
        }
    }
}

extension ServiceResponse {
    /// Adds the header of a checksum and its kind.
    mutating func setChecksum(_ checksum: ObjectChecksum?) {
        guard let checksum else { return }
        setHeader(checksum.algorithm.headerName, checksum.value)
        setHeader("x-amz-checksum-type", checksum.kind.rawValue)
    }
}
