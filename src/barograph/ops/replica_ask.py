"""Asking the servers of a MongoDB URI one by one, with bounded waits, whatever state their replica set is in."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final

from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from barograph.store.mongo_errors import (
    AUTHENTICATION_FAILED,
    COMMAND_NOT_FOUND,
    Address,
    code_of,
    hopeless,
    reason_of,
    refusal,
    unusable,
)

Document = dict[str, Any]
ASKED_AT_ONCE: Final = 16
AWARE: Final[CodecOptions[Document]] = CodecOptions(tz_aware=True, tzinfo=UTC)
"""Given with each command, since a command does not take over its client's."""
AUTHENTICATION: Final = ("authMechanism", "authMechanismProperties")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to `hello`; None where it said nothing, and why."""

    hello: Document | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Seeds:
    """The servers that a URI names, and how to speak to them. `alone`: the URI wants no other server than its own."""

    address: Address
    hosts: tuple[str, ...]
    patience: float
    alone: bool
    tls: Document = field(repr=False)
    login: Document = field(repr=False)

    @classmethod
    def of(cls, url: str, patience: float) -> Seeds:
        """Of any MongoDB URI. Raises StoreError where it cannot be used."""
        try:
            said = parse_uri(url, warn=False, connect_timeout=patience)
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            # Not chained: the driver's text may quote a part of the URI, which may be the password.
            raise unusable(url, error) from None
        address = Address.of(url)
        options = said["options"]
        login = {name: options[name] for name in AUTHENTICATION if name in options}
        if said["username"] is not None:
            login |= {"username": said["username"], "password": said["password"]}
        if login:
            login["authSource"] = address.auth_source
        return cls(
            address=address,
            hosts=tuple(_name(host, port) for host, port in said["nodelist"]),
            patience=patience,
            alone=bool(options.get("directConnection") or options.get("loadBalanced")),
            tls={name: options[name] for name in options if name.lower().startswith("tls")},
            login=login,
        )

    def ask(self, hosts: Iterable[str]) -> dict[str, Answer]:
        """`hello` to each of these servers, all at once and without credentials, which it does not need."""
        names = list(dict.fromkeys(hosts))
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            return dict(zip(names, pool.map(self._hello, names), strict=True))

    def command(self, host: str, name: str) -> tuple[Document, str]:
        """A command of the database admin to one server, with credentials: its reply, or {} and why there is none.

        Raises StoreError where the server refuses the credentials.
        """
        try:
            with self._client(host, **self.login) as client:
                return client.admin.command(name, codec_options=AWARE), ""
        except PyMongoError as error:
            if code_of(error) in AUTHENTICATION_FAILED:
                raise refusal(self.address, name, error) from error
            return {}, reason_of(error)

    def _hello(self, host: str) -> Answer:
        try:
            # Who refuses is known at once; the driver would go on trying for all of its timeout.
            if not host.startswith("/"):
                socket.create_connection(_parts(host), timeout=self.patience).close()
            with self._client(host) as client:
                try:
                    return Answer(client.admin.command("hello", codec_options=AWARE))
                except OperationFailure as error:
                    if error.code != COMMAND_NOT_FOUND:
                        raise
                    return Answer(client.admin.command("isMaster", codec_options=AWARE))
                except PyMongoError as error:
                    fault = hopeless(self.address, "hello", client.topology_description)
                    return Answer(None, reason_of(error) if fault is None else f"{fault.what}, {fault.hint}")
        except PyMongoError as error:
            return Answer(None, reason_of(error))
        except OSError as error:
            return Answer(None, error.strerror or str(error))

    def _client(self, host: str, **login: Any) -> MongoClient[Document]:
        name, port = (host, None) if host.startswith("/") else _parts(host)
        milliseconds = int(self.patience * 1000)
        timeouts = dict.fromkeys(("connectTimeoutMS", "socketTimeoutMS"), milliseconds)
        # A little longer, so that the driver knows by then what went wrong.
        options: Document = {"serverSelectionTimeoutMS": milliseconds + 500, **timeouts, **self.tls, **login}
        return MongoClient(name, port, directConnection=True, retryReads=False, appname="barograph", **options)


def _name(host: str, port: int | None) -> str:
    return host if port is None else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parts(name: str) -> tuple[str, int]:
    host, _, port = name.rpartition(":")
    return host.strip("[]"), int(port)
