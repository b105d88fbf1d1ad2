"""The site's own table: how many GPUs a job with a model gets, by the model's name.

    {"default_requirement": 1.0, "models": {"qwen2.5-7b-inst": 1.0, "qwen2.5-3b-inst": 0.5}}

Where it has a model, it wins over the formula; `default_requirement` is for models of which nothing
is known otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

from hpcshell.core.errors import Wrong
from hpcshell.core.records import WHOLE, Record
from hpcshell.core.words import check_name, nearest, quote
from hpcshell.predict.models.names import same_name

KEYS: Final = ("default_requirement", "models")
MOST: Final = 64
"""GPUs of one job."""
MOST_MODELS: Final = 10_000
_FORM: Final = 'write {"models": {"qwen2.5-7b-inst": 1.0}}'


class SiteTable(Record, frozen=True, kw_only=True):
    """Hundredths of a GPU by name; `default` for models that nothing is known of (0: none)."""

    models: Mapping[str, int] = {}
    default: int = 0

    def of(self, name: str) -> int:
        """Hundredths for a model of that name as it stands, else of the same name in other words;
        0 where the table has neither."""
        if name in self.models:
            return self.models[name]
        same = same_name(name)
        return next((gpus for known, gpus in self.models.items() if same_name(known) == same), 0)


def read_table(text: str, origin: str) -> SiteTable:
    """The table in a JSON text. Raises `Wrong` with the key that is at fault."""
    table = _object(_parsed(text, origin), origin, "the whole file")
    for key in table:
        if key not in KEYS:
            near = nearest(key, KEYS)
            hint = f"did you mean {near}?" if near else f"there are {' and '.join(KEYS)}"
            raise Wrong(f"{origin}: {quote(key)} is no key of it", hint)
    models = _object(table.get("models", {}), origin, "models")
    if len(models) > MOST_MODELS:
        raise Wrong(f"{origin}: models: {len(models):,} are too many", f"at most {MOST_MODELS:,}")
    found = {
        check_name(name, f"{origin}: models"): _gpus(value, f"{origin}: models.{quote(name)}")
        for name, value in models.items()
    }
    default = table.get("default_requirement")
    key = f"{origin}: default_requirement"
    return SiteTable(models=found, default=0 if default is None else _gpus(default, key))


def _parsed(text: str, origin: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=Decimal
        )
    except Wrong as error:
        raise Wrong(f"{origin}: {error.message}", error.hint) from None
    except json.JSONDecodeError as error:
        where = f"{origin}, line {error.lineno}, column {error.colno}"
        raise Wrong(f"{where}: this is no JSON: {error.msg}", _FORM) from None
    except (ValueError, RecursionError):
        raise Wrong(
            f"{origin}: a number too long or tables too deep to read", "write a plain table"
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Wrong(f"{quote(key)} stands there twice", "leave one of them")
        found[key] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise Wrong(f"{word} is no number of GPUs", f"write 0.01 to {MOST}")


def _object(value: Any, origin: str, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(
            f"{origin}: {key} is {_kind(value)}, and a table is expected",
            _FORM,
        )
    return value


def _gpus(value: Any, key: str) -> int:
    """Hundredths of a number of GPUs."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Wrong(
            f"{key} is {_kind(value)}, and a number of GPUs is expected", f"write 0.01 to {MOST}"
        )
    if not 0 < value <= MOST:
        raise Wrong(f"{key}: {value:.6g} GPUs cannot be given", f"write 0.01 to {MOST}")
    hundredths = value * WHOLE
    if hundredths != int(hundredths):
        raise Wrong(f"{key}: {value:.6g} GPUs are too fine", "write steps of 0.01")
    return int(hundredths)


def _kind(value: Any) -> str:
    kinds = {dict: "a table", list: "a list", str: "text", bool: "yes or no", type(None): "null"}
    return kinds.get(type(value), "a number")
