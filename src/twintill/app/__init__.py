"""The wiring: settings become a database, Stripe and processors; `serving` adds what web needs.

What must not start is refused here, with a sentence: a database that is not migrated or connected
as the ledger's owner, another Stripe account's database, a shifted clock with a live key.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from twintill.domain.pace import Limits
from twintill.errors import SettingsError, StripeError, StripeForbidden
from twintill.flows.endpoints import App
from twintill.flows.means import Means
from twintill.flows.outbound import Outbound
from twintill.ids import Scope
from twintill.processors import Processor
from twintill.settings import Settings
from twintill.store import accounts, clock, schema
from twintill.store.database import open_database
from twintill.store.migrations import revisions
from twintill.store.pace import SharedBudget
from twintill.store.vault import Vault
from twintill.stripe_billing.gateway import open_gateway
from twintill.stripe_billing.marks import new_installation_id
from twintill.stripe_billing.pace import Pacer

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def open_means(settings: Settings, *, pool_size: int = 10) -> AsyncIterator[Means]:
    """Everything that flows need, checked; closed at the end. Raises SettingsError."""
    async with contextlib.AsyncExitStack() as closing:
        database = open_settings_database(settings, pool_size)
        closing.push_async_callback(database.dispose)
        scope, installation_id = await identify(settings, database)
        pacer = open_pacer(settings, database, scope)
        closing.push_async_callback(pacer.aclose)
        stripe = open_gateway(
            settings.stripe_api_key.get_secret_value(),
            settings.stripe_api_base,
            installation_id,
            settings.livemode,
            pace=pacer,
        )
        closing.push_async_callback(stripe.aclose)
        processors: dict[str, Processor] = {}
        for plug, its_settings in settings.processors:
            processors[plug.name] = processor = plug.open(its_settings)
            closing.push_async_callback(processor.aclose)
        yield Means(
            scope=scope,
            installation_id=installation_id,
            database=database,
            stripe=stripe,
            processors=processors,
            vault=Vault(settings.vault_keys),
            policy=settings.policy,
            public_url=settings.public_url,
            tells_app=True,
            checkout_expires_after=timedelta(seconds=settings.checkout_expires_after_s),
            stripe_reads_per_day=settings.stripe_reads_per_day,
            outbound=Outbound(allow_loopback=settings.app_webhook_loopback),
        )


def app_to_tell(settings: Settings) -> App | None:
    """The user's app, where the settings say of one."""
    if settings.app_webhook_url is None or settings.app_webhook_secret is None:
        return None
    return App(settings.app_webhook_url, settings.app_webhook_secret.get_secret_value())


async def scope_of(settings: Settings, database: AsyncEngine) -> Scope:
    """Whose database it is; Stripe is only asked before the first start."""
    known = await _check_database(settings, database)
    if known is not None:
        return Scope(known, settings.livemode)
    scope, _ = await identify(settings, database)
    return scope


async def identify(settings: Settings, database: AsyncEngine) -> tuple[Scope, str]:
    """Whose money this is: the key's account, which must also be the database's.

    At the first start the database takes it, and an id of this installation.
    """
    known = await _check_database(settings, database)
    scope = Scope(await _account(settings, known), settings.livemode)
    if known not in (None, scope.stripe_account_id):
        raise SettingsError(
            f"This database belongs to the Stripe account {known}, but the key is of "
            f"{scope.stripe_account_id}: use that account's own database, or the other key."
        )
    async with database.begin() as db:
        return scope, await accounts.installation_of(db, scope, new_installation_id())


async def _check_database(settings: Settings, database: AsyncEngine) -> str | None:
    """Which account it belongs to so far."""
    try:
        async with database.connect() as db:
            await _refuse_unfit(settings, db)
            return await accounts.account_of(db, livemode=settings.livemode)
    except (OSError, SQLAlchemyError) as error:
        raise SettingsError(
            f"TWINTILL_DATABASE_URL: the database cannot be used ({_first_line(error)})."
        ) from error


async def _refuse_unfit(settings: Settings, db: AsyncConnection) -> None:
    if await schema.is_behind(db, revisions()):
        raise SettingsError("The database lacks migrations: run `twintill migrate` first.")
    if await schema.may_rewrite_the_ledger(db):
        raise SettingsError(
            "TWINTILL_DATABASE_URL connects as the owner of the ledger, who could rewrite it: "
            "connect as a member of twintill_runtime, e.g. "
            "postgresql://twintill_app:secret@127.0.0.1:5432/twintill"
        )
    if settings.livemode and await clock.shift(db):
        raise SettingsError(
            "This database's clock was moved by a sandbox; with a live key that is refused. "
            "Use a database of its own for live mode."
        )


async def _account(settings: Settings, known: str | None) -> str:
    expected = settings.stripe_account_id
    asked = await _ask_stripe(settings)
    if asked is not None and expected not in (None, asked):
        raise SettingsError(
            f"TWINTILL_STRIPE_ACCOUNT_ID is {expected}, but the key is of {asked}: one is wrong."
        )
    account_id = asked or expected or known
    if account_id is None:
        raise SettingsError(
            "Stripe does not answer, and this database does not know its account yet: try again, "
            "or set TWINTILL_STRIPE_ACCOUNT_ID, e.g. acct_1Nexample"
        )
    return account_id


async def _ask_stripe(settings: Settings) -> str | None:
    """The key's account; None when Stripe does not answer: web and worker start without it."""
    key = settings.stripe_api_key.get_secret_value()
    nobody = new_installation_id()  # nothing is written through this one
    gateway = open_gateway(key, settings.stripe_api_base, nobody, settings.livemode)
    try:
        return await gateway.account_id()
    except StripeForbidden as error:
        if settings.stripe_account_id is None:
            raise SettingsError(
                f"TWINTILL_STRIPE_API_KEY is refused by Stripe ({error}): it is wrong, or it is "
                "restricted and may not read its account; then set TWINTILL_STRIPE_ACCOUNT_ID, "
                "e.g. acct_1Nexample"
            ) from error
    except StripeError as error:
        _log.warning("stripe_does_not_answer", error=str(error))
    finally:
        await gateway.aclose()
    return None


def open_settings_database(settings: Settings, pool_size: int = 2) -> AsyncEngine:
    if settings.database_url is None:
        raise SettingsError(
            "TWINTILL_DATABASE_URL is not set, e.g. "
            "postgresql://twintill_app:secret@127.0.0.1:5432/twintill"
        )
    return open_database(
        settings.database_url.get_secret_value(),
        pool_size=pool_size,
        pgbouncer=settings.database_pgbouncer,
    )


def open_pacer(settings: Settings, database: AsyncEngine, scope: Scope) -> Pacer:
    """This process's share of the calls to Stripe."""
    limits = settings.stripe_limits
    budget = SharedBudget(database, scope, limits or Limits(1, 1))
    return Pacer(budget, limited=limits is not None)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
