"""A policy that breaks a rule cannot be made; a customer may have some of it otherwise."""

from datetime import timedelta
from typing import Any

import pytest

from twintill.domain.overrides import OVERRIDABLE, overlay, shown
from twintill.domain.policy import Exhausted, Policy
from twintill.errors import PolicyRefused

_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retry_gap_min", timedelta(hours=23)),
        ("retry_pauses", (_DAY, timedelta(hours=23))),
        ("retry_pauses", (_DAY,) * 15),
        ("retry_span", -_DAY),
        ("due_margin", timedelta(seconds=-1)),
        ("stripe_ends_after_due", -_DAY),
        ("stripe_ends_margin", -_DAY),
        ("ask_pauses", ()),
        ("not_sent_pauses", (-_DAY,)),
        ("stripe_pauses", ()),
        ("replay_share", 1.0),
        ("due_margin", timedelta(days=366)),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_field(field: str, value: Any) -> None:
    with pytest.raises(PolicyRefused) as refused:
        Policy(**{field: value})
    assert refused.value.param == field
    assert str(refused.value).startswith(f"{field}: ")


def test_fifteen_tries_are_the_most() -> None:
    assert Policy(retry_pauses=(_DAY,) * 14).tries == 15


def test_without_overrides_the_accounts_policy_holds() -> None:
    policy = Policy(retry_span=9 * _DAY)
    assert overlay(policy, None) is policy
    assert overlay(policy, {}) is policy


def test_an_override_changes_what_it_names() -> None:
    given = {
        "retry_pauses": ["P2D", "P1DT12H"],
        "exhausted": "mark_uncollectible",
        "refund_stranded": False,
    }
    policy = overlay(Policy(retry_span=9 * _DAY), given)
    assert not policy.refund_stranded
    assert policy.retry_pauses == (2 * _DAY, timedelta(hours=36))
    assert policy.exhausted is Exhausted.MARK_UNCOLLECTIBLE
    assert policy.retry_span == 9 * _DAY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P1D", _DAY),
        ("PT90M", timedelta(minutes=90)),
        ("P0D", timedelta(0)),
        ("PT1H1M1S", timedelta(seconds=3661)),
    ],
)
def test_durations_are_iso_8601_and_shown_as_they_are_read(text: str, expected: timedelta) -> None:
    policy = overlay(Policy(), {"due_margin": text})
    assert policy.due_margin == expected
    assert overlay(Policy(), shown(policy)) == policy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ask_pauses", ["PT1S"]),  # not a customer's
        ("nonsense", 1),
        ("retry_span", "P"),
        ("retry_span", "PT"),
        ("retry_span", "15 days"),
        ("retry_span", 15),
        ("retry_pauses", "P1D"),
        ("retry_pauses", [1]),
        ("retry_pauses", ["P1D"] * 101),
        ("retry_gap_min", "PT23H"),
        ("exhausted", "shout"),
        ("exhausted", ["leave_open"]),
        ("refund_stranded", "no"),
    ],
)
def test_what_cannot_be_overridden_is_refused_with_its_field(field: str, value: Any) -> None:
    with pytest.raises(PolicyRefused) as refused:
        overlay(Policy(), {field: value})
    assert refused.value.param == field


def test_all_that_may_be_overridden_is_shown() -> None:
    assert set(shown(Policy())) == set(OVERRIDABLE)
    assert shown(Policy())["due_margin"] == "PT12H"
