"""Measures how long a killed run needs until its section runs again, with the container and the mount it finds. Needs Docker, FUSE and root."""

import argparse
import os
import statistics

import anyio

from tests.docker.resuming import resuming

IMAGE = "plex-simulator"


async def measure(engine: str, rounds: int) -> None:
    async with resuming(engine, IMAGE) as place:
        first = await place.killed_in_a_scan()
        again = sorted([await place.killed_in_a_scan() for _ in range(rounds)])
    print(f"start -> section runs, everything new          {first:7.2f} s")
    print(
        f"start -> section runs, container and mount kept n={rounds}  median {statistics.median(again):7.2f} s"
        f"  worst {again[-1]:7.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", default=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    wanted = parser.parse_args()
    anyio.run(measure, wanted.engine, wanted.rounds)


if __name__ == "__main__":
    main()
