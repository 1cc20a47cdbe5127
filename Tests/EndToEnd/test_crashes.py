"""Servers that die: SIGKILL in the middle of every stage, SIGTERM in good order; what was begun is brought to its end."""

import json
import os
import subprocess
import time
import unittest

from pipelines import BUILDSPEC, declaration
from server import Repository, Server, binary, wait_until


class Crashes(unittest.TestCase):
    """SIGKILL at any stage: after a restart the execution goes on to its end."""

    def setUp(self):
        self.server = Server().start()
        self.addCleanup(self.server.close)
        self.repository = Repository(self.server.home / "repository")
        self.repository.commit({"index.txt": "one\n", "buildspec.yml": BUILDSPEC % "sleep 1"})
        self.server.client("s3").create_bucket(Bucket="artifacts")
        self.server.client("s3").create_bucket(Bucket="site")
        self.server.coffer("repository", "add", "web", self.repository.path)
        self.client = self.server.client("codepipeline")

    def action(self, stage, execution=None):
        """The newest record of a stage's only action."""
        filter = {"filter": {"pipelineExecutionId": execution}} if execution else {}
        details = self.client.list_action_executions(pipelineName="demo", **filter)["actionExecutionDetails"]
        return next((d for d in details if d["stageName"] == stage), None)

    def wait_for(self, stage, execution=None):
        """Returns as soon as a stage's action has begun."""
        wait_until(lambda: self.action(stage, execution), f"{stage} to begin", pause=0.002)

    def kill_during(self, stage, execution):
        """Kills the server once the stage's action has begun; returns when that was."""
        self.wait_for(stage, execution)
        self.server.kill()
        killed = time.time()
        self.server.start()
        return killed

    def test_killed_in_the_middle_of_each_stage_it_completes_after_a_restart(self):
        self.server.coffer("pipeline", "put", "-", input=json.dumps(declaration("demo", "web")))
        self.approve()
        self.server.coffer("execution", "watch", "demo", "1")
        missing = {"Source", "Build", "Review", "Deploy"}
        files = 250
        # A fast machine may finish a source or a deployment before the signal arrives: then there must be more to do.
        for attempt in range(2, 9):
            files *= 2
            content = {f"many/{number}.bin": os.urandom(4096) for number in range(files)}
            self.repository.commit(content | {"buildspec.yml": BUILDSPEC % "cp -r many site/; sleep 1"})
            execution = self.client.start_pipeline_execution(name="demo")["pipelineExecutionId"]
            killed = {stage: self.kill_during(stage, execution) for stage in ("Source", "Build", "Review")}
            self.approve()
            killed["Deploy"] = self.kill_during("Deploy", execution)
            self.server.coffer("execution", "watch", "demo", str(attempt))
            for stage, moment in killed.items():
                action = self.action(stage, execution)
                self.assertEqual(action["status"], "Succeeded", stage)
                if action["startTime"].timestamp() <= moment < action["lastUpdateTime"].timestamp():
                    missing.discard(stage)
            deployed = {o["Key"] for o in self.all_objects("site")}
            self.assertLessEqual({"index.txt"} | set(content), deployed)
            for name in list(content)[:: len(content) // 20]:
                body = self.server.client("s3").get_object(Bucket="site", Key=name)["Body"].read()
                self.assertEqual(body, content[name])
            if not missing:
                break
        self.assertEqual(missing, set(), "never caught in the middle")
        self.assertEqual(len(self.server.coffer_json("execution", "list", "demo")), attempt)

    def approve(self):
        """Lets the execution that waits for an approval go on."""
        wait_until(lambda: self.server.coffer_json("approval", "list", "demo"), "the approval to wait")
        self.server.coffer("approval", "approve", "demo")

    def all_objects(self, bucket):
        """Every object of a bucket, page after page."""
        pages = self.server.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item for page in pages for item in page.get("Contents", [])]

    def test_a_watcher_survives_a_restart_of_the_server(self):
        self.server.coffer("pipeline", "put", "-", input=json.dumps(declaration("demo", "web", approval=False)))
        watcher = subprocess.Popen(
            [binary(), "execution", "watch", "demo", "1"], env=self.server.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        self.addCleanup(watcher.kill)
        # A watcher that never reached a server gives up at once; this one has.
        first = watcher.stdout.readline()
        self.server.restart(kill=True)
        rest, _ = watcher.communicate(timeout=120)
        self.assertEqual(watcher.returncode, 0, first + rest)

    def test_sigterm_ends_in_good_order_and_keeps_everything(self):
        put = self.server.coffer_json("artifact", "put", "hand/file", self.repository.path / "index.txt")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/file@latest").stdout, "one\n")
        self.assertEqual(self.server.coffer_json("artifact", "list", "hand/file")[0]["id"], put["id"])

    def test_sigterm_during_a_build_does_not_wait_for_its_end_and_loses_nothing(self):
        self.repository.commit({"buildspec.yml": BUILDSPEC % "sleep 3"})
        self.server.coffer("pipeline", "put", "-", input=json.dumps(declaration("demo", "web", approval=False)))
        self.wait_for("Build")
        self.assertEqual(self.server.stop(), 0)
        stopped = time.time()
        self.server.start()
        self.server.coffer("execution", "watch", "demo", "1")
        build = self.action("Build")
        self.assertGreater(build["lastUpdateTime"].timestamp(), stopped, "the build ended after the server stopped")
