"""What is wrong with a setting, as a sentence: which, why, and what it should look like."""

import difflib
import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings


def sentences(error: ValidationError, model: type[BaseSettings], prefix: str) -> list[str]:
    """One for each problem."""
    return [line for its in error.errors() for line in _sentences(its, model, prefix, os.environ)]


def meaning(field: FieldInfo) -> str:
    example = field.examples[0] if field.examples else ""
    return f"{field.description}, e.g. {example}"


def _sentences(
    error: Any, model: type[BaseSettings], prefix: str, environment: Mapping[str, str]
) -> list[str]:
    """Never the value itself: it may be a secret, pasted into the wrong variable."""
    if not error["loc"]:
        return str(error["ctx"]["error"]).split("\n")
    name = str(error["loc"][0])
    field, variable = model.model_fields[name], prefix + name.upper()
    if error["type"] == "missing":
        known = {prefix + field.upper() for field in model.model_fields}
        hint = _hint(variable, prefix, known, environment)
        return [f"{variable} is not set{hint}: {meaning(field)}"]
    why = str(error["ctx"]["error"]) if "error" in error.get("ctx", {}) else error["msg"]
    return [f"{variable} is wrong ({why}): {meaning(field)}"]


def _hint(variable: str, prefix: str, known: set[str], environment: Mapping[str, str]) -> str:
    """A misspelt variable is the likeliest reason for a missing one."""
    strangers = [v for v in environment if v.startswith(prefix) and v not in known]
    close = difflib.get_close_matches(variable, strangers, n=1, cutoff=0.85)
    return f" (but {close[0]} is: a slip of the pen?)" if close else ""
