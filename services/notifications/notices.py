"""What is wrong, in words for whoever is on duty. Nothing is silent: each page hears it with every tick."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from foundation.chassis.database import Database
from services.notifications.settings import Settings
from services.notifications.store import reading

UNRELAYED_AFTER = timedelta(seconds=10)
"""Events that Kafka does not have after so long are worth a word."""

HEARD = "SELECT at FROM heard WHERE area = $1"
OLDEST_UNRELAYED = """
SELECT min(l.time) FROM relay_cursor c
JOIN ledger l ON l.topic = c.topic AND l.area = c.area AND l.sequence = c.sequence + 1 WHERE c.area = $1
"""


@dataclass(frozen=True, slots=True)
class Notices:
    """``trouble`` concerns everyone; ``desk`` is for whoever sees the whole area, as is ``held_old``."""

    trouble: tuple[str, ...] = ()
    desk: tuple[str, ...] = ()
    held_old: int = 0


QUIET = Notices()


async def look(database: Database, area: str, since: datetime, now: datetime, settings: Settings) -> Notices:
    """What is wrong in an area as of ``now``; whichever process does the work, its traces are in the database.

    ``since``: when this process began. What happened before may be put right at this very moment.
    """
    async with database.pool.acquire(timeout=5) as connection:
        heard_at: datetime | None = await connection.fetchval(HEARD, area)
        unrelayed_at: datetime | None = await connection.fetchval(OLDEST_UNRELAYED, area)
    held = await reading.held(database, area)
    trouble = []
    if now - max(heard_at or since, since) > timedelta(seconds=settings.silent_feed_s):
        trouble.append("Chưa nghe được dịch vụ tiếp nhận tín hiệu: tin mới có thể đến chậm.")
    if unrelayed_at is not None and now - max(unrelayed_at, since) > UNRELAYED_AFTER:
        trouble.append("Kafka tạm ngừng: việc đã làm trên màn hình này chưa tới các dịch vụ khác.")
    desk = []
    if held.get("no_unit"):
        desk.append(f"{held['no_unit']} vụ việc chưa có đơn vị nào nhận: hãy kiểm tra danh sách đơn vị.")
    if held.get("stood_down"):
        desk.append(f"{held['stood_down']} vụ việc có tín hiệu mới sau khi mọi đơn vị đã kết thúc.")
    return Notices(tuple(trouble), tuple(desk), held.get("older_than_24h", 0))
