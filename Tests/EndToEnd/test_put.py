"""`coffer artifact put` over HTTP: how many bytes go over the wire, what a cut connection costs, what nobody may learn."""

import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from server import PATIENCE, Server, binary, wait_until


class Wire:
    """A TCP relay in front of a server that counts what clients send, and cuts connections when told to.

    `bytes_per_second` makes it a slow one. `swallow` names a request whose answer does not come through: it calls
    `swallowed` in its place, once, and cuts.
    """

    def __init__(self, port):
        self.target = port
        self.sent = 0
        self.cut_after = None
        self.cuts = 0
        self.bytes_per_second = None
        self.swallow = None
        self.swallowed = None
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._relay, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._relay, args=(server, client, False), daemon=True).start()

    def _relay(self, source, target, counts):
        try:
            while data := source.recv(16384):
                if counts and self.bytes_per_second:
                    time.sleep(len(data) / self.bytes_per_second)
                if counts and self.swallow and self.swallow in data:
                    self.swallow, self.is_swallowing = None, True
                if not counts and getattr(self, "is_swallowing", False):
                    self.is_swallowing = False
                    self.swallowed()
                    break
                if counts:
                    with self.lock:
                        self.sent += len(data)
                        if self.cut_after is not None and self.sent >= self.cut_after:
                            self.cut_after = None
                            self.cuts += 1
                            break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def close(self):
        self.listener.close()

    def reset(self, cut_after=None):
        with self.lock:
            self.sent = 0
            self.cut_after = cut_after


