"""The table of settings in docs/operators.md, made from the settings classes: python -m tests.deploy.settings_table"""

import ast
import inspect
from pathlib import Path
from textwrap import dedent
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from foundation.chassis.settings import ServiceSettings
from services.incidents.settings import Settings as IncidentsSettings
from services.notifications.settings import Settings as NotificationsSettings
from services.reporting.settings import Settings as ReportingSettings
from tests.deploy.compose import ROOT

PAGE = ROOT / "docs" / "operators.md"
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->"
SERVICES: dict[str, type[ServiceSettings]] = {
    "incidents": IncidentsSettings,
    "notifications": NotificationsSettings,
    "reporting": ReportingSettings,
}
SPEAKS_FOR_ITSELF = {
    "host": "Address to listen on.",
    "port": "TCP port to listen on; 0 takes any that is free.",
    "database_url": "Where the service's own database is, `postgresql://user@host:port/name`.",
    "kafka_bootstrap_servers": "Brokers to ask first, `host:port`, separated by commas.",
    "incidents_url": "Where the other services reach incidents.",
    "notifications_url": "Where the other services reach notifications.",
    "log_level": "`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
}
"""Settings whose names say it all in the code."""


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable of a setting."""
    alias = field.validation_alias
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else name).upper()


def meanings(settings: type[ServiceSettings]) -> dict[str, str]:
    """What stands below each field of the class and of those it is made from."""
    found = dict(SPEAKS_FOR_ITSELF)
    for base in reversed(settings.__mro__):
        if issubclass(base, ServiceSettings):
            body = ast.parse(dedent(inspect.getsource(base))).body[0]
            assert isinstance(body, ast.ClassDef)
            for field, text in zip(body.body, body.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    assert isinstance(field.target, ast.Name)
                    found[field.target.id] = " ".join(ast.literal_eval(text.value).split())
    return found


def default(value: Any) -> str:
    if value == "" or isinstance(value, bool):
        return {"": "", True: "`true`", False: "`false`"}[value]
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"


def table() -> str:
    """A row a setting: those that every service has first, then each service's own."""
    head = ["| Variable | Default | Read by | Meaning |", "| --- | --- | --- | --- |"]
    common: dict[str, str] = {}
    own: dict[str, str] = {}
    for service, settings in SERVICES.items():
        said = meanings(settings)
        for name, field in settings.model_fields.items():
            row_name = variable(name, field)
            shared = name in ServiceSettings.model_fields and row_name == name.upper()
            reader = "every service" if shared else service
            row = f"| `{row_name}` | {default(field.default)} | {reader} | {said.get(name, '?')} |"
            (common if shared else own).setdefault(row_name, row)
    return "".join(f"{line}\n" for line in [*head, *common.values(), *own.values()])


def write(page: Path = PAGE) -> None:
    """Puts the table into the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    write()
