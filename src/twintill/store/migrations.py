"""Migrations: where they lie, which there are, and bringing a database to the newest."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from twintill.errors import SettingsError

_PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Inside an installed package, else in the repository. Raises SettingsError."""
    for place in (_PACKAGE / "migrations", _PACKAGE.parents[1] / "migrations"):
        if (place / "env.py").exists():
            return place
    raise SettingsError("This installation lacks its migrations: install the package again.")


def revisions() -> tuple[str, ...]:
    """All that this version knows, the newest first."""
    script = ScriptDirectory.from_config(_config())
    return tuple(revision.revision for revision in script.walk_revisions())


async def migrate(owner_url: str) -> None:
    """To the newest, as the role that owns the tables; a second migrator waits for the first."""
    config = _config()
    config.attributes["url"] = owner_url
    await asyncio.to_thread(command.upgrade, config, "head")  # Alembic runs a loop of its own


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
