"""scripts/bench keys: data keys per second, inside the process and over HTTP beside moto_server."""

import argparse
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from .measure import Report


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench keys")
    parser.add_argument("--json", help="write the results here instead of standard output")
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="coffer-bench-", dir=os.environ.get("COFFER_BENCH_DIR")) as folder:
        folder = pathlib.Path(folder)
        inner(report, folder / "inner", 20_000 if arguments.quick else 200_000)
        over_http(report, folder, 500 if arguments.quick else 3000)
    report.finish(arguments.json)


def inner(report, folder, count):
    """The hierarchy without a network."""
    output = subprocess.run(
        [os.environ["COFFER_BENCH"], "keys", "--data", str(folder), "--count", str(count)],
        check=True, capture_output=True, text=True,
    )
    values = json.loads(output.stdout)
    report.add("GenerateDataKey, in process", values["generateDataKeyPerSecond"], "1/s")
    report.add("Decrypt, in process", values["decryptPerSecond"], "1/s")
    report.add(
        "data key wrapped and opened, per publish",
        (values["wrapMicroseconds"] + values["unwrapMicroseconds"]) / 1000, "ms", lower=True,
    )
    report.add("statement signed, per publish", values["signMicroseconds"] / 1000, "ms", lower=True)
    report.add("labelled derivation", values["derivationsPerSecond"], "1/s")


class Service:
    """A KMS endpoint in a process of its own."""

    def __init__(self, command, port, environment, log):
        self.endpoint = f"http://127.0.0.1:{port}"
        self.port = port
        self.process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not answer")
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def signed(endpoint, access, secret, operation, document):
    """The bytes of one signed request; a signature holds for minutes, so that the client costs nothing per request."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    body = json.dumps(document).encode()
    request = AWSRequest("POST", endpoint + "/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}",
        "Host": endpoint.removeprefix("http://"),
    })
    SigV4Auth(Credentials(access, secret), "kms", "us-east-1").add_auth(request)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST / HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def exchange(connection, request):
    """Sends a request and reads its answer; returns the body and whether the server ends the connection."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        received += piece
    head, body = received.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    length = next(int(line.split(":", 1)[1]) for line in lines if line.lower().startswith("content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    if " 200 " not in lines[0]:
        raise SystemExit(f"{lines[0]}: {body[:500]}")
    return body, any(line.lower() == "connection: close" for line in lines)


def rate(service, access, secret, count):
    """GenerateDataKey requests per second over one connection at a time, and the median latency in milliseconds."""
    def connect():
        connection = socket.create_connection(("127.0.0.1", service.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    connection = connect()
    document, closes = exchange(connection, signed(service.endpoint, access, secret, "CreateKey", {}))
    request = signed(
        service.endpoint, access, secret, "GenerateDataKey",
        {"KeyId": json.loads(document)["KeyMetadata"]["KeyId"], "KeySpec": "AES_256", "EncryptionContext": {"a": "b"}},
    )
    # A server that closes after each answer pays for that.
    times = []
    for _ in range(count):
        began = time.perf_counter()
        if closes:
            connection.close()
            connection = connect()
        _, closes = exchange(connection, request)
        times.append(time.perf_counter() - began)
    connection.close()
    times.sort()
    return count / sum(times), times[len(times) // 2] * 1000


def over_http(report, folder, count):
    access, secret = "AKIA" + "B" * 16, secrets.token_hex(20)
    with open(folder / "log", "wb") as log:
        port = free_port()
        ours = Service(
            [os.environ["COFFER_BINARY"], "serve", "--data", str(folder / "data"), "--listen", f"127.0.0.1:{port}",
             "--allow-unsandboxed"],
            port, {"COFFER_ROOT_ACCESS_KEY_ID": access, "COFFER_ROOT_SECRET_ACCESS_KEY": secret}, log,
        )
        wait_ready(port)
        theirs = None
        if shutil.which("moto_server"):
            port = free_port()
            theirs = Service(["moto_server", "-p", str(port)], port, {}, log)
        else:
            print("moto_server is not installed: no peer", file=sys.stderr)
        figures, peer = [], []
        for _ in range(3):
            figures.append(rate(ours, access, secret, count))
            if theirs:
                peer.append(rate(theirs, access, secret, max(100, count // 10)))
        ours.stop()
        if theirs:
            theirs.stop()
    best = sorted(figures)[len(figures) // 2]
    rival = sorted(peer)[len(peer) // 2] if peer else (None, None)
    report.add("GenerateDataKey over HTTP, one connection", best[0], "1/s", peer="moto_server", peer_value=rival[0])
    report.add(
        "GenerateDataKey over HTTP, median", best[1], "ms", peer="moto_server", peer_value=rival[1], lower=True
    )


def wait_ready(port):
    import http.client

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/-/health")
        if connection.getresponse().status == 200:
            return
        time.sleep(0.05)
    raise SystemExit("coffer does not become ready")


if __name__ == "__main__":
    main()
