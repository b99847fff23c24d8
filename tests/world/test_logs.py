"""An error in a service's log fails the test that caused it, unless the test names it."""

import json
import logging
from pathlib import Path

import pytest

from tests.world.logs import LogWatch, UnexpectedLines

log = logging.getLogger("services.incidents.intake")


def written(path: Path, *lines: object) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)


def failing() -> None:
    raise ConnectionError("no route")


def test_an_error_in_this_process_is_told() -> None:
    with pytest.raises(UnexpectedLines, match="batch failed"), LogWatch():
        log.error("batch failed", extra={"signal_id": "x-1"})


def test_what_is_expected_or_below_error_passes() -> None:
    with LogWatch() as watch:
        watch.expect(r"batch failed.*x-1")
        log.error("batch failed", extra={"signal_id": "x-1"})
        log.warning("kafka is away")
        log.info("started")
        assert [line.values["message"] for line in watch.lines()] == ["batch failed", "kafka is away", "started"]


def test_another_error_than_the_expected_is_told() -> None:
    def test() -> None:
        with LogWatch() as watch:
            watch.expect(r"batch failed.*x-1")
            log.error("batch failed", extra={"signal_id": "x-1"})
            log.error("batch failed", extra={"signal_id": "x-2"})

    with pytest.raises(UnexpectedLines, match=r"1 unexpected[^$]*x-2"):
        test()


def test_an_exception_is_found_by_its_text() -> None:
    with LogWatch() as watch:
        watch.expect("ConnectionError: no route", required=True)
        try:
            failing()
        except ConnectionError:
            log.exception("lost")


def test_what_is_required_and_does_not_come_is_told() -> None:
    with pytest.raises(UnexpectedLines, match="parked"), LogWatch() as watch:
        watch.expect("parked", required=True)


def test_the_test_s_own_failure_is_not_hidden_by_the_log_s() -> None:
    def test() -> None:
        with LogWatch():
            log.error("batch failed")
            failing()

    with pytest.raises(ConnectionError):
        test()


def test_replaced_handlers_are_told() -> None:
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        with pytest.raises(UnexpectedLines, match="replaced"), LogWatch():
            root.handlers[:] = before
    finally:
        root.handlers[:] = before


def test_a_file_is_heard_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "incidents.log"
    with LogWatch() as watch:
        watch.follow(path)
        assert watch.lines() == []
        written(path, {"level": "INFO", "message": "started"}, '{"level": "ERR')
        assert [line.values["message"] for line in watch.lines()] == ["started"]
        written(path, 'OR", "message": "broken"}\n')
        [error] = watch.unexpected()
        assert error.values["message"] == "broken"
        assert str(error).startswith("incidents.log: ")
        watch.expect("broken")


def test_only_what_is_added_since(tmp_path: Path) -> None:
    path = tmp_path / "incidents.log"
    written(path, {"level": "CRITICAL", "message": "of the test before"})
    with LogWatch() as watch:
        watch.follow(path, from_start=False)


def test_a_traceback_that_is_no_json_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "incidents.log"
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1\n    boom\n\nValueError: boom\n'
    watch = LogWatch()
    watch.follow(path)
    written(path, {"level": "INFO", "message": "started"}, trace[:60])
    assert watch.unexpected() == []
    written(path, trace[60:])
    with pytest.raises(UnexpectedLines, match=r"1 unexpected[^$]*ValueError: boom"):
        watch.check()


@pytest.mark.parametrize(
    "line",
    [
        "Fatal Python error: Segmentation fault\n",
        "asyncpg.exceptions.DiskFullError: full\n",
        "ImportError: x",
        'ValueError: {"level": "INFO", "message": "quoted"}\n',
        '{"level": "DREADFUL", "message": "an unknown level"}\n',
        '{"level": "INFO", "mess{"level": "ERROR", "message": "after a line that a kill cut off"}\n',
    ],
)
def test_lines_that_are_errors_in_their_own_way(tmp_path: Path, line: str) -> None:
    watch = LogWatch()
    watch.follow(tmp_path / "log")
    written(tmp_path / "log", line)
    with pytest.raises(UnexpectedLines):
        watch.check()


def test_other_plain_text_and_a_line_cut_off_by_a_kill_pass(tmp_path: Path) -> None:
    with LogWatch() as watch:
        watch.follow(tmp_path / "log")
        written(tmp_path / "log", "warming up, 0 errors\n", '{"level": "INFO", "mess')
