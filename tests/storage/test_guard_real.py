"""The guard on the real stack: S3 server, network, rclone, FUSE, and scanners that remove what they do not find."""

import pytest

from tests.real_run import running
from tests.storage.guarded import (
    Chapter,
    delete_bucket,
    empty_bucket,
    fill_bucket,
    furnish,
    hide_half,
    kill,
    live,
    network,
    play,
    renew_key,
    revoke_key,
    stop,
    tables,
    trashed,
    undelete_bucket,
    unmount,
)
from tests.storage.stack import stack

pytestmark = [pytest.mark.fuse, pytest.mark.slow, pytest.mark.timeout(300)]

CHAPTERS = (
    Chapter(name="unreadable", strike=network("403 AccessDenied"), heal=network("pass"), films=224),
    Chapter(name="killed", strike=kill),
    Chapter(name="stopped", strike=stop),
    Chapter(name="unmounted", strike=unmount),
    Chapter(name="vanished", strike=delete_bucket, heal=undelete_bucket),
    Chapter(name="emptied", strike=empty_bucket, heal=fill_bucket),
    Chapter(name="key revoked", strike=revoke_key, heal=renew_key),
    Chapter(name="half listed", strike=hide_half, moment="gate"),
    Chapter(name="killed after the gate", strike=kill, moment="gate"),
)


async def test_storage_that_fails_in_the_middle_of_scans_costs_nothing() -> None:
    import os
    wanted = os.environ.get("ONLY", "").split(",")
    chapters = [c for c in CHAPTERS if wanted == [""] or c.name in wanted]
    async with stack({"readme.txt": 10}) as here:
        furnish(here, chapters)
        await here.serve()
        with running(here.root, tables(here), "--quick", PLEXSUPER_PROFILE="cloud_standard") as run:
            try:
                await play(here, run, chapters)
                code = await here_end(run)
            finally:
                import shutil
                shutil.copy(run.place/"stdout", "/tmp/real-helper/stdout")
        print(code, live(here), trashed(here))
        assert code == 0


async def here_end(run):
    import anyio
    return await anyio.to_thread.run_sync(lambda: run.process.wait(200))
