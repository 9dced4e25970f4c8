"""Logs on standard error: JSON lines, or colours on a terminal; never a secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

# API keys of Stripe and of ours, signing secrets, and ids that open a page to whoever knows them.
_SECRET = re.compile(r"\b((?:[sr]k|tw)_(?:live|test)_|whsec_|chk_)\w{4,}")


def configure_logs(level: str) -> None:
    """For this process; what libraries log comes out the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("twintill").setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(logging.INFO)


def _rendering() -> list[structlog.typing.Processor]:
    """Without the values of variables: tokens and addresses are among them."""
    if sys.stderr.isatty():
        return [
            structlog.processors.format_exc_info,
            without_secrets,
            structlog.dev.ConsoleRenderer(),
        ]
    return [
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        without_secrets,
        structlog.processors.JSONRenderer(),
    ]


def without_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The last thing before the rendering: also exceptions have passed by now."""
    return {name: _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET.sub(r"\1…", value)
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value
