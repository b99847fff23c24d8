"""A look, or a deliberate wound, in a service's database."""

from typing import Any

import asyncpg


async def run(url: str, statement: str, *values: object) -> list[Any]:
    """Executes one statement on a connection of its own; its rows."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()
