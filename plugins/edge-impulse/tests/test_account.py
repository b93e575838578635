"""The key and the address of the service in environment variables."""

from __future__ import annotations

import pytest
from reds_edge_impulse.account import DEFAULT_ENDPOINT, Account
from reds_edge_impulse.deadline import Deadline

from reds_core.errors import InputError, UnavailableError


def test_a_key_alone_opens_the_public_service() -> None:
    account = Account.from_environment({"EI_API_KEY": " ei_abc \n"})
    assert account == Account(DEFAULT_ENDPOINT, "studio.edgeimpulse.com", 443, "ei_abc")


@pytest.mark.parametrize(
    ("endpoint", "host", "port"),
    [
        ("http://127.0.0.1:8080/v1/", "127.0.0.1", 8080),
        ("https://ei.example.org/v1", "ei.example.org", 443),
        ("http://[::1]/v1", "::1", 80),
        ("http://localhost/v1", "localhost", 80),
    ],
)
def test_the_address_of_another_service(endpoint: str, host: str, port: int) -> None:
    account = Account.from_environment({"EI_API_KEY": "ei_abc", "EI_API_ENDPOINT": endpoint})
    assert (account.endpoint, account.host, account.port) == (endpoint.rstrip("/"), host, port)


@pytest.mark.parametrize(
    "endpoint", ["studio.edgeimpulse.com", "ftp://host:21/v1", "https://", "http://host:port/v1", "x"]
)
def test_an_address_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match=r"EI_API_ENDPOINT is no address: .*; give one like https://"):
        Account.from_environment({"EI_API_KEY": "ei_abc", "EI_API_ENDPOINT": endpoint})


@pytest.mark.parametrize("host", ["ei.example.org", "192.168.0.7", "localhost.example.org", "127.0.0.1.example.org"])
def test_the_key_is_not_sent_in_clear_text(host: str) -> None:
    why = f"the key would be sent to '{host}' for anyone to read, since EI_API_ENDPOINT is not https; give one like"
    with pytest.raises(InputError, match=why):
        Account.from_environment({"EI_API_KEY": "ei_abc", "EI_API_ENDPOINT": f"http://{host}:80/v1"})


@pytest.mark.parametrize("endpoint", ["https://me:hush@host/v1", "ftp://me:hush@host", "me:hush@host"])
def test_the_password_of_an_address_is_not_shown(endpoint: str) -> None:
    with pytest.raises(InputError, match="EI_API_ENDPOINT holds the name or the password") as raised:
        Account.from_environment({"EI_API_KEY": "ei_abc", "EI_API_ENDPOINT": endpoint})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("environment", [{}, {"EI_API_KEY": " "}])
def test_without_a_key_the_message_says_where_it_comes_from(environment: dict[str, str]) -> None:
    with pytest.raises(UnavailableError, match=r"needs an API key of Edge Impulse; set .*EI_API_KEY") as raised:
        Account.from_environment(environment)
    assert raised.value.exit_status == 2


@pytest.mark.parametrize("key", ["ei_abc def", "ei_abc\ndef", "ei_äbc", 'ei_"abc'])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InputError, match="spaces or special characters") as raised:
        Account.from_environment({"EI_API_KEY": key})
    assert "abc" not in str(raised.value)


def test_an_account_does_not_show_its_key() -> None:
    assert "ei_secret" not in repr(Account.from_environment({"EI_API_KEY": "ei_secret"}))


@pytest.mark.parametrize("limit", [0.0, -1.0, float("inf"), float("nan")])
def test_a_time_limit_is_a_positive_number(limit: float) -> None:
    with pytest.raises(InputError, match=r"edge-impulse.timeout_s is .*; give a positive number"):
        Deadline.after(limit)


def test_time_that_is_left() -> None:
    deadline = Deadline.after(100.0)
    assert deadline.seconds(5.0) == 5.0
    assert 99.0 < deadline.seconds(1000.0) <= 100.0
    over = Deadline(3.0, deadline.end - 200.0)
    assert over.is_over
    with pytest.raises(UnavailableError, match=r"not done within 3 s; raise edge-impulse.timeout_s"):
        over.seconds(5.0)