class Put(unittest.TestCase):
    """One server behind one wire; every test puts artifacts of its own."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.addClassCleanup(cls.server.close)
        cls.wire = Wire(cls.server.port)
        cls.addClassCleanup(cls.wire.close)
        cls.seed = int(os.environ.get("COFFER_TEST_SEED", random.randrange(1 << 32)))
        print(f"seed {cls.seed}")

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.server.home))
        self.random = random.Random(f"{self.seed}/{self.id()}")
        self.wire.reset()

    def put(self, name, source, *arguments, check=True):
        environment = self.server.environment(AWS_ENDPOINT_URL=self.wire.endpoint)
        result = self.server.coffer(
            "artifact", "put", name, source, "-o", "json", *arguments, environment=environment, check=check
        )
        return json.loads(result.stdout) if check else result

    def get(self, reference):
        target = self.folder / f"got-{self.random.randrange(1 << 30)}"
        self.server.coffer("artifact", "get", reference, target)
        return target

    def tree(self, root):
        """Everything below a directory: names, modes, contents, targets."""
        found = {}
        for folder, folders, files in os.walk(os.fsencode(root)):
            for name in folders + files:
                path = os.path.join(folder, name)
                what = os.path.relpath(path, os.fsencode(root))
                if os.path.islink(path):
                    found[what] = ("link", os.readlink(path))
                elif os.path.isdir(path):
                    found[what] = ("directory", os.stat(path).st_mode & 0o777)
                else:
                    found[what] = (os.stat(path).st_mode & 0o777, pathlib.Path(os.fsdecode(path)).read_bytes())
        return found

    def make_tree(self):
        root = self.folder / "site"
        (root / "empty").mkdir(parents=True)
        for index in range(300):
            folder = root / f"d{index % 17}"
            folder.mkdir(exist_ok=True)
            (folder / f"f{index}").write_bytes(self.random.randbytes(self.random.randrange(8000)))
        (root / "large").write_bytes(self.random.randbytes(3_000_000))
        (root / "run").write_text("#!/bin/sh\n")
        (root / "run").chmod(0o755)
        (root / "link").symlink_to("d1/../run")
        with open(os.path.join(os.fsencode(root), b"odd-\xff\xfe"), "wb") as odd:
            odd.write(b"a name that is not UTF-8")
        return root, sum(f.stat().st_size for f in root.rglob("*") if f.is_file())

    def test_an_unchanged_tree_sends_no_content(self):
        root, size = self.make_tree()
        first = self.put("web/same", root)
        self.assertGreater(self.wire.sent, size)
        self.assertLess(self.wire.sent, size * 1.05 + 64_000)
        self.wire.reset()
        second = self.put("web/same", root)
        print(f"first put {size} bytes of content; second put sent {self.wire.sent} bytes")
        self.assertLess(self.wire.sent, 40_000)
        self.assertEqual((first["number"], second["number"]), (1, 2))
        self.assertEqual(first["contentID"], second["contentID"])
        self.assertEqual(second["storedBytes"] < 4096, True)
        self.assertEqual(self.tree(self.get("web/same@2")), self.tree(root))

    def test_one_changed_file_sends_about_that_file(self):
        root, _ = self.make_tree()
        self.put("web/one", root)
        (root / "d3" / "f3").write_bytes(self.random.randbytes(50_000))
        self.wire.reset()
        self.put("web/one", root)
        print(f"one changed file of 50,000 bytes: {self.wire.sent} bytes sent")
        self.assertLess(self.wire.sent, 50_000 + 40_000)
        self.assertEqual(self.tree(self.get("web/one@latest")), self.tree(root))

    def test_of_a_large_changed_file_the_changed_parts_are_sent(self):
        root, _ = self.make_tree()
        self.put("web/part", root)
        content = bytearray((root / "large").read_bytes())
        content[1_000_000:1_000_010] = b"something else"
        (root / "large").write_bytes(content)
        self.wire.reset()
        self.put("web/part", root)
        print(f"a few bytes of 3,000,000 changed: {self.wire.sent} bytes sent")
        self.assertLess(self.wire.sent, 600_000)
        self.assertEqual(self.tree(self.get("web/part@latest")), self.tree(root))

    def test_a_file_is_kept_byte_for_byte_and_sent_once(self):
        file = self.folder / "app.bin"
        file.write_bytes(self.random.randbytes(2_000_000))
        self.put("web/file", file)
        self.wire.reset()
        item = self.put("web/file", file, "--tag", "good")
        self.assertLess(self.wire.sent, 10_000)
        self.assertEqual(item["tags"], ["good"])
        out = self.server.coffer("artifact", "get", "web/file@good", "-", "--zip", text=False).stdout
        target = self.server.home / "one-file"
        self.server.coffer("artifact", "get", "web/file@good", target)
        self.assertEqual(target.read_bytes(), out)
        self.assertEqual(self.server.coffer("artifact", "get", "web/file@good", target, check=False).returncode, 6)
        self.assertEqual(out, file.read_bytes())

    def test_a_cut_connection_costs_little_and_the_version_is_whole(self):
        root, size = self.make_tree()
        self.wire.reset(cut_after=size // 2)
        item = self.put("web/cut", root)
        self.assertEqual(self.wire.cuts, 1)
        print(f"cut half-way through {size} bytes: {self.wire.sent} bytes sent in all")
        # What was on its way when the connection was cut goes again: buffers of sockets and one batch.
        self.assertLess(self.wire.sent, size + 1_500_000)
        self.assertEqual(item["number"], 1)
        self.assertEqual(self.tree(self.get("web/cut@1")), self.tree(root))

    def test_a_killed_put_publishes_nothing_and_the_next_goes_on(self):
        file = self.folder / "big.bin"
        file.write_bytes(self.random.randbytes(40_000_000))
        command = [binary(), "artifact", "put", "web/killed", str(file)]
        process = subprocess.Popen(
            command, env=self.server.environment(AWS_ENDPOINT_URL=self.wire.endpoint), stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: self.wire.sent > 15_000_000 or process.poll() is not None, "half of the file to be sent")
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE)
        self.assertEqual(self.server.coffer_json("artifact", "list", "web/killed"), [])
        # The server must have noticed the broken connection, or it takes the second run for another sender.
        time.sleep(1)
        self.wire.reset()
        self.put("web/killed", file)
        print(f"after a kill past 15 MB of 40 MB: {self.wire.sent} bytes sent")
        self.assertLess(self.wire.sent, 30_000_000)
        self.assertEqual([v["number"] for v in self.server.coffer_json("artifact", "list", "web/killed")], [1])
        out = self.server.coffer("artifact", "get", "web/killed@1", "-", "--zip", text=False).stdout
        self.assertEqual(out, file.read_bytes())

    def test_standard_input_broken_off_publishes_nothing_and_the_next_sends_it_from_the_start(self):
        content = self.random.randbytes(12_000_000)

        def begin():
            # Its end of standard input stays open: the command cannot know that this is all.
            return subprocess.Popen(
                [binary(), "artifact", "put", "web/piped", "-", "--patience", "5"], stdin=subprocess.PIPE,
                env=self.server.environment(AWS_ENDPOINT_URL=self.wire.endpoint), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=False,
            )

        # Killed midway.
        process = begin()
        process.stdin.write(content[:6_000_000])
        process.stdin.flush()
        wait_until(lambda: self.wire.sent > 4_000_000 or process.poll() is not None, "some of it to be sent")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        self.assertEqual(self.server.coffer_json("artifact", "list", "web/piped"), [])
        # Cut midway: what was read from a pipe cannot be read again, so the command says that it failed.
        self.wire.reset(cut_after=4_000_000)
        cuts = self.wire.cuts
        process = begin()
        _, said = process.communicate(content, timeout=PATIENCE)
        self.assertEqual(self.wire.cuts, cuts + 1)
        self.assertEqual(process.returncode, 10, said)
        self.assertTrue(said.strip())
        self.assertEqual(self.server.coffer_json("artifact", "list", "web/piped"), [])
        # From the start.
        self.wire.reset()
        process = begin()
        _, said = process.communicate(content, timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, said)
        self.assertGreater(self.wire.sent, len(content))
        self.assertEqual([v["number"] for v in self.server.coffer_json("artifact", "list", "web/piped")], [1])
        out = self.server.coffer("artifact", "get", "web/piped@1", "-", "--zip", text=False).stdout
        self.assertEqual(out, content)

    def test_content_of_other_artifacts_is_sent_unless_it_may_be_read_and_is_named(self):
        file = self.folder / "known.bin"
        file.write_bytes(self.random.randbytes(1_000_000))
        self.put("web/there", file)
        self.wire.reset()
        self.put("web/here", file)
        self.assertGreater(self.wire.sent, 1_000_000)
        self.wire.reset()
        self.put("web/elsewhere", file, "--basis", "web/there@latest")
        self.assertLess(self.wire.sent, 10_000)

    def test_the_list_says_size_new_bytes_who_and_when(self):
        file = self.folder / "listed.bin"
        file.write_bytes(self.random.randbytes(100_000))
        self.put("web/listed", file)
        self.put("web/listed", file)
        newest, oldest = self.server.coffer_json("artifact", "list", "web/listed")
        self.assertEqual([newest["number"], oldest["number"]], [2, 1])
        self.assertEqual(newest["bytes"], 100_000)
        self.assertGreater(oldest["storedBytes"], 100_000)
        self.assertEqual(newest["storedBytes"], 0)
        self.assertTrue(newest["createdBy"].endswith(":root"))
        self.assertRegex(newest["created"], r"^20\d\d-.*Z$")
        table = self.server.coffer("artifact", "list", "web/listed", "-o", "table").stdout
        self.assertRegex(table.splitlines()[0], "REFERENCE +CREATED +BY +FILES +SIZE +NEW")
        self.assertIn("root", table.splitlines()[1])

    def test_progress_is_for_terminals_only(self):
        file = self.folder / "shown.bin"
        file.write_bytes(self.random.randbytes(3_000_000))
        quiet = self.server.coffer("artifact", "put", "web/shown", file)
        self.assertEqual(quiet.stderr, "")
        for arguments, shows in [([], True), (["--quiet"], False), (["-o", "json"], False)]:
            text = self.on_terminal("artifact", "put", "web/shown", str(file), *arguments)
            self.assertEqual(" of 2.86 MiB" in text, shows, f"{arguments}: {text!r}")
        target = self.folder / "shown.got"
        self.assertIn("receiving", self.on_terminal("artifact", "get", "web/shown@latest", str(target), "--zip"))

    def on_terminal(self, *arguments):
        """What a command writes to a standard error that is a terminal."""
        master, slave = os.openpty()
        process = subprocess.Popen(
            [binary(), *arguments], env=self.server.environment(), stdout=subprocess.DEVNULL, stderr=slave
        )
        os.close(slave)
        text = b""
        try:
            while data := os.read(master, 4096):
                text += data
        except OSError:
            pass
        os.close(master)
        self.assertEqual(process.wait(timeout=PATIENCE), 0, text)
        return text.decode(errors="replace")

    def test_what_cannot_be_put_is_refused(self):
        missing = self.put("web/none", self.folder / "nothing", check=False)
        self.assertEqual(missing.returncode, 5)
        root = self.folder / "odd"
        root.mkdir()
        os.mkfifo(root / "pipe")
        refused = self.put("web/none", root, check=False)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("neither a file nor a directory nor a link", refused.stderr)
        self.assertEqual(self.server.coffer_json("artifact", "list", "web/none"), [])


class Restarts(unittest.TestCase):
    """A put while the server is killed and started again."""

    def setUp(self):
        self.server = Server().start()
        self.addCleanup(self.server.close)
        self.wire = Wire(self.server.port)
        self.addCleanup(self.wire.close)
        seed = int(os.environ.get("COFFER_TEST_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}")
        self.random = random.Random(f"{seed}/{self.id()}")

    def begin(self, name, source, *arguments):
        """A put under way."""
        process = subprocess.Popen(
            [binary(), "artifact", "put", name, str(source), "-o", "json", *arguments],
            env=self.server.environment(AWS_ENDPOINT_URL=self.wire.endpoint), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def end(self, process):
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        return json.loads(out)

    def numbers(self, name):
        return [version["number"] for version in self.server.coffer_json("artifact", "list", name)]

    def test_a_large_file_goes_on_where_the_last_checkpoint_was(self):
        file = self.server.home / "big.bin"
        file.write_bytes(self.random.randbytes(48_000_000))
        self.wire.bytes_per_second = 4_000_000
        process = self.begin("web/big", file)
        wait_until(lambda: self.wire.sent > 36_000_000 or process.poll() is not None, "most of the file to be sent")
        self.server.kill()
        self.wire.reset()
        self.wire.bytes_per_second = None
        self.assertIsNone(process.poll())
        time.sleep(1)
        self.server.start()
        item = self.end(process)
        print(f"killed past 36 MB of 48 MB: {self.wire.sent} bytes sent again")
        self.assertLess(self.wire.sent, 40_000_000)
        self.assertEqual(item["number"], 1)
        self.assertEqual(self.numbers("web/big"), [1])
        out = self.server.coffer("artifact", "get", "web/big@1", "-", "--zip", text=False).stdout
        self.assertEqual(out, file.read_bytes())
        with sqlite3.connect(f"file:{self.server.data / 'catalog.sqlite'}?mode=ro", uri=True) as database:
            for table in ["store_uploads", "store_upload_parts"]:
                self.assertEqual(database.execute(f"SELECT COUNT(*) FROM {table}").fetchone(), (0,))

    def test_a_directory_goes_on_and_a_collection_in_between_costs_time_only(self):
        root = self.server.home / "site"
        root.mkdir()
        contents = {f"{index:03}.bin": self.random.randbytes(200_000) for index in range(150)}
        for name, content in contents.items():
            (root / name).write_bytes(content)
        for collects in [False, True]:
            with self.subTest(collects=collects):
                name = f"web/site-{collects}"
                if collects:
                    contents["first"] = self.random.randbytes(10)
                    (root / "first").write_bytes(contents["first"])
                self.wire.bytes_per_second = 3_000_000
                self.wire.reset()
                process = self.begin(name, root)
                wait_until(lambda: self.wire.sent > 21_000_000 or process.poll() is not None, "most to be sent")
                self.server.restart(kill=True)
                if collects:
                    self.server.coffer("store", "gc")
                self.wire.reset()
                self.wire.bytes_per_second = None
                item = self.end(process)
                print(f"collects {collects}: {self.wire.sent} bytes of 30 MB sent again")
                if not collects:
                    self.assertLess(self.wire.sent, 25_000_000)
                self.assertEqual((item["number"], item["files"]), (1, len(contents)))
                target = self.server.home / f"got-{collects}"
                self.server.coffer("artifact", "get", f"{name}@1", target)
                self.assertEqual({path.name: path.read_bytes() for path in target.iterdir()}, contents)

    def test_a_version_whose_answer_was_lost_is_not_published_twice(self):
        file = self.server.home / "once.bin"
        file.write_bytes(self.random.randbytes(300_000))
        self.wire.swallow = b"POST /-/v1/put/finish"
        self.wire.swallowed = self.server.kill
        process = self.begin("web/once", file)
        wait_until(lambda: self.server.process.poll() is not None, "the server to be killed")
        self.server.start()
        item = self.end(process)
        self.assertEqual(item["number"], 1)
        self.assertEqual(self.numbers("web/once"), [1])
        # Another put of the same is another request.
        self.assertEqual(self.server.coffer_json("artifact", "put", "web/once", file)["number"], 2)

    def test_a_server_that_stays_away_is_given_up_and_nothing_was_published(self):
        file = self.server.home / "away.bin"
        file.write_bytes(self.random.randbytes(8_000_000))
        self.wire.bytes_per_second = 2_000_000
        process = self.begin("web/away", file, "--patience", "2")
        wait_until(lambda: self.wire.sent > 2_000_000 or process.poll() is not None, "some of the file to be sent")
        self.server.kill()
        _, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 10, err)
        self.assertIn("tried again for 2 seconds. Nothing was published", err)
        self.server.start()
        self.assertEqual(self.numbers("web/away"), [])
        self.assertEqual(self.server.coffer_json("artifact", "put", "web/away", file)["number"], 1)


class Upkeep(unittest.TestCase):
    """How content is cut, and scrubbing in parts, over restarts."""

    def test_a_domain_keeps_the_chunker_it_began_with(self):
        with Server("--chunker", "prf") as server:
            content = bytearray(random.randbytes(3_000_000))
            file = server.home / "app.bin"
            file.write_bytes(content)
            server.coffer("artifact", "put", "web/app", file)
            server.arguments.remove("--chunker")
            server.arguments.remove("prf")
            server.restart()
            content[1_500_000:1_500_000] = b"inserted"
            file.write_bytes(content)
            item = server.coffer_json("artifact", "put", "web/app", file)
            self.assertLess(item["storedBytes"], 800_000)
            for which, length in [("1", 3_000_000), ("2", 3_000_008)]:
                out = server.coffer("artifact", "get", f"web/app@{which}", "-", "--zip", text=False).stdout
                self.assertEqual(len(out), length)
            self.assertEqual(out, bytes(content))
            # Neither a rotation nor a re-encryption gives up what the domain was made with.
            server.coffer("key", "rotate", "dedup")
            server.coffer("artifact", "put", "web/app", file)
            server.coffer("store", "reencrypt", "--yes")
            with sqlite3.connect(f"file:{server.data / 'catalog.sqlite'}?mode=ro", uri=True) as database:
                rows = database.execute("SELECT domain_epoch, chunker FROM store_domains").fetchall()
            self.assertGreater(len(rows), 2)
            self.assertEqual({chunker for _, chunker in rows}, {"prf"})
        with Server() as server:
            file = server.home / "app.bin"
            file.write_bytes(bytes(content))
            server.coffer("artifact", "put", "web/app", file)
            server.arguments += ["--chunker", "prf"]
            server.restart()
            server.coffer("store", "reencrypt", "--yes")
            with sqlite3.connect(f"file:{server.data / 'catalog.sqlite'}?mode=ro", uri=True) as database:
                rows = database.execute("SELECT chunker FROM store_domains ORDER BY domain_epoch").fetchall()
            self.assertEqual(rows, [("gear",), ("prf",)], "a re-encryption takes up prf")
        with self.assertRaisesRegex(AssertionError, "--chunker is gear or prf"):
            Server("--chunker", "dice").start()

    def test_a_scrub_goes_on_where_it_stopped(self):
        with Server() as server:
            file = server.home / "app.bin"
            file.write_bytes(random.randbytes(6_000_000))
            server.coffer("artifact", "put", "web/app", file)
            calls = 0
            while calls < 30:
                answer = server.coffer("store", "scrub", "--limit", "1")
                calls += 1
                self.assertEqual("went on where the last scrub stopped" in answer.stderr, calls > 1)
                if "not everything was read yet" not in answer.stderr:
                    break
                if calls == 3:
                    server.restart(kill=True)
            self.assertGreater(calls, 5)
            self.assertLess(calls, 30)
            answer = server.coffer_json("store", "scrub", "--limit", "1")
            self.assertEqual((answer["isComplete"], answer["isResumed"]), (False, False))
            answer = server.coffer_json("store", "scrub")
            self.assertEqual((answer["isComplete"], answer["isResumed"]), (True, True))
            self.assertEqual(server.coffer("store", "scrub").stderr, "")
            self.assertEqual(server.coffer("store", "scrub", "--limit", "0", check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main()
