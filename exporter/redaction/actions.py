"""What is put in a secret's place, and in that of e-mail and network addresses."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re

from exporter.errors import ConfigError
from exporter.redaction.keys import Verdict
from exporter.redaction.options import Redaction

REPLACEMENT = "[redacted]"
# Half of a SHA-256 is enough to tell values apart, and easier to read.
_HASH_BYTES = 16
_SHORTEST_KEY = 16
# Values that show nothing: ours, those of other programs, hashes by Vault, and flags that only say yes or no.
_MASKED = re.compile(
    r"\[redacted\]|\[hash:[0-9a-f]{32}\]|[*x•.]{3,}|[\[<(]?(?:redacted|filtered|masked|hidden|removed|sanitized)[\])>]?"
    r"|hidden_due_to_security_reasons|hmac-sha256:[0-9a-f]{64}|true|false|null|none|nil|\s*",
    re.IGNORECASE,
)
_LONGEST_MASKED = 128


def is_masked(text: str) -> bool:
    """Whether a value has nothing (more) to hide."""
    return len(text) <= _LONGEST_MASKED and bool(_MASKED.fullmatch(text))


class Actions:
    """Puts the replacements in, with the key where one is needed."""

    def __init__(self, options: Redaction, key: bytes | None) -> None:
        """Raises ConfigError where hashes are asked for without a key, or the key is too short."""
        needed = options.keyed() if options.enabled else []
        if needed and not key:
            raise ConfigError(
                f"redaction: {', '.join(needed)}: needs a key, so that nobody can try values out; "
                "set AUDITGRAF_REDACTION_KEY, e.g. to the output of: openssl rand -hex 32"
            )
        if key and len(key) < _SHORTEST_KEY:
            raise ConfigError(
                f"AUDITGRAF_REDACTION_KEY: {len(key)} characters can be guessed; "
                f"set at least {_SHORTEST_KEY}, e.g. the output of: openssl rand -hex 32"
            )
        self._key = key or b""

    def apply(self, verdict: Verdict, text: str) -> str:
        """What stands for the text; itself where it is masked already."""
        if is_masked(text):
            return text
        if verdict.action == "hash":
            return f"[hash:{self._digest('value', text)[:_HASH_BYTES].hex()}]"
        if verdict.action == "truncate" and len(text) > verdict.keep:
            return text[: verdict.keep] + REPLACEMENT
        return REPLACEMENT

    def email(self, address: str) -> str:
        """The same address for the same person, below a domain that can't exist (RFC 6761)."""
        return f"p-{self._digest('email', address.lower())[:8].hex()}@pseudonym.invalid"

    def address(self, text: str, *, truncate: bool) -> str | None:
        """A network address truncated (/24, /48) or, by the key, somewhere in fd00::/8; None where it is nobody's."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        if address.is_unspecified:
            return None
        if truncate:
            host_bits = 8 if address.version == 4 else 80
            return str(type(address)(int(address) >> host_bits << host_bits))
        return str(ipaddress.IPv6Address(b"\xfd" + self._digest("address", str(address))[:15]))

    def _digest(self, kind: str, text: str) -> bytes:
        # The kind first: an e-mail's pseudonym says nothing about the hash of the same text elsewhere.
        return hmac.digest(self._key, f"{kind}\0{text}".encode("utf-8", "surrogatepass"), hashlib.sha256)
