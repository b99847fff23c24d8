"""Errors that a caller sees: RFC 9457 problem details with a stable type, Vietnamese and English text."""

from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from starlette.responses import Response

TYPE_PREFIX = "urn:vonggac:problem:"

TEXTS: dict[str, tuple[int, str, str]] = {
    "unauthorized": (401, "Khoá hoặc mã truy cập không hợp lệ.", "The key or token is not valid."),
    "forbidden": (403, "Không có quyền làm việc này.", "You may not do this."),
    "not-found": (404, "Không tìm thấy.", "Not found."),
    "method-not-allowed": (405, "Không dùng được cách gọi này ở đây.", "This method is not allowed here."),
    "conflict": (409, "Không làm được ở trạng thái hiện tại.", "Not possible in the present state."),
    "signal-id-used": (409, "Mã tín hiệu này đã được dùng.", "This signal id has been used."),
    "too-large": (413, "Nội dung quá lớn (tối đa 64 KiB).", "The body is too large (64 KiB at most)."),
    "unsupported-media-type": (415, "Chỉ nhận application/json, UTF-8.", "Only application/json in UTF-8."),
    "invalid": (422, "Nội dung không hợp lệ.", "The content is not valid."),
    "busy": (503, "Hệ thống đang bận, hãy gửi lại.", "The system is busy, send again."),
    "unavailable": (503, "Cơ sở dữ liệu tạm ngừng, hãy gửi lại.", "The database is away for now, send again."),
    "unexpected": (500, "Lỗi ngoài dự kiến, đã ghi nhận.", "Unexpected error; it has been recorded."),
}
RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is not valid: ``field`` is its path, such as ``position.lat``."""

    field: str
    vi: str
    en: str


@dataclass
class Problem(Exception):
    """An answer that is not what the caller hoped for. ``extra`` members appear beside the standard ones."""

    code: str
    vi: str = ""
    en: str = ""
    errors: list[FieldError] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return TEXTS[self.code][0]

    @classmethod
    def invalid(cls, field_name: str, vi: str, en: str) -> Self:
        """422 that names one field."""
        return cls("invalid", errors=[FieldError(field_name, vi, en)])

    @classmethod
    def not_found(cls, what: str) -> Self:
        return cls("not-found", extra={"what": what})

    @classmethod
    def conflict(cls, vi: str, en: str, **state: Any) -> Self:
        """409 with the present state beside it."""
        return cls("conflict", vi, en, extra=state)

    def response(self) -> Response:
        """The HTTP answer."""
        status, title, title_en = TEXTS[self.code]
        body: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": title,
            "title_en": title_en,
            "status": status,
            "detail": self.vi or title,
            "detail_en": self.en or title_en,
        }
        if self.errors:
            body["errors"] = [{"field": e.field, "detail": e.vi, "detail_en": e.en} for e in self.errors]
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(
            orjson.dumps({**body, **self.extra}), status, headers=headers, media_type="application/problem+json"
        )


class NoStream(RuntimeError):
    """The area is not one of this service's: its stream was never opened."""
