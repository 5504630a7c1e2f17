"""The end of the process, where threads hang that nobody can end."""

from __future__ import annotations

import subprocess
import sys

HANGS = """
import threading
from watcher.daemon.ending import end_within

threading.Thread(target=threading.Event().wait).start()
end_within({seconds}, {code})
print("all is said")
"""


def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    """It ends after its seconds, with the code that it was given, and what was said before is out."""
    program = HANGS.format(seconds=0.5, code=7)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "all is said\n", "")
