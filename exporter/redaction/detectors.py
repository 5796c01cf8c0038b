"""What secrets look like, wherever they stand.

The patterns are Rust's (linear, whatever the text), and mark what they find by a group `secret`; `before`, `key` and
`between` stand in front of it, `after` behind. What a pattern can't tell, its `judge` does.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exporter.redaction.cards import card_spans

Spans = Sequence[tuple[int, int]]
Judge = Callable[[str], Spans]


def whole(secret: str) -> Spans:
    """All of it."""
    return ((0, len(secret)),)


def _mixed(secret: str) -> Spans:
    """Keys hold digits and capitals; words-joined-by-dashes don't."""
    return whole(secret) if re.search("[0-9]", secret) and re.search("[A-Z]", secret) else ()


def _bearer(secret: str) -> Spans:
    """Anything long, or with a digit in it: prose has neither after this word."""
    return whole(secret) if len(secret) >= 24 or re.search("[0-9]", secret) else ()


def _basic(secret: str) -> Spans:
    """Base64 of user:password."""
    try:
        return whole(secret) if b":" in base64.b64decode(secret + "=" * (-len(secret) % 4), validate=True) else ()
    except (binascii.Error, ValueError):
        return ()


@dataclass(frozen=True, slots=True)
class Form:
    """A secret that is told by its own letters: where it stands does not matter."""

    name: str  # of the switch in the configuration
    reason: str
    pattern: str  # for Rust and for Python
    judge: Judge = whole
    spares: str | None = None  # names (Python regex over the last segment) whose whole values are never it


@dataclass(frozen=True, slots=True)
class Detector:
    """Secrets that are told by what stands around them."""

    name: str
    reason: str
    pattern: str
    lead: str  # in every text that has one; for Python, so without anything that could take long
    judge: Judge = whole
    by_key: bool = False  # only where the `key` group's name is secret
    spares: str | None = None


SECRET_NAMES = "<names>"  # noqa: S105 - stands for the names of the configuration; others would swallow what follows them
_KEY = rf"(?P<before>^|[^A-Za-z0-9_.-])(?P<key>[A-Za-z0-9_.-]*(?:{SECRET_NAMES})(?:\.[A-Za-z0-9_.-]*)?)"
_MASKED = r"\[redacted\]|\[hash:[0-9a-f]{32}\]"
# A list or an object: Rust's expressions don't count, so brackets in brackets are told to the third level.
_LIST = r"\[(?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\])*(?:\]|$)"
_OBJECT = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*(?:\}|$)"
_VALUE = (
    rf"""(?P<secret>{_MASKED}|{_LIST}|{_OBJECT}"""
    r"""|"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)|\\+"[^"]*|\\+'[^']*"""
    r"""|(?:(?i-u:bearer|basic|digest|token|apikey|negotiate|ssws|aws4-hmac-sha256)[ \t]+)?"""
    rf"""(?:{_MASKED}|[^\s,;&"'<>)}}\]\\]+))"""
)
_COOKIES = r"""(?P<secret>[^\s;,"'\\<>=]+=[^\s;,"'\\<>]*(?:;[ \t]*[^\s;,"'\\<>=]+(?:=[^\s;,"'\\<>]*)?)*)"""
_BASE64 = r"[A-Za-z0-9+/_-]"

