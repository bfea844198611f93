"""The driver's and the server's errors: which of them pass by themselves, and all of them in words.

Each text was taken from a real server: see tests/store/test_mongo_security.py and tests/store/test_mongo.py.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
)

from barograph.errors import StoreError
from barograph.store import DEFAULT_DATABASE, redact
from barograph.store.tls_probe import speaks_tls

if TYPE_CHECKING:
    from pymongo.topology_description import TopologyDescription

# Server error codes (src/mongo/base/error_codes.yml) that a new primary or another moment cures.
TRANSIENT: Final = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        64,  # WriteConcernTimeout
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        112,  # WriteConflict
        134,  # ReadConcernMajorityNotAvailableYet
        189,  # PrimarySteppedDown
        262,  # ExceededTimeLimit
        9001,  # SocketException
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
    }
)
DUPLICATE_KEY: Final = 11000
UNAUTHORIZED: Final = 13
COMMAND_NOT_FOUND: Final = 59
AUTHENTICATION_FAILED: Final = frozenset({11, 18, 8000})
"""UserNotFound (X.509), AuthenticationFailed, Atlas's own."""

HINTS: Final[dict[int, tuple[str, str]]] = {
    20: ("the server refuses the operation", "connect to a replica set, not to a standalone server"),
    72: ("the server refuses an option", "check the options of the URI"),
    121: ("the document does not match the collection's schema", "a fault in barograph; report it"),
    391: (
        "the credentials have expired",
        "get new ones (token, certificate), and run it again",
    ),  # ReauthenticationRequired
}

HUNG_UP: Final = ("connection closed", "Connection reset by peer")
READING: Final = frozenset({"aggregate", "count", "distinct", "explain", "find", "getMore"})
RIGHTS: Final = "; the roles stand in docs/mongodb-security.md"

_REFUSED_COMMAND: Final = re.compile(
    r'not authorized on (\S+) to execute command \{ (\w+): (?:"([^"]*)")?.*', re.DOTALL
)
_TIMEOUTS: Final = re.compile(r" \(configured timeouts:[^)]*\)| \(_ssl\.c:\d+\)")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Address:
    """What a MongoDB URI says, as far as errors speak of it. `where` is the URI without its secrets."""

    where: str
    database: str
    auth_source: str
    mechanism: str
    tls: bool
    client_certificate: str | None
    set_name: str | None

    @classmethod
    def of(cls, url: str) -> Address:
        """Of a URI that the driver has accepted, so that nothing in it is ambiguous."""
        scheme, _, rest = url.partition("://")
        address, _, query = rest.partition("?")
        path = address.rpartition("@")[2].partition("/")[2]
        said = {name.lower(): value for name, value in parse_qsl(query.replace(";", "&"))}
        mechanism = said.get("authmechanism", "").upper()
        external = mechanism in ("MONGODB-X509", "MONGODB-AWS", "MONGODB-OIDC", "GSSAPI")
        database = unquote(path).partition(".")[0]
        tls = said.get("tls", said.get("ssl", str(scheme.endswith("+srv") or any("tls" in name for name in said))))
        return cls(
            where=redact(url),
            database=database or DEFAULT_DATABASE,
            auth_source=said.get("authsource", "$external" if external else database or "admin"),
            mechanism=mechanism,
            tls=tls.lower() == "true",
            client_certificate=said.get("tlscertificatekeyfile"),
            set_name=said.get("replicaset"),
        )


def is_transient(error: PyMongoError) -> bool:
    """Whether the same call may succeed in a moment."""
    if isinstance(error, BulkWriteError):
        details = error.details
        codes = {item.get("code") for item in details.get("writeErrors", [])}
        return bool(details.get("writeConcernErrors")) or bool(codes & TRANSIENT)
    if isinstance(error, OperationFailure):
        return error.code in TRANSIENT or error.has_error_label("RetryableWriteError")
    return isinstance(error, ConnectionFailure)


def code_of(error: PyMongoError) -> int | None:
    """The server's code, of a bulk that of its first error."""
    if isinstance(error, BulkWriteError):
        return next((item.get("code") for item in error.details.get("writeErrors", [])), None)
    return error.code if isinstance(error, OperationFailure) else None


def reason_of(error: BaseException) -> str:
    """The driver's text without its dump of the topology or of the reply."""
    if isinstance(error, BulkWriteError):
        errors = [*error.details.get("writeErrors", []), *error.details.get("writeConcernErrors", [])]
        text = str(errors[0].get("errmsg", error)) if errors else str(error)
    elif isinstance(error, OperationFailure) and error.details:
        text = str(error.details.get("errmsg", error))
    else:
        text = str(error).partition(", Timeout:")[0]
    if text == "operation cancelled":
        # The monitor of the connection got no answer for a heartbeat and a connect timeout, and ended the call.
        text = "the server fell silent"
    elif text.startswith("No servers found yet"):
        text = "no answer yet"
    # The server repeats the whole command, with session and cluster time.
    text = _REFUSED_COMMAND.sub(lambda found: f"not authorized on {_place(found)} to execute {found[2]}", text)
    return " ".join(_TIMEOUTS.sub("", text).split())[:_LONGEST]


def _place(refused: re.Match[str]) -> str:
    """Database and, where the command names it, collection."""
    return f"{refused[1]}.{refused[3]}" if refused[3] else refused[1]


