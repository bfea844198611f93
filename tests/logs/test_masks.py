"""What leaves through the process log holds no secret, in any form, and stays one line."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.config import environment_secrets
from barograph.logs import HumanFormatter, JsonFormatter, Masks

SECRET = st.text(
    st.characters(codec="utf-8", exclude_characters="*", exclude_categories=("Zs", "Zl", "Zp", "Cc")), min_size=8
)
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "address": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "json": json.dumps,
    "unicode json": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "repr": repr,
    "bytes": lambda text: repr(text.encode()),
}


def _record(msg: str, args: tuple[object, ...], context: dict[str, object], error: str) -> logging.LogRecord:
    made = logging.LogRecord("urllib3", logging.WARNING, "", 0, msg, args, (ValueError, ValueError(error), None))
    made.context = context
    return made


@given(SECRET, st.text(max_size=20), st.sampled_from(sorted(FORMS)))
def test_no_form_of_a_secret_leaves(secret: str, around: str, form: str) -> None:
    """In the message, its arguments, the context at any depth and the exception: neither the secret nor that form."""
    written = FORMS[form](secret)
    inner = written if form == "plain" else written.strip("\"'")
    text = f"{around}{written}{around}"
    record = _record(text.replace("%", "%%") + "%s", (text,), {"object": {"deep": [text]}, text: 1}, text)
    masks = Masks([secret])
    fields = json.dumps(json.loads(JsonFormatter(masks).format(record)), ensure_ascii=False)
    for shown in (fields, HumanFormatter(masks).format(record)):
        assert "***" in shown
        # What is left around the mask may hold it only where the surroundings did.
        if secret not in around and inner not in around:
            assert secret not in shown
            assert inner not in shown


@given(st.text(), st.text())
def test_a_line_is_one_line(msg: str, value: str) -> None:
    """Whatever a text holds: one line, JSON that says the text again, nothing that a terminal obeys."""
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", (msg,), None)
    record.context = {"value": value}
    line = JsonFormatter(Masks()).format(record)
    assert len(line.splitlines()) == 1
    if "=" not in msg and "://" not in msg:
        assert json.loads(line).get("msg", "") == msg
    human = HumanFormatter(Masks()).format(record)
    assert len(human.splitlines()) == 1
    assert human.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://me:pw@h/x?a=1&token=abc now", "GET https://***@h/x?a=1&token=*** now"),
        ("mongodb://u:p@a,b/meteo", "mongodb://***@a,b/meteo"),
        ("/x?X-Amz-Signature=12&b=2", "/x?X-Amz-Signature=***&b=2"),
    ],
)
def test_addresses_are_masked_whoevers_they_are(text: str, shown: str) -> None:
    """User, password and token-like parameters go without being known."""
    assert Masks().text(text) == shown


def test_overlapping_secrets_go_whole() -> None:
    """Nothing of either is left."""
    assert Masks(["34ab", "abcdefgh"]).text("1234abcdefgh") == "12***"


def test_the_environments_secrets() -> None:
    """AWS keys, the web hook, the password of the store; its user is an ordinary word."""
    found = environment_secrets(
        environ={
            "AWS_SECRET_ACCESS_KEY": "aws-secret",
            "AWS_SESSION_TOKEN": "aws-token",
            "AWS_ACCESS_KEY_ID": "aws-id",
            "BAROGRAPH_ALERT_URL": "https://hooks.example/T/1",
            "BAROGRAPH_STORE": "mongodb://barograph:p%40ss@h/meteo",
        }
    )
    assert set(found) == {"aws-secret", "aws-token", "aws-id", "https://hooks.example/T/1", "p%40ss", "p@ss"}
