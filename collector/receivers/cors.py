"""Cross-origin requests: which web pages may send logs from a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence

Header = tuple[bytes, bytes]

_HEADER_NAMES = re.compile(r"[\w\-!#$%&'*+.^`|~, ]*", re.ASCII)
_PREFLIGHT_SECONDS = b"7200"  # no browser keeps an answer longer


class AllowedOrigins:
    """Origins as configured; `*` stands for any text within a part, e.g. https://*.example.com."""

    def __init__(self, patterns: Sequence[str]) -> None:
        alternatives = "|".join(re.escape(pattern.lower()).replace(r"\*", "[^/]*") for pattern in patterns)
        # "*" alone allows any origin, also those with a scheme.
        self._pattern = re.compile(".*" if "*" in patterns else alternatives) if patterns else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def allows(self, origin: str) -> bool:
        """True where the page's origin may send."""
        return self._pattern is not None and self._pattern.fullmatch(origin.lower()) is not None

    def headers(self, origin: str | None) -> tuple[Header, ...]:
        """What lets the page read the answer; nothing without configured origins."""
        if not self:
            return ()
        if origin is None or not self.allows(origin):
            return ((b"vary", b"Origin"),)
        return (
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"Retry-After"),
        )

    def preflight_headers(self, requested: str) -> tuple[Header, ...]:
        """What an allowed preflight is answered, besides `headers`; `requested` are the headers asked for."""
        # Senders put tokens and tenants in headers of any name; credentials of the browser are never allowed.
        allowed = requested if requested and _HEADER_NAMES.fullmatch(requested) else "content-type"
        return (
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", allowed.encode("ascii")),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        )
