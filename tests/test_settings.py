"""Settings: what stops a start, and what the sentence says."""

import base64
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from twintill.domain.pace import Limits
from twintill.errors import SettingsError
from twintill.settings import PREFIX, Settings, read_settings, variable_of
from twintill.settings.plugs import OURS

KEY = base64.b64encode(b"k" * 32).decode()
ENOUGH = {
    "TWINTILL_STRIPE_API_KEY": "sk_test_4711",
    "TWINTILL_STRIPE_WEBHOOK_SECRETS": "whsec_one, whsec_two",
    "TWINTILL_ENCRYPTION_KEYS": KEY,
    "TWINTILL_SANDBOX_PROCESSOR_URL": "http://127.0.0.1:12112",
    "TWINTILL_SANDBOX_PROCESSOR_API_KEY": "key",
    "TWINTILL_SANDBOX_PROCESSOR_WEBHOOK_SECRETS": "whsec_p",
}
EXAMPLE = Path(__file__).parents[1] / ".env.example"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [n for n in os.environ if n.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal() -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read_settings()
    return str(refused.value).splitlines()


def test_the_least_is_enough() -> None:
    settings = read_settings()
    assert [s.get_secret_value() for s in settings.stripe_webhook_secrets] == [
        "whsec_one",
        "whsec_two",
    ]
    assert settings.vault_keys == [b"k" * 32]
    assert not settings.livemode


def test_a_file_of_settings_that_nobody_read_is_pointed_at(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.chdir(tmp_path)
    environment.delenv("TWINTILL_STRIPE_API_KEY")
    assert not any(".env" in line for line in refusal())
    (tmp_path / ".env").write_text("TWINTILL_STRIPE_API_KEY=sk_test_123\n")
    assert refusal()[-1].startswith("only the environment is read, not ./.env")


@pytest.mark.parametrize("name", ENOUGH)
def test_what_is_missing_is_named_with_an_example(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv(name, "")
    (line,) = [line for line in refusal() if name in line]
    assert "e.g. " in line


def test_all_problems_are_told_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TWINTILL_STRIPE_API_KEY", "pk_test_4711")
    environment.setenv("TWINTILL_PORT", "-1")
    environment.delenv("TWINTILL_ENCRYPTION_KEYS")
    assert [line.split()[0] for line in refusal()] == [
        "TWINTILL_STRIPE_API_KEY",
        "TWINTILL_ENCRYPTION_KEYS",
        "TWINTILL_PORT",
    ]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("DATABASE_URL", "mysql://127.0.0.1/x"),
        ("STRIPE_API_BASE", "127.0.0.1:12111"),
        ("STRIPE_ACCOUNT_ID", "cus_1"),
        ("STRIPE_WEBHOOK_SECRETS", " , "),
        ("ENCRYPTION_KEYS", f"{KEY},c2hvcnQ="),
        ("ENCRYPTION_KEYS", "bm90IGEga2V5LCBidXQgaXQgaXMgMzIgYnl0ZXMgISE="),
        ("PUBLIC_URL", "ftp://example.com"),
        ("POLICY", '{"retry_pause": ["P1D"]}'),
        ("POLICY", '{"retry_pauses": ["soon"]}'),
        ("POLICY", "fast"),
        ("CHECKOUT_EXPIRES_AFTER_S", "5"),
        ("LOG_LEVEL", "loud"),
        ("WORKER_CONCURRENCY", "0"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(
    environment: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    environment.setenv(PREFIX + name, wrong)
    (line,) = refusal()
    assert line.startswith(f"{PREFIX}{name} is wrong (")
    assert wrong.strip(" ,") == "" or wrong not in line.partition(", e.g. ")[0]


def test_a_slip_of_the_pen_is_suspected(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("TWINTILL_STRIPE_API_KEY")
    environment.setenv("TWINTILL_STRIPE_API_KEYS", "sk_test_4711")
    assert "TWINTILL_STRIPE_API_KEYS is" in refusal()[0]


@pytest.mark.parametrize("name", ["APP_WEBHOOK_URL", "APP_WEBHOOK_SECRET"])
def test_an_app_is_told_with_a_signature_or_not_at_all(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv(PREFIX + name, "https://app.example.com")
    assert "go together" in refusal()[0]


def test_behind_a_pooler_the_worker_needs_a_way_around_it(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("TWINTILL_DATABASE_PGBOUNCER", "true")
    assert refusal()[0].startswith("TWINTILL_DATABASE_DIRECT_URL")


def test_with_a_live_key_nothing_may_be_of_a_sandbox(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TWINTILL_STRIPE_API_KEY", "rk_live_4711")
    environment.setenv("TWINTILL_STRIPE_API_BASE", "http://127.0.0.1:12111")
    assert sorted(line.split()[0] for line in refusal()) == [
        "TWINTILL_DATABASE_URL",
        "TWINTILL_PUBLIC_URL",
        "TWINTILL_SANDBOX_PROCESSOR_URL",
        "TWINTILL_STRIPE_API_BASE",
    ]


def test_a_policy_overrides_what_it_names(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TWINTILL_POLICY", '{"retry_pauses": ["P2D"]}')
    policy = read_settings().policy
    assert policy.retry_pauses == (timedelta(days=2),)
    assert policy.retry_span == timedelta(days=15)


def test_a_policy_that_breaks_a_rule_is_refused_with_the_rule(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("TWINTILL_POLICY", '{"retry_gap_min": "PT12H"}')
    assert "retry_gap_min: tries are at least a day apart" in refusal()[0]


def test_no_secret_shows_in_the_repr(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TWINTILL_DATABASE_URL", "postgresql://app:hunter2@127.0.0.1/x")
    environment.setenv("TWINTILL_APP_WEBHOOK_URL", "https://app.example.com")
    environment.setenv("TWINTILL_APP_WEBHOOK_SECRET", "whsec_app")
    shown = repr(read_settings())
    secrets = ("sk_test_4711", "whsec_one", "whsec_two", KEY, "hunter2", "whsec_app", "whsec_p")
    assert not [secret for secret in secrets if secret in shown]


def test_the_example_names_every_setting_and_no_other() -> None:
    ours, _, _ = EXAMPLE.read_text().partition("# --- Only docker-compose.yml")
    named = re.findall(r"^#?(TWINTILL_\w+)=", ours, re.MULTILINE)
    theirs = [p.settings.prefix + f.upper() for p in OURS for f in p.settings.model_fields]
    assert sorted(named) == sorted([variable_of(f) for f in Settings.model_fields] + theirs)


def test_every_setting_has_a_meaning_and_an_example() -> None:
    fields = list(Settings.model_fields.items())
    fields += [item for plug in OURS for item in plug.settings.model_fields.items()]
    assert not [name for name, f in fields if not f.description or not f.examples]


def test_calls_to_stripe_stay_below_what_it_allows(environment: pytest.MonkeyPatch) -> None:
    assert read_settings().stripe_limits == Limits(account_per_s=20, endpoint_per_s=20)
    live = read_settings().model_copy(update={"stripe_api_key": SecretStr("rk_live_4711")})
    assert live.stripe_limits == Limits(account_per_s=80, endpoint_per_s=20)
    environment.setenv("TWINTILL_STRIPE_CALLS_PER_S", "5")
    assert read_settings().stripe_limits == Limits(account_per_s=5, endpoint_per_s=5)


def test_a_sandbox_is_called_as_fast_as_it_goes_unless_said(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("TWINTILL_STRIPE_API_BASE", "http://127.0.0.1:12111")
    assert read_settings().stripe_limits is None
    environment.setenv("TWINTILL_STRIPE_CALLS_PER_S", "50")
    assert read_settings().stripe_limits == Limits(account_per_s=50, endpoint_per_s=20)
