"""Secrets and messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.sources.masking import mask, quote, scrub


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/data/Ichtegem_BE.xlsx", "/data/Ichtegem_BE.xlsx"),
        ("https://h/x?a=1&b=", "https://h/x?a=1&b="),
        ("https://h/x?stations[]=07015&token=abc", "https://h/x?stations[]=07015&token=***"),
        (
            "https://h/x?apiKey=a&PASSWORD=b&X-Amz-Signature=c",
            "https://h/x?apiKey=***&PASSWORD=***&X-Amz-Signature=***",
        ),
        ("https://me:pw@h:8/x#token=1", "https://***@h:8/x"),
        ("https://me@h/x", "https://***@h/x"),
        ("http://[bad?token=abc", "http://***"),
        ("http://h/x?%74oken=abc", "http://h/x?%74oken=***"),
    ],
)
def test_masked_urls(url: str, shown: str) -> None:
    """What is secret is hidden, what helps to find the fault is not."""
    assert mask(url) == shown


SECRET = st.text(alphabet="abcXYZ0189", min_size=8, max_size=20)


@given(SECRET, SECRET, st.sampled_from(["token", "apiKey", "key", "password", "access_token", "PASSKEY"]))
def test_no_secret_survives(password: str, token: str, key: str) -> None:
    """Neither the url nor a text that echoes it shows a password or a token."""
    url = f"https://user:{password}@example.org/export?station=1&{key}={token}"
    for text in (mask(url), scrub(f"you sent {url}", url), quote(f"bad {token}\nfor {password}".encode(), url)):
        assert password not in text
        assert token not in text


def test_quoted_answers_are_short_and_on_one_line() -> None:
    """A page of a server becomes the beginning of a sentence, whatever bytes it holds."""
    quoted = quote(b"Wrong\r\n ip\xff" + b" x" * 5000, "https://h/")
    assert quoted.startswith("'Wrong ip\ufffd x")
    assert len(quoted) <= 210
    assert "\n" not in quoted
