"""scripts/bench keys: data keys per second, inside the process and over HTTP beside moto_server."""

import argparse
import base64
import json
import os
import pathlib
import secrets
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from .measure import Report


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench keys")
    parser.add_argument("--json", help="write the results here instead of standard output")
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="coffer-bench-", dir=os.environ.get("COFFER_BENCH_DIR")) as folder:
        folder = pathlib.Path(folder)
        inner(report, folder / "inner", 20_000 if arguments.quick else 200_000)
        over_http(report, folder, arguments.quick)
    report.finish(arguments.json)


def inner(report, folder, count):
    """The hierarchy without a network."""
    output = subprocess.run(
        [os.environ["COFFER_BENCH"], "keys", "--data", str(folder), "--count", str(count)],
        check=True, capture_output=True, text=True,
    )
    values = json.loads(output.stdout)
    report.add("GenerateDataKey, in process", values["generateDataKeyPerSecond"], "1/s")
    per_core = values["generateDataKeyPerProcessorSecond"]
    report.add("GenerateDataKey, in process, per core", per_core, "1/s", ratio=per_core / 100_000, must=1, aim=2)
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


class Channel:
    """One keep-alive connection that repeats a request."""

    def __init__(self, port, request):
        self.port, self.request = port, request
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def send(self):
        self.began = time.perf_counter()
        self.socket.sendall(self.request)

    def take(self):
        """Reads what is there; the body once the answer is whole, else None. Fails on any answer but 200."""
        piece = self.socket.recv(65536)
        if not piece:
            raise SystemExit("the server closed a connection in the middle of an answer")
        self.received += piece
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.received[:end].lower()
        length = int(head[head.index(b"content-length:") + 15:].split(b"\r\n", 1)[0])
        body = self.received[end + 4:]
        if len(body) < length:
            return None
        if b" 200 " not in head[:16]:
            raise SystemExit(f"{head[:64]}: {body[:500]}")
        self.received = b""
        if b"connection: close" in head:
            # A server that closes after each answer pays for that.
            self.socket.close()
            self.connect()
        return body


def ask(service, access, secret, operation, document):
    """One request; its answer's document."""
    channel = Channel(service.port, signed(service.endpoint, access, secret, operation, document))
    channel.send()
    while (body := channel.take()) is None:
        pass
    channel.socket.close()
    return json.loads(body)


def processor_seconds(service):
    """What the process has spent so far, ended threads included: the fair measure on a machine that does other things too."""
    fields = pathlib.Path(f"/proc/{service.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(service, request, connections, seconds):
    """Requests per second over several connections, each with one request under way; the median latency in ms; and requests
    per processor second of the server."""
    channels = [Channel(service.port, request) for _ in range(connections)]
    poll = selectors.DefaultSelector()
    for channel in channels:
        poll.register(channel.socket, selectors.EVENT_READ, channel)
        channel.send()
    times = []
    spent = processor_seconds(service)
    began = time.perf_counter()
    end = began + seconds
    while (now := time.perf_counter()) < end:
        for key, _ in poll.select(1):
            channel = key.data
            if channel.take() is None:
                continue
            times.append(time.perf_counter() - channel.began)
            if channel.socket is not key.fileobj:
                poll.unregister(key.fileobj)
                poll.register(channel.socket, selectors.EVENT_READ, channel)
            channel.send()
    spent = processor_seconds(service) - spent
    for channel in channels:
        channel.socket.close()
    times.sort()
    return len(times) / (now - began), times[len(times) // 2] * 1000, len(times) / spent


def requests(service, access, secret):
    """The measured requests by operation, signed once: a signature holds for minutes, and the client costs nothing."""
    key = ask(service, access, secret, "CreateKey", {})["KeyMetadata"]["KeyId"]
    context = {"aws:s3:arn": "arn:aws:s3:::bucket/key"}
    plaintext = base64.b64encode(bytes(32)).decode()
    encrypt = {"KeyId": key, "Plaintext": plaintext, "EncryptionContext": context}
    blob = ask(service, access, secret, "Encrypt", encrypt)["CiphertextBlob"]
    documents = {
        "Encrypt": encrypt,
        "Decrypt": {"CiphertextBlob": blob, "EncryptionContext": context},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context},
    }
    return {name: signed(service.endpoint, access, secret, name, value) for name, value in documents.items()}


def over_http(report, folder, quick):
    """Encrypt, Decrypt and GenerateDataKey with SigV4: each server on one core, the client on another."""
    access, secret = "AKIA" + "B" * 16, secrets.token_hex(20)
    cores = sorted(os.sched_getaffinity(0))
    seconds = 1 if quick else 5
    with open(folder / "log", "wb") as log:
        port = free_port()
        services = {"coffer": Service(
            pinned(cores, [os.environ["COFFER_BINARY"], "serve", "--data", str(folder / "data"),
                           "--listen", f"127.0.0.1:{port}", "--allow-unsandboxed"]),
            port, {"COFFER_ROOT_ACCESS_KEY_ID": access, "COFFER_ROOT_SECRET_ACCESS_KEY": secret}, log,
        )}
        wait_ready(port)
        if shutil.which("moto_server"):
            port = free_port()
            services["moto_server"] = Service(pinned(cores, ["moto_server", "-p", str(port)]), port, {}, log)
        else:
            print("moto_server is not installed: no peer", file=sys.stderr)
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[1:])
        figures = {}
        made = {name: requests(service, access, secret) for name, service in services.items()}
        for round in range(3):
            for operation in ("Encrypt", "Decrypt", "GenerateDataKey"):
                for name, service in services.items():
                    if round == 0:
                        rate(service, made[name][operation], 8, seconds / 5)
                    figures.setdefault((name, operation), []).append(
                        rate(service, made[name][operation], 8, seconds))
        for service in services.values():
            service.stop()
    for operation in ("Encrypt", "Decrypt", "GenerateDataKey"):
        ours = figures["coffer", operation]
        theirs = figures.get(("moto_server", operation), [])
        for index, how in ((0, "one core"), (2, "per processor second")):
            report.add(
                f"{operation} over HTTP with SigV4, {how}", statistics.median(row[index] for row in ours), "1/s",
                peer="moto_server", peer_value=statistics.median(row[index] for row in theirs) if theirs else None,
                must=20, aim=40,
            )
    report.add(
        "GenerateDataKey over HTTP, median of 8 at once",
        statistics.median(row[1] for row in figures["coffer", "GenerateDataKey"]), "ms", lower=True,
    )


def pinned(cores, command):
    """The command on the first core only, where there are two and a way to do so."""
    return ["taskset", "--cpu-list", str(cores[0]), *command] if len(cores) > 1 and shutil.which("taskset") else command


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
