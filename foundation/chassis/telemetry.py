"""Logs (JSON, ids only, no personal data) and background tasks that are never silent about a failure."""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable

from prometheus_client import Counter
from pythonjsonlogger.json import JsonFormatter

log = logging.getLogger(__name__)

RESTARTS = Counter("vonggac_task_restarts_total", "Background tasks started again after a failure", ["task", "error"])
RESTART_BACKOFF_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
HEALTHY_AFTER_S = 10.0
QUIET_PER_MINUTE = 20
"""Lines a minute from each library that floods the log in an outage (aiokafka: thousands)."""


class _Quiet(logging.Handler):
    """Passes on what a library logs, at most ``QUIET_PER_MINUTE`` lines a minute, and none as an error.

    An outage of a server is no error of ours: it is said by us, in our own words.
    """

    def __init__(self) -> None:
        super().__init__()
        self._minute = 0
        self._passed = 0

    def emit(self, record: logging.LogRecord) -> None:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._passed = minute, 0
        self._passed += 1
        if self._passed <= QUIET_PER_MINUTE:
            if record.levelno > logging.WARNING:
                record.levelno, record.levelname = logging.WARNING, "WARNING"
            logging.getLogger().handle(record)


def set_up_logs(service: str, level: str = "INFO") -> None:
    """One JSON object a line on standard error, with the service's name and UTC time."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        static_fields={"service": service},
        json_ensure_ascii=False,
    )
    formatter.converter = time.gmtime
    formatter.default_msec_format = "%s.%03dZ"
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    limit_library_logs()


def limit_library_logs() -> None:
    """Keeps libraries from flooding the log, and requests with their addresses out of it."""
    for name in ("aiokafka", "faststream"):
        library = logging.getLogger(name)
        library.setLevel(logging.WARNING)
        library.propagate = False
        library.handlers[:] = [_Quiet()]
    for name in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs ``work`` for ever; starts it again with backoff (0.1 to 5 s) when it ends or fails. Says so each time."""
    attempt = 0
    while True:
        started = time.monotonic()
        try:
            await work()
            error = "ended"
        except asyncio.CancelledError:
            raise
        except Exception as failure:
            error = type(failure).__name__
            log.warning("task failed", extra={"task": name, "error": error}, exc_info=True)
        attempt = 0 if time.monotonic() - started > HEALTHY_AFTER_S else attempt + 1
        RESTARTS.labels(name, error).inc()
        await asyncio.sleep(RESTART_BACKOFF_S[min(attempt, len(RESTART_BACKOFF_S) - 1)])