FORMS = (
    # CloudTrail says with which key somebody came: the id alone opens nothing.
    Form(
        "aws",
        "aws access key",
        "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
        spares=r"(?:.*_)?(?:access_?key_?id|principal_?id)",
    ),
    Form("github", "github token", "gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"),
    Form(
        "gitlab",
        "gitlab token",
        "gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|oas)-[A-Za-z0-9_.-]{20,}|GR1348941[A-Za-z0-9_-]{20}",
    ),
    Form(
        "slack",
        "slack token",
        r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}"
        r"|hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{8,}",
    ),
    Form(
        "google",
        "google key",
        r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{16,}|GOCSPX-[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{30,}",
    ),
    Form("stripe", "stripe key", "[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}"),
    Form("azure", "azure secret", "[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,40}"),
    Form("npm", "npm token", "npm_[A-Za-z0-9]{30,}"),
    Form("pypi", "pypi token", "pypi-AgE[A-Za-z0-9_-]{20,}"),
    Form("jwt", "jwt", rf"eyJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{2,}}(?:\.{_BASE64}*){{1,3}}"),
    Form("vault", "vault token", r"hv[sbr]\.[A-Za-z0-9_-]{20,}"),
    Form("vault", "vault token", r"s\.[A-Za-z0-9]{24}", _mixed),
    Form("sendgrid", "sendgrid key", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    Form("ai", "ai key", "sk-(?:ant|proj|svcacct|admin|or|live)-[A-Za-z0-9_-]{16,}"),
    Form("ai", "ai key", "sk-[A-Za-z0-9_-]{20,}", _mixed),
    Form("ai", "ai key", "hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{40,}"),
    Form(
        "services",
        "service token",
        r"do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|dapi[0-9a-f]{32}|gl(?:sa|c)_[A-Za-z0-9_=+/]{32,}"
        r"|dckr_pat_[A-Za-z0-9_-]{20,}|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}|NRAK-[A-Z0-9]{27}|ATATT3[A-Za-z0-9_=-]{50,}"
        r"|AGE-SECRET-KEY-1[0-9A-Z]{58}|lin_api_[A-Za-z0-9]{32,}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|key-[0-9a-f]{32}"
        r"|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}|dp\.(?:pt|st|ct)\.[A-Za-z0-9.]{40,}",
    ),
)

DETECTORS = (
    Detector(
        "private_keys",
        "private key",
        r"(?P<secret>-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?s:.*?)"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|$))",
        "private key",
    ),
    Detector(
        "azure",
        "azure secret",
        rf"(?P<before>(?i-u:AccountKey|SharedAccessKey|SharedAccessSignature)=)(?P<secret>{_BASE64}{{20,}}=*)",
        "accountkey|sharedaccess",
    ),
    Detector(
        "url_passwords",
        "password in a url",
        r"""(?P<before>://[^\s/:@?#"'<>]*:)(?P<secret>[^\s/?#"'<>]+)(?P<after>@)""",
        "://",
    ),
    Detector(
        "queries",
        "secret in a query",
        r"(?P<before>[?&#;](?i-u:sig|signature|x-amz-signature|x-goog-signature|hmac|ticket|samlresponse|samlart|auth|sid)="
        r"""|[?&#](?i-u:code|key)=)(?P<secret>[^\s&#;"'<>\\]{8,})""",
        "=",
    ),
    Detector(
        "headers",
        "cookie",
        rf"""(?P<before>(?:^|[^A-Za-z0-9_])(?i-u:(?:set-)?cookie2?)\\*["']?[ \t]*[:=][ \t]*\\*["']?){_COOKIES}""",
        "cookie",
    ),
    Detector(
        "headers",
        "bearer token",
        rf"(?P<before>(?:^|[^A-Za-z0-9_])(?i-u:bearer)[ \t]+)(?P<secret>(?:{_BASE64}|[.~]){{8,}}=*)",
        "bearer",
        _bearer,
    ),
    Detector(
        "headers",
        "basic credentials",
        rf"(?P<before>(?:^|[^A-Za-z0-9_])(?i-u:basic)[ \t]+)(?P<secret>{_BASE64}{{4,}}=*)",
        "basic",
        _basic,
    ),
    Detector(
        "sql_passwords",
        "password in sql",
        r"(?P<before>(?:^|[^A-Za-z0-9_])(?i-u:password|identified[ \t\r\n]+(?:with[ \t]+[a-z0-9_']+[ \t]+)?by)"
        r"[ \t\r\n]+(?:=[ \t]*)?[Ee]?')(?P<secret>(?:[^']|'')+)",
        "password|identified",
    ),
    Detector(
        "options",
        "option",
        rf"(?P<before>(?:^|[\s\"'])--)(?P<key>[A-Za-z][A-Za-z0-9_-]+)(?P<between>[ \t]+){_VALUE}",
        "--",
        by_key=True,
    ),
    Detector(
        "options",
        "option",
        # As auditd writes commands: a1="--password" a2="hunter2"
        r"(?P<before>(?:^|\s)a[0-9]+=\"--)(?P<key>[A-Za-z][A-Za-z0-9_-]+)(?P<between>\"[ \t]+a[0-9]+=)"
        r"(?P<secret>\"[^\"]*\"?|[^\s\"]+)",
        "--",
        by_key=True,
    ),
    Detector(
        "options",
        "option",
        r"(?P<before>(?:^|[^A-Za-z0-9_])curl(?:[ \t][^|;\r\n]*?)?[ \t](?:-u|-U|--user|--proxy-user)"
        r"[ \t=]*[\"']?[^\s:\"'-][^\s:\"']*:)"
        r"(?P<secret>[^\s\"']+)",
        "curl",
    ),
    Detector(
        "assignments",
        "assignment",
        rf"""{_KEY}(?P<between>(?:\\*["'])?\]?(?:[ \t]*(?:=>|:=|[:=])[ \t]*|%3[dD])){_VALUE}""",
        ":|=|%3",
        by_key=True,
    ),
    Detector(
        "xml",
        "element",
        r"(?P<before><(?:[A-Za-z0-9_-]+:)?)(?P<key>[A-Za-z][A-Za-z0-9_.-]*)(?P<between>(?:\s[^<>]*)?>)(?P<secret>[^<>]+)",
        "<",
        by_key=True,
    ),
    Detector(
        "cards",
        "card number",
        r"(?P<before>^|[^0-9A-Za-z_.])(?P<secret>[2-6][0-9]{3}(?:[ -]?[0-9]){8,})(?P<after>$|[^0-9A-Za-z_])",
        "[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}",
        card_spans,
        spares=r"(?:.*_)?(?:ids?|uuid|time|timestamp|at|ns|nano|nanos|offset|sequence|seq|version|revision|checksum)",
    ),
)

