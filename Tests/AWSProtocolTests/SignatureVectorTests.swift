import AccessControl
import Foundation
import HTTPTypes
import Testing

@testable import AWSProtocol

/// The worked examples of the Amazon S3 API reference ("Signature calculations for the Authorization header", "…using query
/// parameters") and of the AWS General Reference.
struct SignatureVectorTests {
    static let start = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"

    static func s3(_ method: String, _ target: String, _ headers: [(String, String)], body: String = "")
        -> ServiceRequest
    {
        makeRequest(
            method, target, host: "examplebucket.s3.amazonaws.com", headers: headers, body: Array(body.utf8))
    }

    static let headerExamples: [(String, ServiceRequest)] = [
        (
            "GET object",
            s3(
                "GET", "/test.txt",
                [
                    (
                        "Authorization",
                        start + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                            + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
                    ),
                    ("Range", "bytes=0-9"), ("x-amz-content-sha256", PayloadHash.ofNothing),
                    ("x-amz-date", "20130524T000000Z"),
                ])
        ),
        (
            "PUT object",
            s3(
                "PUT", "/test$file.text",
                [
                    (
                        "Authorization",
                        start + "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
                            + "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
                    ),
                    ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-date", "20130524T000000Z"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                    (
                        "x-amz-content-sha256",
                        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
                    ),
                ], body: "Welcome to Amazon S3.")
        ),
        (
            "GET bucket lifecycle",
            s3(
                "GET", "/?lifecycle",
                [
                    (
                        "Authorization",
                        start + " SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                            + "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
                    ),
                    ("x-amz-content-sha256", PayloadHash.ofNothing), ("x-amz-date", "20130524T000000Z"),
                ])
        ),
        (
            "GET bucket",
            s3(
                "GET", "/?max-keys=2&prefix=J",
                [
                    (
                        "Authorization",
                        start + "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
                            + "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
                    ),
                    ("x-amz-content-sha256", PayloadHash.ofNothing), ("x-amz-date", "20130524T000000Z"),
                ])
        ),
        (
            "presigned GET",
            s3(
                "GET",
                "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"
                    + "%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                    + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", [])
        ),
    ]

    @Test(arguments: headerExamples)
    func theS3ReferencesExamplesVerify(name: String, request: ServiceRequest) async throws {
        let verified = try await authenticator.verify(request, service: .s3)
        #expect(verified.principal?.account == "123456789012")
        #expect(verified.region == "us-east-1")
        _ = try await verified.body.collect(upTo: 1 << 20)
    }

    @Test func theGeneralReferencesExampleVerifies() async throws {
        let request = makeRequest(
            "GET", "/?Action=ListUsers&Version=2010-05-08", host: "iam.amazonaws.com",
            headers: [
                ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("X-Amz-Date", "20150830T123600Z"),
                (
                    "Authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
                        + "SignedHeaders=content-type;host;x-amz-date, "
                        + "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
                ),
            ], at: "20150830T123600Z")
        let verified = try await authenticator.verify(request, service: .iam)
        #expect(verified.principal != nil)
    }

    // MARK: Chunks

    /// The reference's upload of 65 KiB of the letter a, in chunks of 64 KiB.
    static func chunkedUpload(trailer: Bool) -> (headers: [(String, String)], body: [UInt8]) {
        let signatures =
            trailer
            ? [
                "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ]
            : [
                "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ]
        var body: [UInt8] = []
        for (size, signature) in zip([65536, 1024, 0], signatures.dropFirst()) {
            body += Array("\(String(size, radix: 16));chunk-signature=\(signature)\r\n".utf8)
            body += [UInt8](repeating: UInt8(ascii: "a"), count: size)
            if size > 0 { body += Array("\r\n".utf8) }
        }
        if trailer {
            body += Array("x-amz-checksum-crc32c:sOO8/Q==\r\n".utf8)
            body += Array(
                "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n".utf8)
        }
        body += Array("\r\n".utf8)
        let names =
            "content-encoding;" + (trailer ? "" : "content-length;")
            + "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class"
            + (trailer ? ";x-amz-trailer" : "")
        var headers = [
            ("Authorization", start + "SignedHeaders=\(names),Signature=\(signatures[0])"),
            ("x-amz-date", "20130524T000000Z"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + (trailer ? "-TRAILER" : "")),
            ("Content-Encoding", "aws-chunked"), ("x-amz-decoded-content-length", "66560"),
        ]
        if trailer { headers.append(("x-amz-trailer", "x-amz-checksum-crc32c")) }
        if !trailer { headers.append(("Content-Length", "66824")) }
        return (headers, body)
    }

    static func chunkedRequest(trailer: Bool, body: [UInt8]? = nil, pieces: [Int] = [1 << 20]) -> ServiceRequest {
        let upload = chunkedUpload(trailer: trailer)
        var request = makeRequest(
            "PUT", "/examplebucket/chunkObject.txt", host: "s3.amazonaws.com", headers: upload.headers)
        request.body = RequestBody(
            stream: PiecewiseBody(bytes: body ?? upload.body, sizes: pieces), contentLength: nil)
        return request
    }

    @Test(arguments: [false, true], [[1 << 20], [1, 7, 4096], [1000]])
    func theReferencesChunkedUploadVerifiesHoweverItArrives(trailer: Bool, pieces: [Int]) async throws {
        let verified = try await authenticator.verify(
            Self.chunkedRequest(trailer: trailer, pieces: pieces), service: .s3)
        #expect(verified.body.contentLength == 66560)
        let content = try await verified.body.collect(upTo: 1 << 20)
        #expect(content == [UInt8](repeating: UInt8(ascii: "a"), count: 66560))
        #expect(verified.body.trailers?["x-amz-checksum-crc32c"] == (trailer ? "sOO8/Q==" : nil))
    }

    @Test(arguments: [false, true])
    func anyChangedByteOfASignedUploadIsNoticed(trailer: Bool) async throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededGenerator(seed: seed)
        let good = Self.chunkedUpload(trailer: trailer).body
        for _ in 0..<40 {
            var body = good
            let index = Int.random(in: 0..<body.count, using: &random)
            body[index] ^= UInt8(1 << Int.random(in: 0..<8, using: &random))
            // A change of case in a hexadecimal size, or in a trailer's name, changes nothing.
            let same =
                String(decoding: body, as: UTF8.self).lowercased() == String(decoding: good, as: UTF8.self).lowercased()
            let verified = try await authenticator.verify(
                Self.chunkedRequest(trailer: trailer, body: body), service: .s3)
            var content: [UInt8] = []
            do { content = try await verified.body.collect(upTo: 1 << 20) } catch is AWSError { continue }
            #expect(same && content.count == 66560, "changed byte \(index), seed \(seed)")
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
