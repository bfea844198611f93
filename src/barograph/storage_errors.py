"""What went wrong with an object store, in words: the messages of obstore and the error codes of S3.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists the codes. obstore 0.12 has no field for the
status, the code or the number of tries; they stand in its message.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from obstore import exceptions as obstore_errors


class Trouble(NamedTuple):
    """A failed call: what happened and what to do; `passing` where the same call may succeed later."""

    what: str
    hint: str
    passing: bool
    given_up: bool = False
    """Whether nothing came of several tries; a call that was tried once may be tried again at once."""


_EXPIRED: Final = ("the AWS credentials have expired", "get new ones into the environment, then run again")
_UNKNOWN: Final = ("the AWS credentials are not accepted", "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
_CODES: Final[dict[str, tuple[str, str]]] = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "InvalidToken": ("the AWS session token is not accepted", "check AWS_SESSION_TOKEN, or get new credentials"),
    "InvalidAccessKeyId": _UNKNOWN,
    "SignatureDoesNotMatch": _UNKNOWN,
    "RequestTimeTooSkewed": ("the clocks of this machine and of S3 differ too much", "set this machine's clock (NTP)"),
    "AccountProblem": ("the AWS account has a problem", "see the AWS console"),
    "AllAccessDisabled": ("the bucket is locked", "see the AWS console"),
}
"""Error code -> what and hint; all of them final."""

_ANSWERED: Final = re.compile(r"status code: (\d{3}[^:\n]*)")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_RETRIES: Final = re.compile(r"after (\d+) retries")
_TOOK: Final = re.compile(r" in ([\d.]+)(s|ms|µs)\b")
_FULL: Final = re.compile(r"os error (?:28|122)\b|StorageFull|QuotaExceeded")
_DENIED: Final = (obstore_errors.PermissionDeniedError, obstore_errors.UnauthenticatedError, PermissionError)


def explain(error: Exception, name: str) -> Trouble:
    """What an error of obstore says; `name` is that of the store in messages ("landing", "backups")."""
    text = str(error)
    found = _CODE.search(text)
    code = found[1] if found is not None else ""
    answered = _ANSWERED.search(text)
    status = answered[1].strip() if answered is not None else ""
    return _final(error, code, status, name) or _passing(text, status, code)


def _final(error: Exception, code: str, status: str, name: str) -> Trouble | None:
    if code in _CODES:
        what, hint = _CODES[code]
        return Trouble(f"{what} ({code})", hint, passing=False)
    if code == "NoSuchBucket":
        return Trouble("the bucket does not exist", f"check the {name} URL and AWS_REGION", passing=False)
    if isinstance(error, FileNotFoundError):
        return Trouble("is not there", f"check the {name} URL, the bucket and the prefix", passing=False)
    if isinstance(error, _DENIED) or status.startswith(("401", "403")):
        hint = "check the AWS credentials in the environment, or the folder's permissions"
        return Trouble(f"access denied ({code})" if code not in ("", "AccessDenied") else "access denied", hint, False)
    if "incorrectly configured region" in str(error):
        return Trouble("the bucket is in another region", "set AWS_REGION to the bucket's", passing=False)
    return None


def _passing(text: str, status: str, code: str) -> Trouble:
    if _FULL.search(text):
        return Trouble("the disk is full", "free some space, then run again", passing=True, given_up=True)
    hint = "run again when the object store answers"
    retries = _RETRIES.search(text)
    tries = int(retries[1]) + 1 if retries is not None else 1
    took = _TOOK.search(text)
    seconds = float(took[1]) * {"s": 1, "ms": 1e-3, "µs": 1e-6}[took[2]] if took is not None else 0.0
    spent = f", {tries} times in {seconds:.0f} s" if tries > 1 else ""
    # A 4xx is an answer about the request itself: obstore does not repeat it, and nor do we.
    over = tries > 1 or status.startswith("4")
    if status:
        return Trouble(f"answered {status}{f' ({code})' if code else ''}{spent}", hint, True, over)
    if "kind: Connect" in text:
        return Trouble(f"cannot be reached{spent}", hint, True, over)
    if "kind: Timeout" in text or "TimedOut" in text:
        return Trouble(f"did not answer{spent or f' within {seconds:.0f} s'}", hint, True, over)
    if "error sending request" in text or "body error" in text:
        return Trouble(f"the connection broke off{spent}", hint, True, over)
    first = text.strip().split("\n")[0][:300] or "failed without a word"
    return Trouble(first, hint, True, given_up=True)