def refusal(address: Address, what: str, error: PyMongoError, *, writing: bool = False) -> StoreError:
    """A final error of the driver or the server as ours; `what` was asked for, as a part of a write or not."""
    code = code_of(error)
    if code == UNAUTHORIZED:
        return _not_allowed(address, what, error, writing=writing)
    if code in AUTHENTICATION_FAILED:
        text = f"authentication failed ({what}: {reason_of(error)})"
        return StoreError(text, where=address.where, hint=_credentials(address))
    if (known := HINTS.get(code or 0)) is not None:
        return StoreError(f"{known[0]} ({what}: {reason_of(error)})", where=address.where, hint=known[1])
    if isinstance(error, DocumentTooLarge):
        hint = "a document may have 16 MB; report it with the object that caused it"
    elif isinstance(error, ConfigurationError):
        hint = "check the URI and its options"
    else:
        hint = "look up the server's log"
    return StoreError(f"{what} was refused: {reason_of(error)}", where=address.where, hint=hint)


def _not_allowed(address: Address, what: str, error: PyMongoError, *, writing: bool) -> StoreError:
    said = reason_of(error)
    if "requires authentication" in said:
        hint = "name a user: mongodb://user:password@… in BAROGRAPH_STORE or in a file"
        return StoreError(f"the server asks for a user ({what}: {said})", where=address.where, hint=hint)
    reads = said.rpartition(" ")[2] in READING and not writing
    role = "read (or the readers' role)" if reads else "readWrite (or the job's role)"
    hint = f"grant it {role} on {address.database}, or name its own database in the URI's path{RIGHTS}"
    return StoreError(f"this user is not allowed to do that ({what}: {said})", where=address.where, hint=hint)


def _credentials(address: Address) -> str:
    if address.mechanism == "MONGODB-AWS":
        return "check the AWS credentials; temporary ones expire"
    if address.mechanism == "MONGODB-X509":
        return "the certificate's subject must be a user of the database $external"
    return f"check user and password, and authSource: the user is looked up in the database {address.auth_source}"


def unusable(url: str, error: Exception) -> StoreError:
    """What is wrong with a URI that the driver does not take; its text may quote a part of it: perhaps the password."""
    where, text = redact(url), str(error)
    file = error.filename if isinstance(error, OSError) else None
    if file is not None:
        option = next((name for name, value in parse_qsl(url.partition("?")[2]) if value == file), "a file")
        text = f"{option} {file} cannot be read: {error.strerror}" if isinstance(error, OSError) else text
        hint = "the URI must name a PEM file that the job's user may read"
        return StoreError(text, where=where, hint=hint)
    if "DNS" in text or "resolution lifetime" in text:
        return StoreError(f"its hosts cannot be found: {text}", where=where, hint="check the host name in the URI")
    if isinstance(error, ssl.SSLError) or "certificate" in text:
        hint = "tlsCAFile and tlsCertificateKeyFile are PEM files; the latter holds the certificate and its key"
        return StoreError(f"the URI's certificates cannot be used: {reason_of(error)}", where=where, hint=hint)
    unknown = text if text.startswith("Unknown option") else "it cannot be parsed"
    hint = "write mongodb://user:password@host:port,…/database?option=value, %-escape special characters"
    return StoreError(f"the MongoDB URI cannot be used: {unknown}", where=where, hint=hint)


def hopeless(address: Address, what: str, seen: TopologyDescription) -> StoreError | None:
    """Why no server can be chosen, if it is something that waiting does not cure: names and certificates."""
    servers = seen.server_descriptions()
    if not servers and address.set_name is not None:
        text = f"no server there is a member of a replica set named {address.set_name} ({what})"
        hint = "correct replicaSet in the URI; `barograph replica status` tells the set's name"
        return StoreError(text, where=address.where, hint=hint)
    texts = [reason_of(server.error) for server in servers.values() if server.error is not None]
    if len(texts) < len(servers):
        return None
    if all("CERTIFICATE_VERIFY_FAILED" in text for text in texts):
        return _not_trusted(address, what, texts[0])
    return _without_tls(address, what, list(servers), texts)


def _without_tls(
    address: Address, what: str, servers: list[tuple[str, int | None]], texts: list[str]
) -> StoreError | None:
    """Where one side speaks TLS and the other does not, or hangs up on a certificate."""
    handshake = all("SSL handshake failed" in text for text in texts)
    closed = not handshake and all(text.endswith(HUNG_UP) for text in texts)
    if not closed and not handshake:
        return None
    found = {speaks_tls(host, port or 0) for host, port in servers}
    fault = hint = ""
    if closed and not address.tls and found == {True}:
        fault = "the server accepts only TLS connections"
        hint = "add tls=true to the URI, and tlsCAFile=… for an authority that this machine does not know"
    elif closed and address.client_certificate is not None and found == {True}:
        fault = "the server refuses the client's certificate"
        hint = f"has it expired? openssl x509 -noout -dates -issuer -in {address.client_certificate}"
    elif handshake and found == {False}:
        fault = "the server does not speak TLS"
        hint = "leave tls=true and the tls… options out of the URI, or switch the server to TLS"
    return StoreError(f"{fault} ({what}: {texts[0]})", where=address.where, hint=hint) if fault else None


def _not_trusted(address: Address, what: str, said: str) -> StoreError:
    if "has expired" in said or "not yet valid" in said:
        hint = "renew the server's certificate; check this machine's clock"
    elif "mismatch" in said:
        hint = "connect by a name that the certificate holds"
    else:
        hint = "name the authority that issued it with tlsCAFile=… in the URI (DocumentDB: Amazon's RDS bundle)"
    text = f"the server's certificate is not trusted ({what}: {said})"
    return StoreError(text, where=address.where, hint=hint)
