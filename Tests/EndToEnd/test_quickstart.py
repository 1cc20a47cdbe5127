"""The first command of the README, run twice in a row on a data directory of its own."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Quickstart(unittest.TestCase):
    def test_it_ends_with_a_deployed_pipeline_twice_in_a_row(self):
        with tempfile.TemporaryDirectory() as home:
            environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "COFFER_"))}
            environment |= {
                "COFFER_QUICKSTART_DATA": home,
                "COFFER_QUICKSTART_LISTEN": f"127.0.0.1:{free_port()}",
                "HOME": home,
                "PATH": os.environ["PATH"],
            }
            if "PYENV_ROOT" not in environment and (root := pathlib.Path.home() / ".pyenv").is_dir():
                environment["PYENV_ROOT"] = str(root)
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
                    os.kill(int(pidfile.read_text()), signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
