// swift-format-ignore-file
import Foundation
import Testing

/// A request as botocore signed it on 2026-01-02T03:04:05Z; printed by scripts/lib/record-signatures.py.
struct BotocoreFixture: Decodable, Sendable, CustomTestStringConvertible {
    var title: String
    var service: String
    var method: String
    var path: String
    var query: String
    var headers: [[String]]
    var body: String

    var testDescription: String { title }

    static let all: [BotocoreFixture] = {
        (try? JSONDecoder().decode([BotocoreFixture].self, from: Data(text.utf8))) ?? []
    }()

    static let text = #"""
        [
         {
          "title": "a JSON call",
          "service": "codepipeline",
          "method": "POST",
          "path": "/",
          "query": "",
          "headers": [
           [
            "Content-Type",
            "application/x-amz-json-1.1"
           ],
           [
            "X-Amz-Target",
            "CodePipeline_20150709.ListPipelines"
           ],
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/codepipeline/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=e73b48efef53e37d1732ad923063be8857de0d40946a7da26f5f7d42705fba4e"
           ]
          ],
          "body": "{}"
         },
         {
          "title": "a JSON call with a session token",
          "service": "codepipeline",
          "method": "POST",
          "path": "/",
          "query": "",
          "headers": [
           [
            "Content-Type",
            "application/x-amz-json-1.1"
           ],
           [
            "X-Amz-Target",
            "CodePipeline_20150709.ListPipelines"
           ],
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "X-Amz-Security-Token",
            "token/with+signs=="
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20260102/us-east-1/codepipeline/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=e7caf0721a5a6f1ddb83bde08995211bcfa32729de19098d761068ac80ea1fa0"
           ]
          ],
          "body": "{\"maxResults\": 3}"
         },
         {
          "title": "a Query call",
          "service": "sts",
          "method": "POST",
          "path": "/",
          "query": "",
          "headers": [
           [
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8"
           ],
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=391f5179feb3b87591326072e198ba8c03ba17282979617c3ee2e715c195d4c7"
           ]
          ],
          "body": "Action=GetCallerIdentity&Version=2011-06-15"
         },
         {
          "title": "a path that is encoded twice",
          "service": "lambda",
          "method": "GET",
          "path": "/2015-03-31/functions/arn%3Aaws%3Alambda%3A1%3Af/../x%20y/",
          "query": "",
          "headers": [
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=aa2739ddf697b5954514da30b4fa7e301338d6c48a4da79fb20d03564a7694e5"
           ]
          ],
          "body": ""
         },
         {
          "title": "an S3 upload",
          "service": "s3",
          "method": "PUT",
          "path": "/bucket/key",
          "query": "",
          "headers": [
           [
            "Content-Type",
            "text/plain"
           ],
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "X-Amz-Content-SHA256",
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/s3/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=7d5ca0f756a148954c4aff721a09582ec3730b94bbb9bb81a383ab1529ae4bc7"
           ]
          ],
          "body": "hello"
         },
         {
          "title": "an S3 key with signs, spaces and dots",
          "service": "s3",
          "method": "GET",
          "path": "/bucket/a%20b/%2B/.././/c%3D%40%21/%C3%A4.txt",
          "query": "",
          "headers": [
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "X-Amz-Content-SHA256",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=d134c6c87f497d6bd1bcb3d4276bb2989e8b8889a3d614cb72e130d2c0ba9ac7"
           ]
          ],
          "body": ""
         },
         {
          "title": "an S3 listing",
          "service": "s3",
          "method": "GET",
          "path": "/bucket",
          "query": "list-type=2&prefix=a%2Fb%20c&delimiter=%2F&encoding-type=url",
          "headers": [
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "X-Amz-Content-SHA256",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=4ac0ff4047ed4747d0922e3e953a85b9283861455573674d910dbdc71fbab4f3"
           ]
          ],
          "body": ""
         },
         {
          "title": "an S3 sub-resource without a value",
          "service": "s3",
          "method": "POST",
          "path": "/bucket/key",
          "query": "uploads",
          "headers": [
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "X-Amz-Security-Token",
            "token/with+signs=="
           ],
           [
            "X-Amz-Content-SHA256",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20260102/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=f44786919fbc686dbb7b22eca40bff8c36c4a8aafc1ba13ec61b130caa035a63"
           ]
          ],
          "body": ""
         },
         {
          "title": "S3 metadata with inner blanks",
          "service": "s3",
          "method": "PUT",
          "path": "/bucket/key",
          "query": "",
          "headers": [
           [
            "x-amz-meta-note",
            "  two   words "
           ],
           [
            "x-amz-acl",
            "private"
           ],
           [
            "X-Amz-Date",
            "20260102T030405Z"
           ],
           [
            "X-Amz-Content-SHA256",
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
           ],
           [
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-meta-note, Signature=4cde65f0d519d188273f6d52b765f77c56ab1cd0fdfcbb1c063e613170ccd0f6"
           ]
          ],
          "body": "x"
         },
         {
          "title": "an S3 presigned download",
          "service": "s3",
          "method": "GET",
          "path": "/bucket/a%20key",
          "query": "response-content-type=text%2Fplain&versionId=null&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=af4767a3832927b159d146022a97e50c057f858dc4f5cc64e0040c6a1f9a5bf4",
          "headers": [],
          "body": ""
         },
         {
          "title": "an S3 presigned upload with a session",
          "service": "s3",
          "method": "PUT",
          "path": "/bucket/key",
          "query": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20260102%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=token%2Fwith%2Bsigns%3D%3D&X-Amz-Signature=a33961131b389f18dbcd4ffcc9c117088d714590a30167902f023809bca3bdff",
          "headers": [],
          "body": ""
         },
         {
          "title": "an STS presigned identity",
          "service": "sts",
          "method": "GET",
          "path": "/",
          "query": "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260102%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=a6ca483a71524aeacf51ea92d58ee723f89188bfb469e849ad377223642163e2",
          "headers": [],
          "body": ""
         },
         {
          "title": "a version 2 presigned download",
          "service": "s3",
          "method": "GET",
          "path": "/bucket/a%20key",
          "query": "versionId=abc&response-content-disposition=attachment%3B%20filename%3Dx&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=JPp6Rrd10csm52RtSlN1X7452nc%3D&Expires=1767323645",
          "headers": [
           [
            "Date",
            "1767323645"
           ]
          ],
          "body": ""
         },
         {
          "title": "a version 2 presigned upload with a session",
          "service": "s3",
          "method": "PUT",
          "path": "/bucket/key",
          "query": "AWSAccessKeyId=ASIAIOSFODNN7EXAMPLE&Signature=dyNaRwgbuggzuEXKh8LU5lWu%2B6Y%3D&content-type=text%2Fplain&content-md5=1B2M2Y8AsgTpgAmY7PhCfg%3D%3D&x-amz-security-token=token%2Fwith%2Bsigns%3D%3D&Expires=1767323645",
          "headers": [
           [
            "Content-Type",
            "text/plain"
           ],
           [
            "Content-MD5",
            "1B2M2Y8AsgTpgAmY7PhCfg=="
           ],
           [
            "x-amz-security-token",
            "token/with+signs=="
           ],
           [
            "Date",
            "1767323645"
           ]
          ],
          "body": ""
         }
        ]
        """#
}
