"""The wall screen in a real browser: what an officer on duty sees, hears and presses."""

import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, ViewportSize, async_playwright, expect

from tests.world.logs import LogWatch
from tests.world.world import Signal, World

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for path in map(shutil.which, PROGRAMS) if path), None)
PAGES = Path(__file__).parents[2] / "services" / "notifications" / "pages"
TELEVISION: ViewportSize = {"width": 1920, "height": 1080}
PHONE: ViewportSize = {"width": 360, "height": 740}
SILENT_STREAM = """
window.silent = true;
const ask = window.fetch;
window.fetch = (path, options) => path !== "/v1/stream" || !window.silent ? ask(path, options)
  : new Promise((_, fail) => options.signal.addEventListener("abort", fail));
"""
"""Until ``silent`` is false, the stream is a connection on which nothing ever comes."""
TOKEN = "localStorage.getItem('vong-gac-token')"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"no Chromium here, none of {', '.join(PROGRAMS)}")
expect.set_options(timeout=15_000)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium with its sound rules as on any desk: no sound before a key or a click."""
    args = ["--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield browser
        await browser.close()


@pytest.fixture
async def context(browser: Browser, world: World) -> AsyncIterator[BrowserContext]:
    """Its pages, with their streams, are closed before the world ends."""
    context = await browser.new_context(viewport=TELEVISION, reduced_motion="reduce")
    yield context
    await context.close()


@pytest.fixture
async def wall(context: BrowserContext, world: World) -> AsyncIterator[Page]:
    """The screen, signed in by a one-time link, live and quiet. Fails if the page broke a rule of its own."""
    page, broken = await context.new_page(), []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda said: broken.append(said.text) if "Content Security Policy" in said.text else None)
    await page.goto(await world.login_link())
    await state(page, "live")
    yield page
    assert not broken


async def asked(page: Page, path: str) -> Any:
    """What the service answers to the page's own token."""
    headers = f"{{ headers: {{ Authorization: 'Bearer ' + {TOKEN} }} }}"
    return await page.evaluate(f"async (path) => (await fetch(path, {headers})).json()", path)


async def alerts_of(page: Page, signal: Signal) -> list[dict[str, Any]]:
    """The alerts of a signal's incident, once one of them is on the screen."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        found: list[dict[str, Any]] = (await asked(page, f"/v1/alerts?incident_id={signal.incident_id}"))["items"]
        if found and await page.locator(f'[id="{found[0]["id"]}"]').count():
            return found
    raise AssertionError(f"no alert of incident {signal.incident_id} on the screen")


async def row_of(page: Page, signal: Signal) -> Locator:
    """The row of the incident's first alert."""
    [first, *_] = await alerts_of(page, signal)
    return page.locator(f'[id="{first["id"]}"]')


async def my_name(page: Page) -> str:
    return str((await asked(page, "/v1/session"))["name"])


def state(page: Page, name: str) -> Any:
    """Waits until the live mark says so."""
    return expect(page.locator("body")).to_have_attribute("data-state", name)


def test_the_page_stays_one_that_a_person_can_read() -> None:
    lines = [line for name in ("wall.html", "wall.css", "wall.js") for line in (PAGES / name).read_text().splitlines()]
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 120


async def test_a_quiet_screen_says_that_it_is_on_duty(wall: Page) -> None:
    await expect(wall).to_have_title("Vọng Gác – Quảng Trị")
    await expect(wall.get_by_role("heading", name="Đang trực")).to_be_visible()
    await expect(wall.locator("#live")).to_have_text("● Trực tuyến")
    for number in ("113", "114", "115"):
        await expect(wall.get_by_role("link", name=number)).to_be_in_viewport()


async def test_the_one_time_link_leaves_no_trace_in_the_address(wall: Page, world: World) -> None:
    assert wall.url == f"{world.notifications_url}/"
    await wall.reload()  # as a television that restarts at night
    await state(wall, "live")


async def test_a_break_in_appears_with_site_commune_unit_and_clock(wall: Page, world: World) -> None:
    signal = await world.post("break_in")
    row = await row_of(wall, signal)
    [alert, *_] = await alerts_of(wall, signal)
    for words in ("Khẩn", "Đột nhập", alert["site"]["name"], alert["unit"]["name"], "Chưa ai tiếp nhận"):
        await expect(row).to_contain_text(words)
    await expect(row.locator("[data-part=commune]")).to_have_text(re.compile(r"^(xã|phường|đặc khu) \S"))
    await expect(row.locator("[data-part=since]")).to_have_text(re.compile(r"^\d\d:\d\d$"))
    await expect(wall.locator("#waiting")).to_contain_text("chưa tiếp nhận")
    await expect(wall.locator("#said")).to_contain_text(alert["site"]["name"])
    await expect(wall.locator("#today")).to_contain_text("Đột nhập")
    await expect(wall.locator("#today li").first).to_contain_text("1")


