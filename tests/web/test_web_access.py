"""Proves who may see the page of a run, and what every answer forbids."""

import pytest
from pydantic import SecretStr

from plexsuper.faces.web.access import Access, headers, is_loopback

TOKEN = "a-long-word-that-nobody-guesses"
OPEN = Access(None)
LOCKED = Access(SecretStr(TOKEN))


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        pytest.param("localhost", "welcome", id="the name of this machine"),
        pytest.param("LocalHost:8484", "welcome", id="with a port"),
        pytest.param("127.0.0.1:9000", "welcome", id="through a tunnel with another port"),
        pytest.param("[::1]:8484", "welcome", id="IPv6"),
        pytest.param("[::1]", "welcome", id="IPv6 without a port"),
        pytest.param("evil.example:8484", "foreign", id="a name that was made to point here"),
        pytest.param("127.0.0.1.evil.example", "foreign", id="a name that looks like an address"),
        pytest.param("localhost.evil.example", "foreign", id="a name that looks like ours"),
        pytest.param("192.168.0.2:8484", "foreign", id="an address that others reach"),
        pytest.param("0.0.0.0:8484", "foreign", id="every address"),
        pytest.param("", "foreign", id="none"),
        pytest.param("[::1", "welcome", id="unclosed, but ours"),
        pytest.param("::", "foreign", id="nothing but colons"),
    ],
)
def test_without_a_token_only_the_names_of_this_machine_are_served(host, answer):
    assert OPEN.judge(host=host, token=None, cookie=None) == answer


@pytest.mark.parametrize(
    ("token", "cookie", "authorization", "answer"),
    [
        pytest.param(None, None, None, "unknown", id="nothing"),
        pytest.param(TOKEN, None, None, "introduce", id="the token in the address"),
        pytest.param(TOKEN[:-1], None, None, "unknown", id="nearly the token"),
        pytest.param("", None, None, "unknown", id="an empty token"),
        pytest.param("ünïcode", None, None, "unknown", id="a token that is not ASCII"),
        pytest.param(None, LOCKED.cookie, None, "welcome", id="the cookie"),
        pytest.param(None, TOKEN, None, "unknown", id="the token as a cookie"),
        pytest.param(LOCKED.cookie, None, None, "unknown", id="the cookie as a token"),
        pytest.param(None, "ü", None, "unknown", id="a cookie that is not ASCII"),
        pytest.param("wrong", LOCKED.cookie, None, "welcome", id="an old address with the cookie"),
        pytest.param(None, None, f"Bearer {TOKEN}", "welcome", id="a program"),
        pytest.param(None, None, "Bearer nix", "unknown", id="a program with another word"),
        pytest.param(None, None, f"Basic {TOKEN}", "unknown", id="another way to log in"),
    ],
)
def test_a_token_is_needed_where_there_is_one(token, cookie, authorization, answer):
    assert LOCKED.judge(host="box.example", token=token, cookie=cookie, authorization=authorization) == answer


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host):
    assert is_loopback(host)
    assert Access.to(host, None).token is None
    assert Access.to(host, SecretStr(TOKEN)).token == SecretStr(TOKEN)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", "box.example", ""])
def test_an_address_that_others_reach_gets_a_token_that_nobody_can_guess(host):
    one, other = Access.to(host, None).token, Access.to(host, None).token
    assert one is not None
    assert other is not None
    assert len(one.get_secret_value()) >= 32
    assert one != other


def test_the_cookie_tells_nothing_of_the_token_and_is_the_same_after_a_restart():
    assert TOKEN not in LOCKED.cookie
    assert Access(SecretStr(TOKEN)).cookie == LOCKED.cookie
    assert Access(SecretStr(f"{TOKEN}2")).cookie != LOCKED.cookie
    assert TOKEN not in repr(LOCKED)


def test_nothing_foreign_is_loaded_framed_guessed_kept_or_told():
    policy = headers()["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert policy.endswith("frame-ancestors 'none'")
