"""The command line, as a person or a script uses it."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.command_line import OUR_OWN, afresh, twintill
from tests.postgres import Database, Databases
from tests.test_settings import ENOUGH
from twintill.settings.plugs import all_plugs


@pytest.fixture
def env(database: Database) -> dict[str, str]:
    return ENOUGH | {
        "TWINTILL_DATABASE_URL": database.url,
        "TWINTILL_MIGRATE_DATABASE_URL": database.owner_url,
        "TWINTILL_STRIPE_API_BASE": "http://127.0.0.1:9",
        "TWINTILL_STRIPE_ACCOUNT_ID": "acct_1Cli",
    }


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("serve",),
        ("worker",),
        ("migrate",),
        ("keys", "create"),
        ("sandbox", "clock"),
        ("sandbox", "gocardless"),
        ("payments", "show"),
        ("customers", "policy"),
        ("endpoints", "add"),
        ("endpoints", "recover"),
        ("events", "resend"),
        ("resolve",),
        ("verify",),
    ],
)
def test_help_teaches(command: tuple[str, ...]) -> None:
    told = twintill(*command, "--help")
    assert told.returncode == 0
    assert "Usage:" in told.stdout


def test_it_starts_by_itself() -> None:
    shown = afresh("verify", "--help")
    assert (shown.returncode, "Usage: python -m twintill verify" in shown.stdout) == (0, True)


def test_what_is_wrong_is_said_in_sentences_without_a_traceback() -> None:
    refused = afresh("serve", env={"TWINTILL_STRIPE_API_KEY": "pk_test_1"})
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert all(line.startswith("twintill: TWINTILL_") for line in refused.stderr.splitlines()[:-1])
    assert "Traceback" not in refused.stderr


def test_a_database_is_migrated_from_anywhere(databases: Databases, tmp_path: Path) -> None:
    empty = databases.create_empty()
    urls = {
        "TWINTILL_DATABASE_URL": empty.url,
        "TWINTILL_MIGRATE_DATABASE_URL": empty.owner_url,
    }
    first = twintill("migrate", env=urls, cwd=tmp_path)
    again = twintill("migrate", env=urls, cwd=tmp_path)
    created = twintill("sandbox", "clock", "show", env=urls, cwd=tmp_path)
    databases.drop(empty)
    assert [first.returncode, again.returncode, created.returncode] == [0, 0, 0], first.stderr


def test_migrating_needs_the_owner(env: dict[str, str]) -> None:
    refused = twintill("migrate", env={k: v for k, v in env.items() if "MIGRATE" not in k})
    assert refused.returncode == 2
    assert "TWINTILL_MIGRATE_DATABASE_URL" in refused.stderr


def test_a_key_is_printed_once_listed_without_its_secret_and_revoked(env: dict[str, str]) -> None:
    made = twintill("keys", "create", "--owner", "shop", "--scopes", "read,collect", env=env)
    secret = made.stdout.strip()
    assert secret.startswith("tw_test_")
    listed = twintill("keys", "list", env=env).stdout
    key_id, owner, scopes, *_ = listed.rstrip("\n").split("\t")
    assert (owner, scopes) == ("shop", "collect,read")
    assert secret not in listed
    assert twintill("keys", "revoke", key_id, env=env).returncode == 0
    assert twintill("keys", "revoke", key_id, env=env).returncode == 1
    assert twintill("keys", "create", "--owner", "x", "--scopes", "all", env=env).returncode == 1


def test_the_sandboxs_clock_is_moved_forward_only(env: dict[str, str]) -> None:
    before = twintill("sandbox", "clock", "show", env=env).stdout
    after = twintill("sandbox", "clock", "advance", "400d", env=env).stdout
    assert int(after[:4]) == int(before[:4]) + 1
    assert twintill("sandbox", "clock", "advance", "a month", env=env).returncode == 1


@pytest.fixture
def server(env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    command = [sys.executable, "-m", "twintill", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=OUR_OWN | env, stderr=subprocess.PIPE)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def test_the_web_process_serves_and_ends_when_asked(
    server: tuple[subprocess.Popen[bytes], str],
) -> None:
    process, url = server
    assert answer_of(f"{url}/readyz", process).status_code == 200
    process.send_signal(signal.SIGTERM)
    _, logs = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b'"path": "/readyz"' in logs
    assert b"Traceback" not in logs


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer_of(url: str, process: subprocess.Popen[bytes]) -> httpx.Response:
    while process.poll() is None:
        try:
            return httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(process.communicate()[1].decode())


def test_the_books_of_an_empty_database_break_no_rule(env: dict[str, str]) -> None:
    told = twintill("verify", env=env)
    assert told.returncode == 0, told.stderr
    assert "BROKEN" not in told.stdout
    told = json.loads(twintill("verify", "--json", env=env).stdout)
    assert (told["ok"], told["payments"], told["remote"]) == (True, 0, None)
    assert {check["broken"] for check in told["checks"]} == {0}


def test_what_cannot_be_compared_to_the_end_says_so(env: dict[str, str]) -> None:
    told = twintill("verify", "--remote", "--since", "7d", "--json", env=env)
    assert told.returncode == 2, told.stderr
    remote = json.loads(told.stdout)["remote"]
    assert (remote["complete"], remote["stopped"].startswith("Stripe: ")) == (False, True)
    wrong = twintill("verify", "--remote", "--since", "yesterday", env=env)
    assert (wrong.returncode, "neither a day nor an age" in wrong.stderr) == (2, True)


def test_what_is_not_there_cannot_be_put_back_to_work(env: dict[str, str]) -> None:
    told = twintill("unpark", "pay_unknown", "--why", "seen to", env=env)
    assert told.returncode == 1
    assert "No such payment: pay_unknown" in told.stderr
    told = twintill("operations", "replay", "op_unknown", env=env)
    assert (told.returncode, "is parked: op_unknown" in told.stderr) == (1, True)
    assert twintill("operations", "parked", env=env).stdout == ""


def test_the_duties_are_listed_and_one_can_be_asked_for(env: dict[str, str]) -> None:
    assert twintill("duties", env=env).stdout == ""  # no worker has started yet
    unknown = twintill("duties", "run", "dance", env=env)
    assert (unknown.returncode, unknown.stderr) == (1, "twintill: No such duty: dance\n")


def test_what_is_not_there_cannot_be_resolved_or_shown(env: dict[str, str]) -> None:
    told = twintill("resolve", "pay_unknown", "--not-charged", "--why", "looked", env=env)
    assert (told.returncode, "No such payment" in told.stderr) == (1, True)
    both = twintill("resolve", "pay_x", "--charged", "ch_1", "--not-charged", "--why", "x", env=env)
    assert (both.returncode, "either --charged" in both.stderr) == (2, True)
    gone = twintill(
        "resolve", "pay_x", "--not-charged", "--why", "x", "--evidence", "nowhere.csv", env=env
    )
    assert (gone.returncode, "nowhere.csv" in gone.stderr) == (2, True)
    assert twintill("payments", "show", "in_unknown", env=env).returncode == 1
    assert twintill("payments", "parked", env=env).stdout == ""


def test_a_processor_that_nobody_uses_cannot_be_paused_by_a_slip(env: dict[str, str]) -> None:
    refused = twintill("pause", "sandbx", "--why", "a slip of the hand", env=env)
    assert refused.returncode == 1
    assert "'sandbx'" in refused.stderr
    assert twintill("resume", "sandbox", "--why", "it is not paused", env=env).returncode == 1
    listed = twintill("brakes", env=env)
    assert (listed.returncode, listed.stdout) == (0, "")


def test_recovering_without_stripe_ends_with_a_sentence_and_charging_paused(
    env: dict[str, str],
) -> None:
    env |= {
        "TWINTILL_SANDBOX_PROCESSOR_URL": "http://127.0.0.1:9",
        "TWINTILL_SANDBOX_PROCESSOR_API_KEY": "sandbox_key_1",
        "TWINTILL_SANDBOX_PROCESSOR_WEBHOOK_SECRETS": "whsec_1",
    }
    told = twintill("recover", env=env)
    assert (told.returncode, told.stdout) == (1, "Charging is paused: sandbox.\n")
    assert "Traceback" not in told.stderr
    assert twintill("brakes", env=env).stdout.startswith("paused\tsandbox\t")


def test_a_customers_own_policy_is_set_shown_and_cleared(
    env: dict[str, str], database: Database
) -> None:
    policy = ("customers", "policy", "cus_1")
    asyncio.run(_add_customer(database.url, "cus_1"))
    own = ("--set", "retry_pauses=P2D,P4D", "--set", "exhausted=mark_uncollectible")
    assert 'retry_pauses\t["P2D", "P4D"]\town' in twintill(*policy, *own, env=env).stdout
    refused = twintill(*policy, "--set", "retry_gap_min=PT1H", env=env)
    assert (refused.returncode, "at least a day apart" in refused.stderr) == (1, True)
    assert "own" not in twintill(*policy, "--clear", env=env).stdout


async def _add_customer(url: str, customer_id: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO customers (stripe_account_id, livemode, customer_id, created_at) "
        "VALUES ('acct_1Cli', false, $1, now())",
        customer_id,
    )
    await connection.close()


def test_endpoints_of_the_app_are_managed(env: dict[str, str]) -> None:
    here = env | {"TWINTILL_APP_WEBHOOK_LOOPBACK": "true"}
    added = twintill("endpoints", "add", "http://127.0.0.1:9/hook", env=here)
    assert added.stdout.startswith("whsec_"), added.stderr
    listed = twintill("endpoints", "list", env=env).stdout
    endpoint_id, status, url, events, *_ = listed.rstrip("\n").split("\t")
    assert (status, url, events) == ("enabled", "http://127.0.0.1:9/hook", "*")
    assert twintill("endpoints", "disable", endpoint_id, env=env).returncode == 0
    assert "payment.in_dunning" in twintill("events", "types").stdout


def test_rules_for_drafts_are_kept_listed_and_removed(env: dict[str, str]) -> None:
    rules = ("drafts", "rules")
    slip = twintill(*rules, "add", "--from-amount", "10EUR", "--item", "5USD Setup", env=env)
    assert "one currency: not EUR and USD" in slip.stderr.replace("\n", " ")
    added = twintill(*rules, "add", "--from-amount", "40EUR", "--item", "-5EUR Sorry", env=env)
    assert added.stdout.startswith("drl_"), added.stderr
    listed = twintill(*rules, "list", env=env).stdout
    rule_id, version, on, _, _, when, then, *_ = listed.rstrip("\n").split("\t")
    assert (rule_id, version, on) == (added.stdout.strip(), "1", "on")
    assert (when, then) == ("from 40.00 EUR", "hold")
    assert twintill(*rules, "remove", rule_id, env=env).returncode == 0
    assert twintill(*rules, "list", env=env).stdout == ""
    assert twintill("drafts", "list", env=env).stdout == ""


@pytest.mark.parametrize("name", ["processor", "paypal", "gocardless"])
def test_a_stand_in_prints_the_settings_to_use_it_with(name: str, tmp_path: Path) -> None:
    more = ["--root-file", "root.pem"] if name == "paypal" else []
    command = [sys.executable, "-m", "twintill", "sandbox", name, "--port", "0", *more]
    with subprocess.Popen(
        command,
        env=OUR_OWN,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as stand_in:
        assert stand_in.stderr
        assert stand_in.stderr.readline().startswith("listening on http://")
        stand_in.terminate()
        printed = dict(line.split("=", 1) for line in stand_in.communicate()[0].splitlines())
    (plug,) = (one for one in all_plugs() if one.name in (name, "sandbox" * (name == "processor")))
    prefix = plug.settings.prefix
    given = {key.removeprefix(prefix).lower(): value for key, value in printed.items()}
    given[next(key for key in given if key.endswith("url"))] = "http://127.0.0.1:12112"
    plug.open(plug.settings.model_validate(given))  # it would raise SettingsError
