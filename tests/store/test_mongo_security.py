"""Errors of credentials, rights and certificates in words, each taken from a real server that insists on them."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure

from barograph.errors import StoreError, StoreUnavailable
from barograph.store import open_store
from barograph.store.base import LogQuery, Store
from barograph.store.mongo_errors import Address, refusal
from barograph.store.tls_probe import speaks_tls
from tests.support.certificates import Authority
from tests.support.days import day_of
from tests.support.replica_set import ReplicaSet, free_port
from tests.support.secure_server import PASSWORD, SecureServer

PATIENCE = 30.0


@pytest.fixture
def server(secure_server: SecureServer) -> SecureServer:
    """The server with somebody who may write meteo, somebody who may read it, and somebody who is from elsewhere."""
    secure_server.add_user("writer", ("readWrite", "meteo"))
    secure_server.add_user("reader", ("read", "meteo"))
    secure_server.add_user("stranger", ("readWrite", "elsewhere"))
    return secure_server


def read(store: Store) -> object:
    return store.stations()


def write(store: Store) -> object:
    return store.save_days([day_of(temperature=[1.0])])


def refused(url: str, use: Callable[[Store], object] = read) -> StoreError:
    """The error: final, at once, in one line with a hint, without the password."""
    url += "&serverSelectionTimeoutMS=500"
    begun = time.monotonic()
    with pytest.raises(StoreError) as caught, closing(open_store(url, patience=PATIENCE)) as store:
        use(store)
    error = caught.value
    assert not isinstance(error, StoreUnavailable)
    assert time.monotonic() - begun < PATIENCE
    assert "\n" not in str(error)
    assert error.hint
    assert PASSWORD not in f"{error}{error.__cause__!r}"
    assert "s3cret" not in str(error)
    return error


def test_the_good_ones_are_let_in(server: SecureServer) -> None:
    """What the others are measured by: TLS with the right authority, the right password, the right database."""
    with closing(open_store(server.uri("writer"), patience=PATIENCE)) as store:
        write(store)
    with closing(open_store(server.uri("reader"), patience=PATIENCE)) as store:
        assert store.logs(LogQuery()) == []


def test_wrong_password(server: SecureServer) -> None:
    """Says where the user is looked up, since a user of another database looks the same to the server."""
    error = refused(server.uri("writer", password="nope"))
    assert error.what.startswith("authentication failed (")
    assert error.hint.endswith("looked up in the database admin")
    error = refused(server.uri("writer", authSource=None))
    assert error.hint.endswith("looked up in the database meteo")


def test_no_user(server: SecureServer) -> None:
    """A URI without a user, to a server that wants one."""
    error = refused(server.uri(None))
    assert error.what.startswith("the server asks for a user (list stations: ")
    assert "BAROGRAPH_STORE" in error.hint


@pytest.mark.parametrize(("use", "role"), [(read, "read"), (write, "readWrite")])
def test_a_user_of_another_database(server: SecureServer, use: Callable[[Store], object], role: str) -> None:
    """Names the command, the database and the role, and that the URI's path may be what is wrong."""
    error = refused(server.uri("stranger"), use)
    assert re.match(r"this user is not allowed to do that \(.*: not authorized on meteo", error.what)
    assert error.hint.startswith(f"grant it {role} ")
    assert "on meteo, or name its own database in the URI's path" in error.hint


def test_a_user_who_may_only_read(server: SecureServer) -> None:
    """Reading goes well; the first write says what is missing."""
    with closing(open_store(server.uri("writer"), patience=PATIENCE)) as store:
        write(store)
    error = refused(server.uri("reader"), write)
    assert error.what.endswith("(save days: not authorized on meteo.reports to execute insert)")
    assert error.hint.startswith("grant it readWrite ")


@pytest.mark.parametrize("option", ["tlsCAFile", "tlsCertificateKeyFile"])
def test_a_file_that_is_not_there(server: SecureServer, option: str) -> None:
    """Names the option and the file, before anything is connected to."""
    error = refused(server.uri("writer", **{option: "/nowhere/some.pem"}))
    assert error.what == f"{option} /nowhere/some.pem cannot be read: No such file or directory"
    error = refused(server.uri("writer", **{option: str(server.folder)}))
    assert error.what == f"{option} {server.folder} cannot be read: Is a directory"


@pytest.mark.parametrize("option", ["tlsCAFile", "tlsCertificateKeyFile"])
def test_a_file_that_holds_no_certificate(server: SecureServer, tmp_path: Path, option: str) -> None:
    """Something else than PEM."""
    junk = tmp_path / "junk.pem"
    junk.write_text("junk", encoding="utf-8")
    error = refused(server.uri("writer", **{option: str(junk)}))
    assert error.what.startswith("the URI's certificates cannot be used: ")
    assert "PEM" in error.hint


def test_a_server_that_wants_tls(server: SecureServer) -> None:
    """Without tls=true it just hangs up; that it speaks TLS is found out and said."""
    error = refused(server.uri("writer", tls=None, tlsCAFile=None))
    assert error.what.startswith("the server accepts only TLS connections (")
    assert "tls=true" in error.hint


def test_a_server_without_tls(replica_set: ReplicaSet) -> None:
    """tls=true to a server that does not speak it."""
    error = refused(replica_set.uri_of("meteo") + "&tls=true")
    assert error.what.startswith("the server does not speak TLS (")
    assert "leave tls=true" in error.hint


