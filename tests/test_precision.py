"""Proves how exactly numbers are told, by a run and by the tools for databases alike."""

import json
import math

import pytest
from typer.testing import CliRunner

from plexsuper.cli.database import app
from plexsuper.cli.database_output import write_json
from plexsuper.database.check.report import CheckReport
from plexsuper.precision import told
from tests.database_library import library_with_files


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3.0420000000012806, 3.042),
        (0.1 + 0.2, 0.3),
        (0.00012345, 0.000123),
        (-0.00012345, -0.000123),
        (0.0, 0.0),
        (1e9 + 0.12345, 1000000000.123),
        (math.inf, math.inf),
    ],
)
def test_a_number_is_told_in_thousandths_and_a_small_one_with_three_digits(value, said):
    assert told(value) == said


def test_what_is_no_number_stays_that():
    assert math.isnan(told(math.nan))


def test_a_tool_for_databases_tells_its_seconds_as_a_run_does(capsys, tmp_path):
    write_json([CheckReport(path=tmp_path, full=True, seconds=3.0420000000012806)])
    assert json.loads(capsys.readouterr().out)[0]["seconds"] == 3.042
    place = library_with_files(tmp_path / "plex", "/Media/TV/1.mkv")
    checked = json.loads(CliRunner().invoke(app, ["check", str(place), "--json"]).stdout)
    seconds = [report["seconds"] for report in checked]
    assert seconds == [told(number) for number in seconds]
