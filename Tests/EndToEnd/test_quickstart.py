"""The first command of the README, run twice in a row on a data directory of its own."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(pid):
    """Asks a server that is nobody's child to end, and waits until it has."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.1)
    raise TimeoutError(f"the server {pid} did not end within 60 seconds")


class Quickstart(unittest.TestCase):
    def test_it_ends_with_a_deployed_pipeline_twice_in_a_row(self):
        with tempfile.TemporaryDirectory() as home:
            environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "COFFER_"))}
            environment |= {
                "COFFER_QUICKSTART_DATA": home,
                "COFFER_QUICKSTART_LISTEN": f"127.0.0.1:{free_port()}",
            }
            try:
                for _ in range(2):
                    run = subprocess.run(
                        [ROOT / "scripts" / "quickstart"], env=environment, capture_output=True, text=True, timeout=1200
                    )
                    self.assertEqual(run.returncode, 0, run.stdout[-4000:] + run.stderr[-4000:])
                    self.assertIn("index.html", run.stdout)
                    self.assertIn("What changed between the two executions", run.stdout + run.stderr)
            finally:
                pidfile = pathlib.Path(home) / "server.pid"
                if pidfile.exists():
                    stop(int(pidfile.read_text()))


if __name__ == "__main__":
    unittest.main()
