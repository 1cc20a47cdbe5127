"""Records requests signed by botocore, for Tests/AWSProtocolTests/BotocoreFixtures.swift (printed to standard output)."""

import datetime
import json

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "token/with+signs==")
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW
botocore.auth.time.time = lambda: NOW.replace(tzinfo=datetime.timezone.utc).timestamp()
BASE = "http://127.0.0.1:8080"


def request(method, url, data=b"", headers=None):
    return AWSRequest(method=method, url=BASE + url, data=data, headers=headers or {})


def record(title, service, signer, made, **context):
    made.context.update(context)
    signer.add_auth(made)
    prepared = made.prepare()
    rest = prepared.url[len(BASE):]
    path, _, query = rest.partition("?")
    headers = [[name, value.decode() if isinstance(value, bytes) else str(value)]
               for name, value in prepared.headers.items() if name.lower() not in ("content-length",)]
    body = prepared.body or b""
    return {"title": title, "service": service, "method": prepared.method, "path": path or "/", "query": query,
            "headers": headers, "body": body.decode() if isinstance(body, bytes) else body}


def s3(credentials=KEY):
    return botocore.auth.S3SigV4Auth(credentials, "s3", "eu-central-1")


def plain(service, credentials=KEY):
    return botocore.auth.SigV4Auth(credentials, service, "us-east-1")


JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "CodePipeline_20150709.ListPipelines"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
fixtures = [
    record("a JSON call", "codepipeline", plain("codepipeline"), request("POST", "/", b"{}", JSON)),
    record("a JSON call with a session token", "codepipeline", plain("codepipeline", SESSION),
           request("POST", "/", b'{"maxResults": 3}', JSON)),
    record("a Query call", "sts", plain("sts"),
           request("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", FORM)),
    record("a path that is encoded twice", "lambda", plain("lambda"),
           request("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3A1%3Af/../x%20y/")),
    record("an S3 upload", "s3", s3(), request("PUT", "/bucket/key", b"hello", {"Content-Type": "text/plain"})),
    record("an S3 key with signs, spaces and dots", "s3", s3(),
           request("GET", "/bucket/a%20b/%2B/.././/c%3D%40%21/%C3%A4.txt")),
    record("an S3 listing", "s3", s3(),
           request("GET", "/bucket?list-type=2&prefix=a%2Fb%20c&delimiter=%2F&encoding-type=url")),
    record("an S3 sub-resource without a value", "s3", s3(SESSION), request("POST", "/bucket/key?uploads")),
    record("S3 metadata with inner blanks", "s3", s3(),
           request("PUT", "/bucket/key", b"x", {"x-amz-meta-note": "  two   words ", "x-amz-acl": "private"})),
    record("an S3 presigned download", "s3",
           botocore.auth.S3SigV4QueryAuth(KEY, "s3", "us-east-1", expires=600),
           request("GET", "/bucket/a%20key?response-content-type=text%2Fplain&versionId=null")),
    record("an S3 presigned upload with a session", "s3",
           botocore.auth.S3SigV4QueryAuth(SESSION, "s3", "us-east-1", expires=600),
           request("PUT", "/bucket/key")),
    record("an STS presigned identity", "sts",
           botocore.auth.SigV4QueryAuth(KEY, "sts", "us-east-1", expires=60),
           request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15")),
    record("a version 2 presigned download", "s3", botocore.auth.HmacV1QueryAuth(KEY, expires=600),
           request("GET", "/bucket/a%20key?versionId=abc&response-content-disposition=attachment%3B%20filename%3Dx")),
    record("a version 2 presigned upload with a session", "s3", botocore.auth.HmacV1QueryAuth(SESSION, expires=600),
           request("PUT", "/bucket/key", b"", {"Content-Type": "text/plain", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})),
]
print(json.dumps(fixtures, indent=1, ensure_ascii=True))
