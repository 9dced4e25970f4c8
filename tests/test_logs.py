"""Logs: useful to people, useless to thieves."""

from typing import Any

import pytest

from twintill.cli.logs import _rendering, without_secrets
from twintill.ids import Scope
from twintill.store.api_keys import _new_secret
from twintill.web.frame import _CAPABILITY

SECRETS = (
    "sk_live_51NabcDEF",
    "rk_test_51NabcDEF",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "chk_4Yk9n2Qa7Zx",
    _new_secret(Scope("acct_1", False)),
)


# A key is made anew at each run: named by kind, so that every run collects the same tests.
@pytest.mark.parametrize("secret", SECRETS, ids=("secret", "restricted", "hook", "page", "ours"))
@pytest.mark.parametrize("wrap", ["{}", "Bearer {}", "http://x/{}?a=1", "key={}, more"])
def test_a_secret_in_any_corner_of_an_event_is_not_logged(secret: str, wrap: str) -> None:
    text = wrap.format(secret)
    event = {"event": text, "more": {"deep": [{"text": text}, (text,)]}, "status": 200}
    logged = without_secrets(None, "info", event)
    assert secret not in str(logged)
    assert logged["status"] == 200


def test_ids_that_open_nothing_stay_whole() -> None:
    event = {"payment": "pay_1f2e3d", "key": "key_4Yk9n2", "request_id": "req_4Yk9n2"}
    assert without_secrets(None, "info", dict(event)) == event


def test_the_path_of_a_checkout_is_cut() -> None:
    assert (
        _CAPABILITY.sub(r"\1…", "/checkout/chk_4Yk9n2Qa7Zx/return") == "/checkout/chk_4Yk9…/return"
    )


def test_an_exception_is_logged_without_the_values_of_variables() -> None:
    def fails() -> None:
        token = "tok_of_a_customer"
        raise LookupError(len(token))

    try:
        fails()
    except LookupError as error:
        logged: Any = {"event": "it_failed", "exc_info": error}
    for step in _rendering():
        logged = step(None, "error", logged)
    assert "LookupError" in logged
    assert "tok_of_a_customer" not in logged