async def test_a_takes_it_and_the_row_says_who(wall: Page, world: World) -> None:
    row = await row_of(wall, await world.post("break_in"))
    await expect(row.get_by_role("button", name="Tiếp nhận").locator("kbd")).to_have_text("A")
    await wall.keyboard.press("a")
    await expect(row.locator("[data-part=progress]")).to_have_text(
        re.compile(rf"^{re.escape(await my_name(wall))} tiếp nhận \d\d:\d\d:\d\d$")
    )
    await expect(wall.locator("#waiting")).to_be_hidden()
    await wall.keyboard.press("d")
    await expect(row.locator("[data-part=progress]")).to_contain_text("điều lực lượng")
    await wall.keyboard.press("s")
    await expect(row.locator("[data-part=progress]")).to_contain_text("đến nơi")
    await expect(row.get_by_role("button")).to_have_count(0)


async def test_a_key_pressed_twice_takes_one_alert(wall: Page, world: World) -> None:
    first = await row_of(wall, await world.post("theft"))
    second = await row_of(wall, await world.post("theft"))
    await wall.keyboard.press("a")
    await wall.keyboard.press("a")
    await expect(wall.locator("#waiting")).to_have_text("1 chưa tiếp nhận")
    await expect(first.or_(second).locator("kbd", has_text="A").filter(visible=True)).to_have_count(1)


async def test_the_gravest_that_waits_stands_on_top_and_a_selection_stays(wall: Page, world: World) -> None:
    theft = await row_of(wall, await world.post("theft"))
    await wall.keyboard.press("ArrowDown")
    await expect(theft).to_have_attribute("aria-current", "true")
    fire = await world.post("fire")
    await expect(wall.locator("#alerts li").first).to_contain_text("Cháy: gọi 114")
    await expect(theft).to_have_attribute("aria-current", "true")
    assert len({alert["unit"]["code"] for alert in await alerts_of(wall, fire)}) == 3
    await wall.keyboard.press("KeyA")
    await expect(theft).to_contain_text("tiếp nhận")
    await expect(wall.locator("#waiting")).to_have_text("3 chưa tiếp nhận")


async def test_who_comes_second_is_told_in_the_row(wall: Page, world: World) -> None:
    row = await row_of(wall, await world.post("break_in"))

    async def after_someone_else(route: Route) -> None:
        await route.fetch()
        await route.continue_()

    await wall.route("**/acknowledge", after_someone_else)
    await row.get_by_role("button", name="Tiếp nhận").click()
    await expect(row.locator("[data-part=note]")).to_contain_text("đã tiếp nhận")
    await expect(row.locator("[data-part=progress]")).to_contain_text(await my_name(wall))


async def test_it_sounds_until_someone_takes_it(wall: Page, world: World) -> None:
    sound = wall.locator("#sound")
    await expect(sound).to_have_attribute("data-state", "blocked")
    await expect(sound).to_contain_text("bấm phím bất kỳ")
    await wall.keyboard.press("Shift")
    await expect(sound).to_have_attribute("data-state", "on")
    await expect(sound).to_have_attribute("data-playing", "")
    await world.post("break_in")
    await expect(sound).to_have_attribute("data-playing", "2")
    await world.post("robbery")
    await expect(sound).to_have_attribute("data-playing", "1")
    await wall.keyboard.press("m")
    await expect(sound).to_have_attribute("data-playing", "")
    await expect(sound).to_contain_text("Tắt tiếng còn")
    await world.post("fire")  # whoever silenced the last one has not heard this one
    await expect(sound).to_have_attribute("data-playing", "fire")
    buttons = wall.get_by_role("button", name="Tiếp nhận")
    while left := await buttons.count():
        await buttons.first.click()
        await expect(buttons).to_have_count(left - 1)
    await expect(sound).to_have_attribute("data-playing", "")


