"""The PostgreSQL of Twintill's own, for whoever has set no database: data in ./.twintill/pg."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from twintill.errors import SettingsError
from twintill.sandbox import postgres
from twintill.settings import DatabaseSettings

FOLDER = Path(".twintill/pg")
AnySettings = TypeVar("AnySettings", bound=DatabaseSettings)


@contextlib.contextmanager
def with_database(settings: AnySettings) -> Iterator[AnySettings]:
    """The settings as they are, or with the addresses of the embedded one, which then runs."""
    if settings.database_url is not None:
        yield settings
        return
    with postgres.running(FOLDER, durable=True) as cluster:
        found = {
            "database_url": SecretStr(cluster.url()),
            "migrate_database_url": SecretStr(cluster.url(role=postgres.OWNER)),
        }
        yield settings.model_copy(update=found)


def owner_url(settings: DatabaseSettings) -> str:
    """Raises SettingsError when only the runtime role's address is known."""
    if settings.migrate_database_url is None:
        raise SettingsError(
            "TWINTILL_MIGRATE_DATABASE_URL is not set: this needs the role that owns the tables, "
            "e.g. postgresql://twintill_owner:secret@127.0.0.1:5432/twintill"
        )
    return settings.migrate_database_url.get_secret_value()


def runtime_url(settings: DatabaseSettings) -> str:
    """Of the settings that `with_database` gave."""
    if settings.database_url is None:
        raise SettingsError("TWINTILL_DATABASE_URL is not set.")
    return settings.database_url.get_secret_value()
