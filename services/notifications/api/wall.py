"""The wall screen: three files, from our own origin and nothing else."""

from importlib import resources

from fastapi import APIRouter, Request
from starlette.responses import FileResponse

PAGES = resources.files("services.notifications") / "pages"
FILES = {
    "/": ("wall.html", "text/html; charset=utf-8"),
    "/wall.css": ("wall.css", "text/css; charset=utf-8"),
    "/wall.js": ("wall.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def wall_router() -> APIRouter:
    """``/`` and what it needs."""
    router = APIRouter(include_in_schema=False)

    async def page(request: Request) -> FileResponse:
        name, media_type = FILES[request.url.path]
        return FileResponse(str(PAGES / name), media_type=media_type, headers=HEADERS)

    for path in FILES:
        router.add_api_route(path, page, methods=["GET", "HEAD"])
    return router