async def test_a_second_detector_is_marked_and_so_is_what_comes_late(wall: Page, world: World) -> None:
    first = await world.post("break_in", zone="cửa trước")
    row = await row_of(wall, first)
    await world.post("break_in", zone="kho", device=first.device)
    await expect(row).to_contain_text("Báo lại lần 2")
    late = await world.post("theft", at=world.clock.now() - timedelta(minutes=20))
    await expect(await row_of(wall, late)).to_contain_text("Báo muộn")
    await expect((await row_of(wall, late)).locator("[data-part=since]")).to_have_text(re.compile("^20:"))


async def test_one_window_sounds_and_the_other_says_so(wall: Page, context: BrowserContext, world: World) -> None:
    second = await context.new_page()
    await second.goto(world.notifications_url)
    await state(second, "live")
    await expect(second.locator("#sound")).to_have_text(re.compile("Tiếng ở cửa sổ khác"))
    await wall.close()
    await expect(second.locator("#sound")).not_to_have_attribute("data-state", "elsewhere")


async def test_a_lost_connection_is_shown_and_heals(wall: Page, world: World, logs: LogWatch) -> None:
    taken = await row_of(wall, await world.post("break_in"))
    await world.stop("notifications")
    await state(wall, "offline")
    await expect(wall.locator("#live")).to_contain_text(re.compile(r"Mất kết nối từ \d\d:\d\d:\d\d"))
    await expect(wall.locator("#notices")).to_contain_text("gọi 113")
    await expect(taken).to_be_visible()
    missed = await world.post("robbery")
    await world.start("notifications")
    await state(wall, "live")
    await expect(await row_of(wall, missed)).to_contain_text("Cướp")
    await expect(wall.locator("#notices")).not_to_contain_text("gọi 113")


async def test_a_silent_connection_is_stale_and_heals(wall: Page) -> None:
    await wall.clock.install()  # the page's own; the server's runs on
    await wall.add_init_script(SILENT_STREAM)
    await wall.reload()
    await state(wall, "live")  # the list is fresh
    await wall.clock.run_for(27_000)
    await state(wall, "stale")
    await expect(wall.locator("#live")).to_contain_text(re.compile(r"Mất tín hiệu từ \d\d:\d\d:\d\d"))
    await expect(wall.get_by_role("heading", name="Đang trực")).to_be_hidden()
    await wall.evaluate("silent = false")
    await wall.clock.run_for(27_000)
    await state(wall, "live")


async def test_signing_in_again_is_asked_over_the_list(wall: Page, world: World) -> None:
    row = await row_of(wall, await world.post("break_in"))
    await wall.route("**/v1/**", lambda route: route.fulfill(status=401, json={"detail": "hết hạn"}))
    await wall.keyboard.press("a")
    await state(wall, "signed-out")
    await expect(wall.locator("#sign-in")).to_contain_text("hết hạn")
    await expect(row).to_be_visible()
    await wall.locator("#token").press_sequentially("amd")  # letters in a field are no commands
    await wall.unroute("**/v1/**")
    await wall.locator("#token").fill(await world.login_link())
    await wall.get_by_role("button", name="Vào trực").click()
    await state(wall, "live")
    await expect(row).to_contain_text("Chưa ai tiếp nhận")


async def test_a_used_link_asks_for_another(context: BrowserContext, world: World) -> None:
    link, page = await world.login_link(), await context.new_page()
    await page.goto(link)
    await state(page, "live")
    await page.evaluate("localStorage.clear()")
    await page.goto("about:blank")
    await page.goto(link)
    await state(page, "signed-out")
    await expect(page.locator("#refused")).not_to_be_empty()


async def test_what_is_over_leaves_the_list_and_stays_in_the_figures(wall: Page, world: World) -> None:
    signal = await world.post("break_in")
    row = await row_of(wall, signal)
    await world.operate(signal.incident_id, "resolve", result="true")
    await expect(row).to_contain_text("kết thúc")
    world.clock.advance(seconds=61)
    await expect(row).to_be_hidden(timeout=30_000)  # the page hears the new time with the next tick
    await expect(wall.locator("#today li").first).to_contain_text("1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_whole_on_a_phone(wall: Page, world: World, scheme: Any) -> None:
    await wall.emulate_media(color_scheme=scheme)
    await wall.set_viewport_size(PHONE)
    row = await row_of(wall, await world.post("fire"))
    assert await wall.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for needed in (wall.get_by_role("link", name="114"), row.get_by_role("button", name="Tiếp nhận")):
        box = await needed.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        assert box["height"] >= 44
