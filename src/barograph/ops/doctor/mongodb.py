"""What only a MongoDB (or DocumentDB) server has: versions, majority writes, TLS, the oplog, a replica set."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final

from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from barograph.errors import BarographError
from barograph.ops.doctor.finding import Finding, of_error
from barograph.ops.replica import replica_status
from barograph.store.mongo_client import MongoLink
from barograph.store.mongo_errors import reason_of

PATIENCE: Final = 5.0
OLDEST: Final = (5, 0)
"""Time after which MongoDB maintains a version is three years; DocumentDB 5.0 says 5.0."""
SHORTEST_OPLOG: Final = timedelta(hours=24)
"""A member that was away for a night follows again from the oplog, without copying everything."""


def mongodb(url: str, *, writing: bool) -> Iterator[Finding]:
    """Of a server that answers. `writing`: the schema allows a probe to be written."""
    yield tls(url)
    yield replicas(url)
    with closing(MongoLink(url, patience=PATIENCE)) as link:
        yield server(link)
        if writing:
            yield majority(link)
        yield from oplog(link)


def tls(url: str) -> Finding:
    """Passwords and data do not cross a network in the clear."""
    with closing(MongoLink(url, patience=PATIENCE)) as link:
        encrypted, where = link.address.tls, link.url
    if encrypted:
        return Finding("MongoDB: TLS", "ok", "the connection is encrypted")
    if url.startswith("mongodb+srv"):
        hosts = ["srv"]
    else:
        hosts = [str(host) for host, _ in parse_uri(url, warn=False)["nodelist"]]
    away = [host for host in hosts if not _is_local(host)]
    if away:
        return Finding(
            "MongoDB: TLS", "warning", f"{where} is not encrypted on its way to {away[0]}", "add tls=true to the URI"
        )
    return Finding("MongoDB: TLS", "ok", "not needed: the server is on this machine")


def _is_local(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def replicas(url: str) -> Finding:
    """Every member of the set."""
    try:
        found = replica_status(url)
    except BarographError as error:
        return of_error("MongoDB: replica set", error)
    told = f"{found.verdict}: {'; '.join(found.reasons)}"
    if found.verdict == "healthy":
        return Finding("MongoDB: replica set", "ok", told)
    return Finding(
        "MongoDB: replica set",
        "warning" if found.verdict == "degraded" else "failed",
        told,
        "`barograph replica status` shows each member; start what is down",
    )


def server(link: MongoLink) -> Finding:
    """Its version."""
    try:
        told = str(link.run("ask for the server's version", link.client.server_info)["version"])
    except BarographError as error:
        return of_error("MongoDB: version", error)
    if tuple(int(part) for part in told.split(".")[:2]) < OLDEST:
        return Finding("MongoDB: version", "warning", f"{told} is older than 5.0", "upgrade the server")
    return Finding("MongoDB: version", "ok", told)


def majority(link: MongoLink) -> Finding:
    """A document of our own in `meta`, written to a majority, and removed again."""
    probe: dict[str, Any] = {"_id": f"doctor-{uuid.uuid4().hex}"}
    meta = link.database["meta"]
    try:
        link.run("write a probe", lambda: meta.replace_one(probe, probe, upsert=True), writing=True)
        link.run("remove the probe", lambda: meta.delete_one(probe), writing=True)
    except BarographError as error:
        return of_error("MongoDB: writing", error)
    return Finding("MongoDB: writing", "ok", "a probe was written to a majority, and removed")


def oplog(link: MongoLink) -> Iterator[Finding]:
    """How long a member may be away; nothing where this user may not look, or there is none."""
    try:
        # DocumentDB, which has no oplog, leaves the section out.
        told_of = link.client.admin.command("serverStatus", oplog=1).get("oplog") or {}
    except OperationFailure:
        return
    except PyMongoError as error:
        yield Finding("MongoDB: oplog", "warning", reason_of(error), "`barograph replica status` tells who answers")
        return
    first, last = told_of.get("earliestOptime"), told_of.get("latestOptime")
    if first is None or last is None:
        return
    # An optime is a timestamp, or one with the term of its election.
    window = timedelta(seconds=_seconds(last) - _seconds(first))
    size = _log_size(link)
    told = f"holds {window / timedelta(hours=1):,.1f} h"
    # A young set's oplog is short because little was written: it is full that counts.
    if window < SHORTEST_OPLOG and size is not None and size > 0.9:
        yield Finding(
            "MongoDB: oplog",
            "warning",
            f"{told}, and is full",
            "enlarge it: db.adminCommand({replSetResizeOplog: 1, size: MEGABYTES}) on each member",
        )
    else:
        yield Finding("MongoDB: oplog", "ok", told)


def _seconds(optime: Any) -> int:
    moment = optime["ts"] if isinstance(optime, dict) else optime
    return int(moment.time)


def _log_size(link: MongoLink) -> float | None:
    """How full it is, 0 to 1."""
    try:
        told = link.client["local"].command("collStats", "oplog.rs")
    except PyMongoError:
        return None
    most = told.get("maxSize") or 0
    return told["size"] / most if most else None
