"""Which processors there are, and what the environment says of those that are configured.

Ours are listed here; those of others are found by their entry point.
"""

import os
from collections.abc import Iterable
from importlib.metadata import entry_points

from pydantic import ValidationError

from twintill.errors import SettingsError
from twintill.processors.gocardless.plug import PLUG as GOCARDLESS
from twintill.processors.paypal.plug import PLUG as PAYPAL
from twintill.processors.plug import ENTRY_POINTS, Plug, ProcessorSettings
from twintill.processors.sandbox.plug import PLUG as SANDBOX
from twintill.settings.sentences import sentences

OURS = (SANDBOX, PAYPAL, GOCARDLESS)


def all_plugs() -> tuple[Plug, ...]:
    """Raises SettingsError for an entry point that is no Plug, or takes a name that is taken."""
    plugs = {plug.name: plug for plug in OURS}
    for found in entry_points(group=ENTRY_POINTS):
        try:
            plug = found.load()
        except Exception as error:
            raise SettingsError(
                f"The processor {found.name!r} ({found.value}) cannot be loaded: {error!r}"
            ) from error
        if not isinstance(plug, Plug):
            raise SettingsError(f"{found.value} is no Plug of twintill.processors.plug")
        if plug.name in plugs or plug.name == "stripe":
            raise SettingsError(f"Two processors are called {plug.name!r}: {found.value} is one.")
        plugs[plug.name] = plug
    return tuple(plugs.values())


def read_configured(
    plugs: Iterable[Plug], *, livemode: bool
) -> tuple[list[tuple[Plug, ProcessorSettings]], list[str]]:
    """Those of which a variable is set, and every problem that stops the start."""
    read: list[tuple[Plug, ProcessorSettings]] = []
    problems: list[str] = []
    for plug in plugs:
        if not _is_configured(plug):
            continue
        try:
            settings = plug.settings()
        except ValidationError as error:
            problems += sentences(error, plug.settings, plug.settings.prefix)
        else:
            problems += settings.problems(livemode=livemode)
            read.append((plug, settings))
    return read, problems


def _is_configured(plug: Plug) -> bool:
    names = (plug.settings.prefix + field.upper() for field in plug.settings.model_fields)
    return any(os.environ.get(name) for name in names)
