"""The doors of notifications without Kafka, for whoever knocks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.notifications.api.door import Door
from tests.notifications.desk import Desk


@pytest.fixture
async def door(desk: Desk, tmp_path: Path) -> AsyncIterator[Door]:
    """The service over the database of ``desk``, with its clock."""
    async with Door(desk, tmp_path) as door:
        yield door
