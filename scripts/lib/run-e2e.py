"""Runs the end-to-end tests and closes with one line that counts them; prints the reason of each skipped test."""

import pathlib
import sys
import unittest

here = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "EndToEnd"
sys.path.insert(0, str(here))


def main(names):
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(names) if names else loader.discover(str(here), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2, buffer=True).run(suite)
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    passed = result.testsRun - failed - len(result.skipped)
    print(f"{passed} passed, {failed} failed, {len(result.skipped)} skipped", flush=True)
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
