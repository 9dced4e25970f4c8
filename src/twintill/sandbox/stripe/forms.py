"""Reads Stripe's form encoding (nested brackets, with or without indexes) into typed parameters.

A route states the parameters it takes as a plain table, its *spec*:

    "str" "int" "bool" "decimal"   a scalar; an empty string stays "" (Stripe's way to clear)
    "metadata"                     a table of strings, or "" for none
    "range"                        a number, or a table of gt, gte, lt, lte
    ("a", "b")                     one of these words
    {...}                          a table with its own spec; a key ending in "!" is required
    [spec]                         a list

What the table does not name is refused: a stand-in that ignored a parameter would lie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from twintill.sandbox.stripe.refusal import Refusal, invalid

Spec = Any
_SEGMENT = re.compile(r"\[([^\[\]]*)\]")
_INTEGER = re.compile(r"-?\d{1,18}\Z")
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,12})?\Z")
_RANGE: dict[str, str] = {"gt": "int", "gte": "int", "lt": "int", "lte": "int"}
MAX_METADATA_KEYS = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 500


def decode_form(text: str) -> dict[str, Any]:
    """`a[b][0]=1` becomes {"a": {"b": {"0": "1"}}}; lists are told from tables by the spec."""
    root: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        _place(root, _path(key), value)
    return root


def read_params(spec: Mapping[str, Spec], raw: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, typed; raises a Refusal that names the first one that does not fit."""
    return _read_table(spec, raw, "")


def _path(key: str) -> list[str]:
    head, bracket, _ = key.partition("[")
    return [head, *_SEGMENT.findall(key)] if bracket else [head]


def _place(root: dict[str, Any], path: list[str], value: str) -> None:
    table = root
    for position, segment in enumerate(path[:-1]):
        name = segment or _open_index(table, path[position + 1])
        following = table.setdefault(name, {})
        if not isinstance(following, dict):
            raise invalid(f"Invalid object: {path[0]}", param=path[0])
        table = following
    table[path[-1] or str(len(table))] = value


def _open_index(table: dict[str, Any], following: str) -> str:
    """`items[][a]=1&items[][b]=2` is one element; a repeated name starts the next one."""
    if not table:
        return "0"
    last = next(reversed(table))
    element = table[last]
    if isinstance(element, dict) and following and following not in element:
        return last
    return str(len(table))


def _read_table(spec: Mapping[str, Spec], raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    required = {name[:-1] for name in spec if name.endswith("!")}
    read: dict[str, Any] = {}
    for name, value in raw.items():
        path = f"{where}[{name}]" if where else name
        inner = spec.get(name, spec.get(name + "!"))
        if inner is None:
            raise invalid(
                f"Received unknown parameter: {path} (or one that the sandbox does not implement)",
                code="parameter_unknown",
                param=path,
            )
        read[name] = _read(inner, value, path)
    for name in required:
        if read.get(name) in (None, "", [], {}):
            path = f"{where}[{name}]" if where else name
            raise invalid(f"Missing required param: {path}.", code="parameter_missing", param=path)
    return read


def _read(spec: Spec, value: Any, path: str) -> Any:
    if isinstance(spec, list):
        return _read_list(spec[0], value, path)
    if isinstance(spec, dict) or spec in ("metadata", "range"):
        return _read_hash(spec, value, path)
    if isinstance(value, dict):
        raise invalid(f"Invalid string: {path} takes one value", param=path)
    return _read_scalar(spec, value, path)


def _read_list(spec: Spec, value: Any, path: str) -> Any:
    if value == "":
        return ""
    if not isinstance(value, dict):
        raise invalid("Invalid array", param=path)
    if not all(key.isdigit() for key in value):
        raise invalid("Invalid array: its keys must be indexes", param=path)
    ordered = sorted(value.items(), key=lambda item: int(item[0]))
    return [_read(spec, element, f"{path}[{key}]") for key, element in ordered]


def _read_hash(spec: Spec, value: Any, path: str) -> Any:
    if spec == "range":
        return (
            _read_table(_RANGE, value, path)
            if isinstance(value, dict)
            else {
                "gte": _read_scalar("int", value, path),
                "lte": _read_scalar("int", value, path),
            }
        )
    if value == "":
        return ""
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=path)
    return _read_metadata(value, path) if spec == "metadata" else _read_table(spec, value, path)


def _read_metadata(value: dict[str, Any], path: str) -> dict[str, str]:
    for key, text in value.items():
        if isinstance(text, dict):
            raise invalid("Metadata values must be strings", param=f"{path}[{key}]")
        if len(key) > MAX_METADATA_KEY or len(text) > MAX_METADATA_VALUE:
            raise invalid(
                f"Metadata keys take up to {MAX_METADATA_KEY} characters, values up to "
                f"{MAX_METADATA_VALUE}.",
                param=f"{path}[{key}]",
            )
    return dict(value)


def _read_scalar(spec: Spec, value: str, path: str) -> Any:
    if value == "" or spec == "str":
        return value
    if isinstance(spec, tuple):
        if value not in spec:
            words = ", ".join(spec[:-1]) + f", or {spec[-1]}" if len(spec) > 1 else spec[0]
            raise invalid(f"Invalid {path}: must be one of {words}", param=path)
        return value
    if spec == "bool":
        if value not in ("true", "false"):
            raise invalid(f"Invalid boolean: {value}", param=path)
        return value == "true"
    return _read_number(spec, value, path)


def _read_number(spec: Spec, value: str, path: str) -> int | str:
    if spec == "int":
        if not _INTEGER.match(value):
            raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
        return int(value)
    if spec == "decimal" and _DECIMAL.match(value):
        return value
    raise Refusal(f"Invalid decimal: {value}", param=path, executed=False)
