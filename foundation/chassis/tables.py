"""Columns that the tables of all services share, as SQLModel sees them."""

from typing import Any

from sqlalchemy import Column, DateTime
from sqlmodel import Field


def instant(*, nullable: bool = False, **kwargs: Any) -> Any:
    """An instant with its time zone; ``kwargs`` are those of the column."""
    return Field(sa_column=Column(DateTime(timezone=True), nullable=nullable, **kwargs))
