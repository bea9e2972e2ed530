"""Keeping secrets out of lines: by the name of a field, by their form inside of text, and by known value.

A key names a secret if it is, or its last word is, one of `SECRET_WORDS`; words end at `_ - .`, a space or before a
capital letter. So `hf_token` and `accessToken` do, `max_tokens`, `tokenizer` and `pad_token_id` do not. Numbers,
booleans and null are never masked: a count is not a secret, and a field's type must not change.
"""

from __future__ import annotations

import functools
import re
import threading
from urllib.parse import quote

MASK = "***"

#: Last words of keys that name secrets; of two-word names the words joined by `_`.
SECRET_WORDS = frozenset({
    "token", "authorization", "password", "passwd", "passphrase", "secret", "credential", "cookie", "apikey",
    "api_key", "access_key", "private_key", "secret_key",
})  # fmt: skip
#: Secrets by name in a URL's query only; elsewhere these words are ordinary.
_QUERY_WORDS = r"signature|sig|x-amz-signature|x-goog-signature"

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-. ]+")
_LABELS = (
    r"token|authorization|password|passwd|passphrase|secret|credential|cookie|(?:api|access|private|secret)[_\-. ]?key"
)
_CAMEL = r"Token|Authorization|Password|Passphrase|Secret|Credential|Cookie|(?:Api|API|Access|Private|Secret)Key"
_LABELLED = re.compile(
    rf"(?P<label>(?:(?<![A-Za-z])(?i:{_LABELS})|(?<=[a-z0-9])(?:{_CAMEL})|(?<=[?&])(?i:{_QUERY_WORDS}))"
    r"""\\?["']?\s{0,3}[=:]\s{0,3})"""
    r"(?P<value>(?:(?i:bearer|basic|digest|token|negotiate)\s+)?"
    r"""(?:b?(?:\\"(?:[^"\\]|\\{3}"|\\[^"])*\\"|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|\\?"[^"]*"|'[^']*')"""
    r"""|[^\s"'&,;)}\]]+))"""
)
#: Up to what ends a token in a header, a sentence or a literal. In `repr()` a line break before it is the letter n.
_BEARER = re.compile(r"(?i:(?:(?<![a-z0-9])|(?<=\\[nrt]))(bearer\s+))[^\s\"'\\,;)}\]<>]+")
_USER_INFO = re.compile(r"(://)[^\s/?#\"']{1,512}@")  # up to the last @: a password may have one
#: Tokens that say themselves what they are: Hugging Face, Replicate, GitHub, OpenAI-like, AWS key ids, Slack.
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_|r8_|gh[pousr]_|sk-|xox[abprs]-)[A-Za-z0-9_\-]{16,}|(?<![A-Z0-9])AKIA[0-9A-Z]{16}(?![0-9A-Z])"
)
# Words that must be there before the patterns above are tried; looking for them is several times as fast
_KNOWN_HINT = re.compile(r"hf_|r8_|gh[pousr]_|sk-|xox|akia")
_LABEL_HINT = re.compile(r"token|auth|passw|passp|secret|credential|cookie|key|sig")
_PLAIN_VALUE = re.compile(r"-?[0-9][0-9_.]*(?:[eE][+-]?[0-9]+)?|(?i:true|false|null|none|nan)|\*\*\*")

_SHORTEST_SECRET = 4
_SHORTEST_TOKEN = 20  # of those that a pattern finds in letters and digits alone
_LONGEST_KEY = 128  # only the end of a longer key is looked at
_registered: tuple[str, ...] = ()
_registry_lock = threading.Lock()


def register_secret(value: str) -> bool:
    """Mask this exact text from now on wherever it would appear in a line, also URL-quoted.

    For values that are known to be secret, such as a token read from the settings. Returns False, and registers
    nothing, for a text of fewer than 4 characters, because masking it would make every line unreadable.
    """
    global _registered
    if len(value) < _SHORTEST_SECRET:
        return False
    with _registry_lock:
        forms = {*_registered, value, quote(value, safe="")}
        _registered = tuple(sorted(forms, key=lambda form: (-len(form), form)))
    return True


def registered_secrets() -> tuple[str, ...]:
    """All registered texts; another tuple each time one is added."""
    return _registered


def forget_secrets() -> None:
    """Empty the registry of `register_secret` (for tests)."""
    global _registered
    with _registry_lock:
        _registered = ()


@functools.lru_cache(maxsize=4096)
def key_names_secret(key: str) -> bool:
    """Whether a field of this name is masked. See the module's text for the rule."""
    words = [word.lower() for word in _HUMP.split(key[-_LONGEST_KEY:]) if word]
    return bool(words) and (words[-1] in SECRET_WORDS or "_".join(words[-2:]) in SECRET_WORDS)


def mask_registered(text: str) -> str:
    """`text` with `***` instead of each registered secret."""
    for secret in _registered:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def mask_text(text: str) -> str:
    """`text` with `***` instead of what looks like a secret or is registered as one.

    Covers bearer tokens, `password=...` and `"password": "..."` pairs, headers, user info and queries of URLs, and
    tokens with well-known prefixes.
    """
    text = mask_registered(text)
    if len(text) < _SHORTEST_TOKEN and text.isalnum():
        return text
    lowered = text.lower()
    if "bearer" in lowered:
        text = _BEARER.sub(rf"\1{MASK}", text)
    if ("_" in text or "-" in text or "akia" in lowered) and _KNOWN_HINT.search(lowered):
        text = _KNOWN.sub(MASK, text)
    if ":" in text or "=" in text:
        if "://" in text:
            text = _USER_INFO.sub(rf"\1{MASK}@", text)
        if _LABEL_HINT.search(lowered):
            text = _LABELLED.sub(_mask_value, text)
    return text


def _mask_value(match: re.Match[str]) -> str:
    value = match["value"]
    if _PLAIN_VALUE.fullmatch(value):
        return match[0]
    for quoted in ('\\"', '"', "'"):
        if value.endswith(quoted) and quoted in value[:-1]:
            return f"{match['label']}{quoted}{MASK}{quoted}"
    return match["label"] + MASK
