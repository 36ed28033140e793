"""What is frozen in a container is taken over by the next supervisor, and goes on only when it says so: real processes.

What is unrealistic: the processes are in no container; who belongs to it is said instead of read from a cgroup.
"""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from aiodocker import Docker

from plexsuper.clients.docker.frost import Frost
from plexsuper.clients.docker.processes import ContainerProcesses, state_of
from plexsuper.clients.docker.runtime import DockerRuntime
from plexsuper.clients.docker.spec import ContainerSpec
from plexsuper.clients.server.frozen import FrozenRecord


class Told(ContainerProcesses):
    """The processes that are said to be those of a container."""

    def __init__(self, *pids: int) -> None:
        super().__init__("-", 0)
        self._told = pids

    def pids(self) -> tuple[int, ...]:
        return self._told


@pytest.fixture
def sleepers() -> Iterator[tuple[int, int]]:
    started = [subprocess.Popen(["/bin/sleep", "60"]) for _ in range(2)]
    try:
        yield (started[0].pid, started[1].pid)
    finally:
        for process in started:
            process.kill()
            process.wait()


def stopped(*pids: int) -> bool:
    """Say whether all of *pids* stand still, as soon as the kernel has done what it was told."""
    for _ in range(2000):
        if all(state_of(pid) == "T" for pid in pids):
            return True
        signal.sigtimedwait([], 0.005)
    return False


def runs(pid: int) -> bool:
    for _ in range(2000):
        if state_of(pid) == "S":
            return True
        signal.sigtimedwait([], 0.005)
    return False


def test_what_a_dead_supervisor_froze_is_taken_over_frozen_and_goes_on_when_it_is_told(tmp_path, sleepers):
    file = tmp_path / "frozen-plex.json"
    frozen = Frost(Told(*sleepers), FrozenRecord(file)).freeze()  # and nobody thaws
    assert set(frozen) == set(sleepers)
    assert stopped(*sleepers)
    second = Frost(Told(*sleepers), FrozenRecord(file))
    assert set(second.take_over()) == set(sleepers)
    assert stopped(*sleepers)
    second.thaw(second.frozen)
    assert all(map(runs, sleepers))
    assert not file.exists()


def test_what_somebody_else_had_stopped_stays_his(tmp_path, sleepers):
    theirs, ours = sleepers
    os.kill(theirs, signal.SIGSTOP)
    assert stopped(theirs)
    file = tmp_path / "frozen-plex.json"
    assert Frost(Told(*sleepers), FrozenRecord(file)).freeze() == (ours,)
    second = Frost(Told(*sleepers), FrozenRecord(file))
    assert second.take_over() == (ours,)
    second.thaw(second.frozen)
    assert runs(ours)
    assert state_of(theirs) == "T"


def test_what_was_frozen_in_another_container_is_not_taken_over(tmp_path, sleepers):
    file = tmp_path / "frozen-plex.json"
    first = Frost(Told(*sleepers), FrozenRecord(file))
    first.freeze()
    assert Frost(Told(sleepers[0]), FrozenRecord(file)).take_over() == (sleepers[0],)
    first.thaw(sleepers)


@pytest.mark.blocking("the processes' own files in /proc are kernel memory, and the record is a local file")
async def test_a_record_waits_until_its_container_is_adopted(tmp_path, sleepers):
    spec = ContainerSpec(
        name="plex",
        image="plexinc/pms-docker",
        config_dir="/srv/config",
        media="/srv/media/library",
        media_target="/data/library",
    )
    file = tmp_path / "frozen-plex.json"
    first = Frost(Told(*sleepers), FrozenRecord(file))
    first.freeze()
    docker = Docker("http://127.0.0.1:9")
    try:
        runtime = DockerRuntime(docker, spec, state_dir=tmp_path)
        assert runtime.take_over() == ((), 0.0)
    finally:
        await docker.close()
    assert file.exists()
    first.thaw(sleepers)
