"""Proves what the lines of a container's log mean."""

import pytest

from plexsuper.decisions.container_log import Fatal, LogReader, Noticed

FIRST_RUN = (
    "[cont-init.d] 40-plex-first-run: executing... ",
    "Attempting to obtain server token from claim token",
)
OVER = "Plex Media Server first run setup complete"
DAMAGED = (
    "Error: Unable to set up server: sqlite3_statement_backend::loadOne: database disk image is malformed "
    "(N4soci10soci_errorE)"
)
START = "Starting Plex Media Server."


def read(*lines: str, every: float = 0.0) -> list[tuple[str, str]]:
    """Return what a log tells, as (what, line or first words)."""
    reader = LogReader()
    told: list[tuple[str, str]] = []
    for number, line in enumerate(lines):
        for found in reader.read(line, 1000.0 + number * every):
            match found:
                case Noticed():
                    told.append((found.kind, found.line))
                case Fatal():
                    told.append((found.fault, found.detail.split(",")[0]))
    return told


@pytest.mark.lesson("L16")
def test_a_claim_that_gives_no_token_has_failed_when_the_first_run_is_over():
    assert read(*FIRST_RUN, OVER) == [("claim_failed", "plex.tv did not take the claim")]


def test_a_claim_that_gives_a_token_has_not_failed():
    granted = "Token obtained successfully"
    assert read(*FIRST_RUN, granted, OVER) == [("claim_granted", granted)]


def test_a_first_run_without_a_claim_tells_nothing():
    assert read(FIRST_RUN[0], OVER, "[ls.io-init] done.") == []


def test_the_other_image_says_the_end_of_its_first_run_in_other_words():
    assert read(*FIRST_RUN, "[ls.io-init] done.") == [("claim_failed", "plex.tv did not take the claim")]


@pytest.mark.lesson("L30")
def test_a_server_that_cannot_start_with_its_database_is_told_once_and_its_loop_once_too():
    lines = (START, DAMAGED, "Stopping Plex Media Server.") * 4
    assert [what for what, _ in read(*lines, every=2.0)] == [
        "server_started",
        "database_damaged",
        "server_started",
        "server_started",
        "crash_loop",
        "server_started",
    ]


def test_three_starts_in_a_day_are_no_loop():
    assert [what for what, _ in read(START, START, START, START, every=3600.0)] == ["server_started"] * 4


def test_a_loop_is_told_with_the_last_words_of_the_server():
    lines = [START, "Killed by a bug", "[cont-finish.d] done."] * 3
    reader = LogReader()
    (told,) = [found for line in lines for found in reader.read(line, 1.0) if isinstance(found, Fatal)]
    assert "its last words: Killed by a bug" in told.detail


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (
            "The '--scan' operation is deprecated and will be removed in future versions of Plex Media Server.",
            "scan_started",
        ),
        ('boost::filesystem::status: Transport endpoint is not connected: "/data/Movies"', "storage_failing"),
        ('directory_iterator::construct: Permission denied: "/data/Movies"', "storage_failing"),
        ("****** PLEX MEDIA SERVER CRASHED, CRASH REPORT WRITTEN: /config/x.dmp", "server_crashed"),
    ],
)
def test_a_line_that_tells_something_is_noticed(line, kind):
    assert read(line) == [(kind, line)]


def test_memory_that_ends_is_fatal():
    (told,) = read("terminate called after throwing an instance of 'std::bad_alloc'")
    assert told[0] == "out_of_memory"


def test_ordinary_lines_tell_nothing():
    assert read("Critical: libusb_init failed", "", "Unable to open: No such file or directory (2)") == []


def test_the_words_of_linuxservers_image_for_a_claim_are_known():
    taken = "Server claimed successfully, navigate to http://serverip:32400/web to complete plex setup."
    refused = "Unable to claim Plex server. Either manually claim by connecting to http://serverip:32400/web from ..."
    assert read(taken, "[ls.io-init] done.") == [("claim_granted", taken)]
    assert read(refused, "[ls.io-init] done.") == [("claim_failed", "plex.tv did not take the claim")]
