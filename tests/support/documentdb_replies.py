"""Replies of a mongod, dressed as clusters of DocumentDB 5.0.0 dress theirs.

Evidence: AWS's examples of `listCollections` and of errors (no $clusterTime, only operationTime), and what was seen on
a cluster ([sources] of docs/documentdb-5.0.toml): set name rs0; buildInfo 5.0.0; collections whose options say
autoIndexId, capped and storageEngine and whose info has no uuid; indexes with v: 4 and ns. Assumed: the wire version
of MongoDB 5.0, and no topologyVersion, without which a driver asks again instead of being told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

WIRE_VERSION: Final = 13
VERSION: Final = [5, 0, 0, 0]
COLLECTION_OPTIONS: Final[dict[str, Any]] = {
    "autoIndexId": True,
    "capped": False,
    "storageEngine": {"documentDB": {"compression": {"enable": False}}},
}
INDEX_VERSION: Final = 4


def dressed(command: Mapping[str, Any], reply: Mapping[str, Any], address: str, set_name: str) -> dict[str, Any]:
    """The reply to a command; `address` and `set_name` are the endpoint's own."""
    changed = {name: value for name, value in reply.items() if name != "$clusterTime"}
    name = next(iter(command))
    if not reply.get("ok"):
        return changed
    if name.lower() in ("hello", "ismaster"):
        return _hello(changed, address, set_name)
    if name.lower() == "buildinfo":
        return changed | {"version": ".".join(map(str, VERSION[:3])), "versionArray": VERSION}
    if name == "listCollections":
        return _batch(changed, _collection)
    if name == "listIndexes":
        return _batch(changed, lambda index: {**index, "v": INDEX_VERSION, "ns": f"{command['$db']}.{command[name]}"})
    return changed


def _hello(reply: dict[str, Any], address: str, set_name: str) -> dict[str, Any]:
    unknown = ("topologyVersion", "compression", "passives", "arbiters")
    changed = {name: value for name, value in reply.items() if name not in unknown}
    changed |= {"setName": set_name, "hosts": [address], "me": address, "maxWireVersion": WIRE_VERSION}
    if "primary" in changed:
        changed["primary"] = address
    if "saslSupportedMechs" in changed:
        changed["saslSupportedMechs"] = ["SCRAM-SHA-1"]
    return changed


def _batch(reply: dict[str, Any], change: Any) -> dict[str, Any]:
    cursor = dict(reply["cursor"])
    cursor["firstBatch"] = [change(document) for document in cursor["firstBatch"]]
    return reply | {"cursor": cursor}


def _collection(found: Mapping[str, Any]) -> dict[str, Any]:
    info = {name: value for name, value in found.get("info", {}).items() if name != "uuid"}
    return {**found, "options": {**COLLECTION_OPTIONS, **found.get("options", {})}, "info": info}