# How most forms begin: nothing here repeats, so that it is quick in Python too.
LEADS = (
    r"gh[pousr]_|github_pat_|gl[a-z]{2,5}-|GR1348941|xox[a-z][.-]|xapp-|hooks\.slack|AIza|ya29\.|GOCSPX-|1//0"
    r"|k_(?:live|test)_|whsec_|[0-9]Q~|npm_|pypi-AgE|eyJ|hv[sbr]\.|SG\.|hf_|gsk_|xai-|do[opr]_v1_|shp(?:at|ca|pa|ss)_"
    r"|dapi[0-9a-f]{8}|gl(?:sa|c)_|dckr_pat_|NRAK-|ATATT3|AGE-SECRET|lin_api_|PMAK-|key-[0-9a-f]{8}|atlasv1|dp\.[psc]t\."
)
OTHER_LEADS = r"A[KSBC][IC]A[A-Z0-9]{9}|[0-9]:AA|s\.[A-Za-z0-9]{8}|sk-"

# What a text has to have in it before anything else is asked: single characters and literals, so that texts without
# any pass at some nanoseconds each. Names are told from values by one of the characters.
QUICK = (
    rf"""[:=<"'\\%]|--|(?:[0-9][ -]?){{12}}[0-9]|(?i-u:bearer|basic)[ \t]|A[KSBC][IC]A|s\.[A-Za-z0-9]|sk-|{LEADS}"""
    r"""|PRIVATE KEY"""
)
# Asked next, of the texts that are left: what leads to any of the above, but not a name.
CLOSER = (
    # AWS: but for what a name spares, as above; Rust's expressions can't say it in fewer words.
    r"""(?:(?:^|[^"])|(?:^|[^dD"\\: ]|(?:^|[^iI])[dD]|(?:^|[^yY_lL])[iI][dD]|(?:^|[^yY])_[iI][dD])[ :"\\]*")"""
    rf"""(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{9}}|{LEADS}|[0-9]:AA"""
    r"""|(?-u:\b)s\.[A-Za-z0-9]{24}|(?-u:\b)sk-|PRIVATE KEY|(?i-u:AccountKey|SharedAccess|cookie|password|identified)"""
    r"""|://[^\s/:@?#"'<>]*:[^\s/?#"'<>]+@|[?&#;](?i-u:sig|x-amz-sig|x-goog-sig|hmac|ticket|saml|auth|sid|code|key)"""
    r"""|(?i-u:bearer|basic)[ \t]|curl[ \t]|--[A-Za-z]|<[A-Za-z][A-Za-z0-9_.:-]*\s[^<>]*>[^<>]"""
    r"""|(?:^|[^0-9A-Za-z_.])[2-6][0-9]{3}(?:[ -]?[0-9]){8,15}(?:$|[^0-9A-Za-z_])"""
)
NAMES = frozenset(each.name for each in (*FORMS, *DETECTORS))
