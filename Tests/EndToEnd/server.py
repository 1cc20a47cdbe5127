"""A real `coffer serve` for end-to-end tests: its own data directory, a free port, real tools.

    with Server() as server:
        server.aws("s3", "mb", "s3://web")
        server.coffer("artifact", "list")
        server.kill()          # SIGKILL, as a power cut would
        server.start()         # on the same data and port
"""

import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# How long anything that a test waits for may take before the test fails; slow machines need the room.
PATIENCE = float(os.environ.get("COFFER_TEST_PATIENCE", "120"))


def binary():
    """The coffer to test: COFFER_BINARY, else the release build, else the debug build."""
    if os.environ.get("COFFER_BINARY"):
        return os.environ["COFFER_BINARY"]
    for flavour in ("release", "debug"):
        candidate = ROOT / ".build" / flavour / "coffer"
        if candidate.exists():
            return str(candidate)
    raise AssertionError("no coffer to test: run `swift build --product coffer` or set COFFER_BINARY")


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(question, what, patience=None, pause=0.05):
    """Asks every `pause` seconds until the answer is true and returns it; fails, naming `what`, when patience runs out."""
    deadline = time.monotonic() + (patience or PATIENCE)
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(pause)


def random_key():
    """An access key id and a secret in AWS's shapes."""
    alphabet = string.ascii_letters + string.digits
    identifier = "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    return identifier, "".join(secrets.choice(alphabet) for _ in range(40))


class Server:
    """One server process and the directory it owns. `arguments` are added to `coffer serve`."""

    def __init__(self, *arguments, region="us-east-1", account=None, environment=None, allow_unsandboxed=None):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="coffer-e2e-"))
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.region = region
        self.access_key, self.secret_key = random_key()
        self.arguments = list(arguments)
        if account:
            self.arguments += ["--account", account]
        if allow_unsandboxed is None:
            allow_unsandboxed = shutil.which("bwrap") is None
        if allow_unsandboxed:
            self.arguments += ["--allow-unsandboxed"]
        self.extra_environment = environment or {}
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        """Starts the process and returns once it answers; the time that took is in `start_seconds`."""
        environment = clean_environment() | self.extra_environment
        environment["COFFER_ROOT_ACCESS_KEY_ID"] = self.access_key
        environment["COFFER_ROOT_SECRET_ACCESS_KEY"] = self.secret_key
        command = [binary(), "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"]
        command += ["--region", self.region, *self.arguments]
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home
            )
        wait_until(self._is_ready, "the server to become ready")
        self.start_seconds = time.monotonic() - began
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log_text()[-4000:]}")
        return self.health() == 200

    def health(self):
        """The status of `GET /-/health`, None while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/-/health")
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self, patience=None):
        """SIGTERM; returns the exit status, which is 0 when everything in flight was finished."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=patience or PATIENCE)

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE)

    def restart(self, kill=False):
        """Stops (or kills) the process and starts it on the same data and port."""
        self.kill() if kill else self.stop()
        return self.start()

    def close(self):
        """Ends the process and removes the directory; keeps it when COFFER_TEST_KEEP is set."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
        if os.environ.get("COFFER_TEST_KEEP"):
            print(f"kept {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def log_text(self):
        """What the server said on standard error."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def environment(self, **changes):
        """The environment in which AWS tools and coffer reach this server; a value of None removes a variable."""
        environment = clean_environment() | {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.home / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "no-credentials"),
        }
        for name, value in changes.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        return environment

    def run(self, *command, check=True, input=None, environment=None, timeout=None, **options):
        """Runs a command in this server's environment; text in and out unless `text=False`."""
        options.setdefault("text", True)
        result = subprocess.run(
            [str(part) for part in command],
            input=input,
            capture_output=True,
            env=environment or self.environment(),
            timeout=timeout or PATIENCE,
            cwd=options.pop("cwd", self.home),
            **options,
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"{' '.join(str(part) for part in command)} ended with {result.returncode}:\n"
                f"{result.stdout}\n{result.stderr}\n--- server ---\n{self.log_text()[-3000:]}"
            )
        return result

    def aws(self, *arguments, **options):
        """The unmodified aws command line; returns its JSON answer, or its text where it is none."""
        result = self.run("aws", "--output", "json", *arguments, **options)
        if options.get("check", True) is False:
            return result
        try:
            return json.loads(result.stdout)
        except (ValueError, TypeError):
            return result.stdout

    def coffer(self, *arguments, **options):
        """The coffer command line; returns the finished process."""
        return self.run(binary(), *arguments, **options)

    def coffer_json(self, *arguments, **options):
        """A coffer command's JSON answer."""
        return json.loads(self.coffer(*arguments, "-o", "json", **options).stdout)

    def client(self, service, **options):
        """A boto3 client of this server."""
        import boto3
        from botocore.config import Config

        config = options.pop("config", None) or Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=options.pop("region", self.region),
            aws_access_key_id=options.pop("access_key", self.access_key),
            aws_secret_access_key=options.pop("secret_key", self.secret_key),
            config=config,
            **options,
        )


def clean_environment():
    """The caller's environment without anything that would lead AWS tools or coffer elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COFFER_ROOT", "COFFER_END"))}


class Repository:
    """A Git repository to commit to, outside the server's data."""

    def __init__(self, path, branch="main"):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", branch)

    def git(self, *arguments):
        """Runs git and returns what it printed."""
        command = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org", *arguments]
        return subprocess.run(command, cwd=self.path, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files, message="A change"):
        """Writes files (text or bytes by path), commits them all, returns the commit's id."""
        for name, content in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")
