"""The tables of those who follow a run: stream, page, metrics, messages."""

from typing import Literal, get_args

from pydantic import Field, SecretStr

from plexsuper.config.tables.table import Table
from plexsuper.config.types import (
    Duration,
    LocalPath,
    Matters,
    MessageUrls,
    SecretUrl,
)
from plexsuper.terms import Matter


class EventSettings(Table):
    """The event stream."""

    format: Literal["auto", "jsonl", "text"] = Field(
        "auto",
        description="`jsonl`: JSON lines; `text`: plain lines; `auto`: live view on a terminal, else JSON lines",
    )


class WebSettings(Table):
    """The web page of a run."""

    enabled: bool = Field(
        False, description="serve a page that shows the run live; its address is printed when the run begins"
    )
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="where it is served: this machine only, or an address that others reach too (`0.0.0.0`: every one), "
        "who then need the token in the address",
    )
    port: int = Field(8484, ge=0, le=65535, description="its port; 0: any free one")
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="the token that readers need; without it none on this machine only, else a random one for each run",
        examples=["a-long-word-that-nobody-guesses"],
    )


class MetricsSettings(Table):
    """The numbers of a run for Prometheus; the web page has them too, at `/metrics`."""

    textfile: LocalPath | None = Field(
        None,
        description="a file for node_exporter's textfile collector; its name has to end with `.prom`",
        examples=["/var/lib/prometheus/node-exporter/plexsuper.prom"],
    )
    every: Duration = Field(15.0, gt=0, description="how often that file is written")


class NotifySettings(Table):
    """Messages to a person who is not looking; they need `pip install 'plexsuper[notify]'`, the ping does not."""

    urls: MessageUrls = Field(
        (),
        description="where messages go, as Apprise writes addresses (better in PLEXSUPER_NOTIFY__URLS)",
        examples=[["ntfys://my-topic"]],
    )
    when: Matters = Field(
        get_args(Matter),
        description="what is told: " + ", ".join(get_args(Matter)),
        examples=[["finished", "storage", "loss"]],
    )
    storage_after: Duration = Field(
        600.0, description="storage that is lost is told when it stays lost for so long"
    )
    ping_url: SecretUrl | None = Field(
        None,
        description="a monitor of jobs such as healthchecks.io is asked for this address with `/start` at the beginning and "
        "again and again during the run, without it at a good end, and with `/fail` at a bad one",
        examples=["https://hc-ping.com/…"],
    )
    ping_every: Duration = Field(
        300.0, gt=0, description="how often that monitor is told that the run goes on"
    )
