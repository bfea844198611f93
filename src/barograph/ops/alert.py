"""Telling somebody: a JSON message to a web hook, as Slack, Mattermost, Rocket.Chat and many others take it."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from barograph.errors import ConfigError, SourceRefused, SourceUnavailable

TIMEOUT: Final = 10.0
TRIES: Final = 3


def send(url: str, text: str, details: dict[str, Any]) -> None:
    """POST `{"text": …, **details}`; a server that is busy or silent is asked three times.

    Raises ConfigError for an address that is none, SourceUnavailable, SourceRefused for an answer other than 2xx. The
    address itself is a secret and stands in no message; its host does.
    """
    import urllib3

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("is no http(s) address", where="BAROGRAPH_ALERT_URL", hint="write the web hook's whole URL")
    retries = urllib3.Retry(
        total=TRIES - 1,
        backoff_factor=1.0,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
        redirect=0,
    )
    pool = urllib3.PoolManager(timeout=TIMEOUT, retries=retries, cert_reqs="CERT_REQUIRED")
    where = f"the web hook at {parts.hostname}"
    try:
        answer = pool.request(
            "POST", url, body=json.dumps({"text": text, **details}), headers={"Content-Type": "application/json"}
        )
    except urllib3.exceptions.HTTPError as error:
        kind = type(error.__cause__ or error).__name__
        raise SourceUnavailable(
            f"cannot be reached ({kind})", where=where, hint="the alert stands in the log"
        ) from None
    if not 200 <= answer.status < 300:
        raise SourceRefused(f"answered {answer.status}", where=where, hint="check BAROGRAPH_ALERT_URL")
