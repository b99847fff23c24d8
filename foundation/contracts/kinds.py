"""The kinds of incident: what they are called, who is alerted first, what the guard reads.

The kinds are data, in ``kinds.toml`` beside this file, read and checked once at import: a wrong file stops the
program at its start, with every mistake named, rather than misrouting an alarm at night.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from foundation.contracts.alerts import UnitKind

StatisticsGroup = Literal["chay_no", "trat_tu_xa_hoi", "own"]
NOT_KINDS = frozenset({"406", "BR", "FR", "TR", "YK", "BC", "OC"})
"""Panel codes of a restoral or a cancel: a signal on an incident that exists, never a kind of its own."""

MAX_RANGE = 100
CodeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,31}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
ContactId = Annotated[str, StringConstraints(pattern=r"^[0-9]{3}$")]
Sia = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class UnknownKind(ValueError):
    """No kind has this code."""


class KindsWrong(ValueError):
    """The file of kinds cannot be used; the message has one line for each mistake."""


def _expanded(codes: object) -> object:
    """``["110-112", "120"]`` as ``["110", "111", "112", "120"]``; anything else is left for the type to refuse."""
    if not isinstance(codes, list):
        return codes
    found: list[object] = []
    for code in codes:
        first, dash, last = code.partition("-") if isinstance(code, str) else ("", "", "")
        if dash and first.isdecimal() and last.isdecimal() and 0 < int(last) - int(first) < MAX_RANGE:
            found += [f"{number:03d}" for number in range(int(first), int(last) + 1)]
        else:
            found.append(code)
    return found


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of incident. Severity: 1 life in danger, 2 crime or fire in progress, 3 attention today, 4 record."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    code: CodeName
    vi: Text
    en: Text
    severity: Annotated[int, Strict(), Field(ge=1, le=4)]
    units: tuple[UnitKind, ...]
    """Who is alerted first, in this order; may be empty."""
    guard_reads_vi: Text
    guard_reads_en: Text
    statistics_group: StatisticsGroup
    after: Literal["verification"] | None = None
    """``verification``: units are alerted only once the incident is confirmed or its validation level is 2 or more."""
    window_min: Annotated[int, Strict(), Field(ge=1, le=1440)] = 45
    """Minutes in which a further alarm of the same site joins (BS 8243, EN 50131-9: 30 to 60)."""
    grace_s: Annotated[int, Strict(), Field(ge=0, le=600)] = 90
    """Seconds in which the guard may cancel it as a false alarm."""
    silent: StrictBool = False
    """Nothing about it may be seen or heard at the site."""
    drill: StrictBool = False
    """Alerts nobody; counted apart."""
    hold_min: Annotated[int, Strict(), Field(ge=0, le=60)] = 0
    """Minutes an alarm is held: it becomes an incident only if it is not restored within them."""
    contact_id: Annotated[tuple[ContactId, ...], BeforeValidator(_expanded)] = ()
    sia: tuple[Sia, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    __pydantic_config__ = ConfigDict(extra="forbid")

    source: Annotated[str, StringConstraints(min_length=1)]
    kinds: Annotated[dict[str, Kind], Field(min_length=1)]


def _mistakes(kinds: dict[str, Kind]) -> Iterator[str]:
    """What no single field can tell."""
    owners = Counter(code for kind in kinds.values() for code in (*kind.contact_id, *kind.sia))
    drill_texts = {(kind.guard_reads_vi, kind.guard_reads_en) for kind in kinds.values() if kind.drill}
    for kind in kinds.values():
        for code in (*kind.contact_id, *kind.sia):
            if owners[code] > 1:
                yield f"kinds.{kind.code}: panel code {code} is given more than once"
            if code in NOT_KINDS:
                yield f"kinds.{kind.code}: panel code {code} means a restoral or a cancel"
        if len(set(kind.units)) != len(kind.units):
            yield f"kinds.{kind.code}.units: a unit is given twice"
        if kind.drill and kind.units:
            yield f"kinds.{kind.code}.units: a drill alerts nobody"
        if kind.silent and (kind.guard_reads_vi, kind.guard_reads_en) not in drill_texts:
            yield f"kinds.{kind.code}: a silent kind must read, word for word, what a drill reads"


def parse(text: str) -> tuple[str, dict[str, Kind]]:
    """The source and the kinds by code, in the order of the TOML ``text``. Raises ``KindsWrong``."""
    try:
        raw = tomllib.loads(text)
        if isinstance(raw.get("kinds"), dict):
            raw["kinds"] = {
                code: {"code": code, **fields} if isinstance(fields, dict) else fields
                for code, fields in raw["kinds"].items()
            }
        file = TypeAdapter(_File).validate_python(raw)
    except tomllib.TOMLDecodeError as error:
        raise KindsWrong(f"not TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}, given {e['input']!r:.80}" for e in error.errors()]
        raise KindsWrong("\n".join(lines)) from error
    mistakes = [
        *(f"kinds.{code}.code: differs from its table" for code, kind in file.kinds.items() if code != kind.code),
        *_mistakes(file.kinds),
    ]
    if mistakes:
        raise KindsWrong("\n".join(mistakes))
    return file.source.strip(), file.kinds


SOURCE, KINDS = parse(Path(__file__).with_name("kinds.toml").read_text(encoding="utf-8"))


def kind(code: str) -> Kind:
    """The kind with this code. Raises ``UnknownKind``."""
    try:
        return KINDS[code]
    except KeyError:
        raise UnknownKind(f"no kind of incident has the code {code!r:.80}") from None
