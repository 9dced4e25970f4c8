"""What may be called because a caller named it, when it is called again, and when no more."""

from datetime import UTC, datetime, timedelta

import pytest

from twintill.domain.endpoint import (
    FAILS_FOR,
    PAUSES,
    Standing,
    after_failure,
    gives_up,
    next_try,
)
from twintill.domain.event_types import CATALOGUE
from twintill.domain.reachable import is_public, why_not

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

INSIDE = (
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16"),
    *("192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.7"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1"),
    *("64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1"),
    *("ff02::1", "", "localhost", "2130706433", "0x7f.1"),
)
OUTSIDE = ("8.8.8.8", "93.184.216.34", "100.63.255.255", "172.32.0.1", "2606:4700::1111")


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_plainly_public_is_inside(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_rest_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", INSIDE)
def test_one_address_inside_spoils_a_name(address: str) -> None:
    assert why_not("https", ["8.8.8.8", address], loopback=False)
    assert why_not("https", ["8.8.8.8", address], loopback=True)


def test_only_https_and_only_what_has_an_address() -> None:
    assert why_not("https", ["8.8.8.8", "2606:4700::1111"], loopback=False) is None
    assert why_not("http", ["8.8.8.8"], loopback=False)
    assert why_not("http", ["8.8.8.8"], loopback=True)
    assert why_not("https", [], loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_developers_machine_is_called_when_a_setting_says_so(address: str) -> None:
    assert why_not("http", [address], loopback=True) is None
    assert why_not("https", [address], loopback=False)


@pytest.mark.parametrize("address", ["::ffff:127.0.0.1", "0.0.0.0", "10.0.0.1", "nonsense"])
def test_that_setting_opens_nothing_else(address: str) -> None:
    assert why_not("https", [address], loopback=True)


def test_a_delivery_is_tried_for_three_days() -> None:
    assert next_try(1, NOW) == NOW + timedelta(seconds=5)
    assert next_try(len(PAUSES), NOW) == NOW + timedelta(days=1)
    assert next_try(len(PAUSES) + 1, NOW) is None
    assert timedelta(days=3) < sum(PAUSES, timedelta(0)) < timedelta(days=4)


def failing(every: timedelta, times: int) -> tuple[Standing, datetime]:
    standing, now = Standing(), NOW
    for _ in range(times):
        now += every
        standing = after_failure(standing, now)
    return standing, now


def test_an_endpoint_that_fails_for_days_is_given_up() -> None:
    assert gives_up(*failing(timedelta(hours=12), 11))
    assert timedelta(days=5) == FAILS_FOR


@pytest.mark.parametrize(
    ("every", "times"),
    [
        (timedelta(hours=1), 100),  # many failures, in four days
        (timedelta(days=1), 9),  # some days, a few failures
        (timedelta(days=4), 20),  # one event now and then: nobody knows what was between
    ],
)
def test_less_than_that_is_no_reason(every: timedelta, times: int) -> None:
    assert not gives_up(*failing(every, times))


def test_nothing_failed_yet() -> None:
    assert not gives_up(Standing(), NOW)


def test_each_event_says_when_it_comes_and_what_it_holds() -> None:
    for name, event in CATALOGUE.items():
        assert name == event.name
        assert event.when.endswith(".")
        assert event.example["object"]
