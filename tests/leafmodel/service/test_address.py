"""Where a tf.data service is: what is no address, and what does not answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafmodel.errors import ServiceError
from leafmodel.service import address
from leafmodel.service.address import Address, parse


@pytest.fixture
def silent() -> Iterator[str]:
    """Something that listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"127.0.0.1:{port}"


@given(st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True), st.integers(1, 65535))
def test_a_host_and_a_port_are_read_as_they_are_written(host: str, port: int) -> None:
    assert parse(f"{host}:{port}") == Address(host, port)
    assert str(Address(host, port)) == f"{host}:{port}"


def test_an_ipv6_host_stands_in_brackets() -> None:
    assert parse("[::1]:5050") == Address("[::1]", 5050)


@pytest.mark.parametrize(
    "text",
    [
        *("", "5050", "host", "host:", ":5050", "host:0", "host:65536", "::1:5050", "a b:1"),
        *("h:5050\n", "grpc://host:5050", "host:٥٠"),
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ServiceError, match=r"HOST:PORT, such as 127\.0\.0\.1:5050") as refused:
        parse(text)
    assert repr(text) in str(refused.value)


def test_where_nobody_listens_the_sentence_says_how_to_start_one(nobody: str) -> None:
    with pytest.raises(ServiceError, match=r"nothing answers there.*leafbench service dispatcher"):
        address.workers(nobody)


def test_what_listens_in_silence_is_given_up_after_the_timeout(silent: str) -> None:
    with pytest.raises(ServiceError, match=f"service at {silent}, found that nothing answered"):
        address.workers(silent, timeout_s=0.05)


@pytest.mark.parametrize(("registered", "asked"), [(1, 2), (3, 2), (0, 1)])
def test_another_number_of_workers_is_refused(
    registered: int, asked: int, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "workers", lambda _: (silent,) * registered)
    with pytest.raises(
        ServiceError, match=f"service_workers={asked} at here:1, found {registered} of them"
    ):
        address.require_workers("here:1", asked)


def test_the_number_that_was_asked_for_is_fine(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "workers", lambda _: (silent, silent))
    address.require_workers("here:1", 2)


def test_a_worker_that_is_registered_and_gone_is_named_with_the_way_to_bring_it_back(
    nobody: str, silent: str
) -> None:
    host, _, port = nobody.partition(":")
    with pytest.raises(ServiceError, match=f"--dispatcher here:1 --host {host} --port {port}"):
        address.require_running("here:1", (silent, nobody))


def test_a_port_in_use_is_refused_and_a_free_one_is_not(silent: str, nobody: str) -> None:
    with pytest.raises(ServiceError, match=r"cannot be listened on .*give another one with --port"):
        address.require_free(parse(silent).port)
    address.require_free(parse(nobody).port)
