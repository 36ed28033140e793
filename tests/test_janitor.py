"""The janitor of a temporary directory never outlives its use, nor holds up who has it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.real_simulator import children_of

STOPPED = """
import os, signal, sys
from pathlib import Path
from plexsuper.clients.janitor import janitor
with janitor(Path(sys.argv[1])):
    (child,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    os.kill(int(child), signal.SIGSTOP)
"""


def test_a_janitor_that_somebody_has_stopped_ends_with_its_owner(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED, str(tmp_path)], start_new_session=True) as owner:
        try:
            assert owner.wait(30) == 0
        finally:
            for pid in children_of(owner.pid):
                os.kill(pid, signal.SIGKILL)
    assert tmp_path.exists()