def test_an_authority_that_is_not_known(server: SecureServer, tmp_path: Path) -> None:
    """None named, or the wrong one."""
    for file in (None, str(Authority(tmp_path, "other").ca_file)):
        error = refused(server.uri("writer", tlsCAFile=file))
        assert error.what.startswith("the server's certificate is not trusted (")
        assert "CERTIFICATE_VERIFY_FAILED" in error.what
        assert "tlsCAFile=" in error.hint


def test_a_name_that_the_certificate_does_not_hold(server: SecureServer) -> None:
    """The server listens on 127.0.0.1, which its certificate names; asked by another name it is not trusted."""
    uri = (
        server.uri("writer")
        .replace("127.0.0.1", "ip6-loopback.test")
        .replace("replicaSet=barograph", "directConnection=true")
    )
    with pytest.MonkeyPatch.context() as patch:
        real = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", lambda _, *more, **named: real("127.0.0.1", *more, **named))
        error = refused(uri)
    assert error.what.startswith("the server's certificate is not trusted (")
    assert error.hint == "connect by a name that the certificate holds"


@pytest.mark.parametrize("mechanism", ["SCRAM", "X509"])
def test_a_client_certificate_that_has_expired(server: SecureServer, mechanism: str) -> None:
    """mongod closes the connection without a word; what is left to be said is said, with the command that shows it."""
    expired = str(server.authority.issue("expired", "clients", expired=True))
    if mechanism == "SCRAM":
        error = refused(server.uri("writer", tlsCertificateKeyFile=expired))
    else:
        x509 = {"authMechanism": "MONGODB-X509", "authSource": "$external"}
        error = refused(server.uri(None, tlsCertificateKeyFile=expired, **x509))
    assert error.what.startswith("the server refuses the client's certificate (")
    assert error.hint.startswith("has it expired? openssl x509 ")
    assert expired in error.hint


def test_a_client_certificate_of_nobody(server: SecureServer) -> None:
    """X.509 with a subject that is no user: names the subject."""
    good = str(server.authority.issue("nobody", "clients"))
    error = refused(server.uri(None, tlsCertificateKeyFile=good, authMechanism="MONGODB-X509", authSource="$external"))
    assert error.what.startswith('authentication failed (list stations: Could not find user "CN=nobody,O=clients"')
    assert "$external" in error.hint


def test_credentials_that_expire_meanwhile(server: SecureServer) -> None:
    """ReauthenticationRequired (391), also after the driver has logged in once more."""
    with server.replica_set.failing(0, ["find"], errorCode=391):
        error = refused(server.uri("writer"))
    assert error.what.startswith("the credentials have expired (list stations: ")
    assert error.hint.startswith("get new ones")


def test_aws_credentials(server: SecureServer) -> None:
    """Without pymongo's extra it is said what to install; a token that has expired is refused like a wrong password."""
    uri = server.uri("key", authMechanism="MONGODB-AWS", authSource="$external")
    assert "pip install 'pymongo[aws]'" in refused(uri).what
    expired = OperationFailure(
        "Authentication failed.", 18, {"ok": 0.0, "errmsg": "Authentication failed.", "code": 18}
    )
    error = refusal(Address.of(uri), "list stations", expired)
    assert error.what == "authentication failed (list stations: Authentication failed.)"
    assert "temporary ones expire" in error.hint


def test_a_server_that_hangs_up_is_waited_for() -> None:
    """Connections that are closed at once, by something that does not speak TLS, are no reason to give up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stopped = threading.Event()

        def hang_up() -> None:
            listening.settimeout(0.1)
            while not stopped.is_set():
                try:
                    listening.accept()[0].close()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            url = f"mongodb://127.0.0.1:{listening.getsockname()[1]}/meteo"
            with (
                closing(open_store(url, patience=1)) as store,
                pytest.raises(StoreUnavailable, match=r"connection closed|reset by peer"),
            ):
                store.stations()
        finally:
            stopped.set()
            thread.join()


def test_who_speaks_tls(server: SecureServer, replica_set: ReplicaSet) -> None:
    """Yes, no, and nobody there."""
    assert speaks_tls("127.0.0.1", server.replica_set.members[0].port) is True
    assert speaks_tls("127.0.0.1", replica_set.members[0].port) is False
    assert speaks_tls("127.0.0.1", free_port()) is None


@pytest.mark.parametrize(
    ("url", "tls", "auth_source", "set_name"),
    [
        ("mongodb://h/", False, "admin", None),
        ("mongodb://u:p@h1,h2:1/db?replicaSet=rs0&tls=true", True, "db", "rs0"),
        ("mongodb://u:p%2F%40@h/db.c?ssl=true;authSource=a", True, "a", None),
        ("mongodb://h/?tlsCAFile=%2Fca.pem", True, "admin", None),
        ("mongodb+srv://u:p@h/db", True, "db", None),
        ("mongodb+srv://h/?tls=false", False, "admin", None),
        ("mongodb://h/?authMechanism=mongodb-x509", False, "$external", None),
    ],
)
def test_what_a_uri_says(url: str, tls: bool, auth_source: str, set_name: str | None) -> None:
    """As the driver understands it."""
    address = Address.of(url)
    assert (address.tls, address.auth_source, address.set_name) == (tls, auth_source, set_name)
    assert ":p" not in address.where.replace(":***", "")
