"""Proves that the page gives the metrics of the run to Prometheus, and to nobody who may not read the page."""

import aiohttp
import pytest
from pydantic import SecretStr

from plexsuper.examples import RUN, envelopes
from plexsuper.faces.metrics import Metrics, render
from plexsuper.faces.web.page import serve_page
from tests.web.shown import shown

STORY = list(envelopes(RUN))
TOKEN = "a-long-word-that-nobody-guesses"


async def test_prometheus_gets_the_same_numbers_as_from_the_record():
    metrics = Metrics()
    for envelope in STORY:
        metrics.see(envelope)
    async with (
        shown(STORY) as run,
        aiohttp.ClientSession() as session,
        session.get(f"{run.url}metrics") as answer,
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert await answer.read() == render(metrics)


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": f"Bearer {TOKEN}"}, 200)])
async def test_metrics_need_the_token_where_the_page_does(headers, status):
    async with (
        serve_page(host="127.0.0.1", port=0, token=SecretStr(TOKEN)) as page,
        aiohttp.ClientSession() as session,
        session.get(page.url.replace("?", "metrics?").partition("?")[0], headers=headers) as answer,
    ):
        assert answer.status == status
