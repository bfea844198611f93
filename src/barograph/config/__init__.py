"""barograph.toml and the BAROGRAPH_* environment, as one frozen Settings. The only reader of the environment.

Declarative tables name every setting with its type, default and help; a key that is not in them is an error that
points at the line. Credentials never stand in the file: S3 takes the usual AWS environment, a MongoDB URI with a
password comes from BAROGRAPH_STORE or from the file that `store.url_file` names, and a connection's tokens are
`${VARIABLE}`s of the environment.
"""

from barograph.config.connections import is_timezone
from barograph.config.credentials import adopt_credentials
from barograph.config.kinds import SOURCE_KINDS, SourceKind, kind_of
from barograph.config.load import alert_url, cluster_port, data_folder, debug, load, mongod
from barograph.config.settings import Connection, Limits, Retention, Settings
from barograph.config.tables import ENVIRONMENT, FORMATS, MIB, TABLES, Option, Secret

__all__ = [
    "ENVIRONMENT",
    "FORMATS",
    "MIB",
    "SOURCE_KINDS",
    "TABLES",
    "Connection",
    "Limits",
    "Option",
    "Retention",
    "Secret",
    "Settings",
    "SourceKind",
    "adopt_credentials",
    "alert_url",
    "cluster_port",
    "data_folder",
    "debug",
    "is_timezone",
    "kind_of",
    "load",
    "mongod",
]
