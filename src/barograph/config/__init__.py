"""barograph.toml and the BAROGRAPH_* environment, as one frozen Settings. The only reader of the environment.

Declarative tables name every setting with its type, default and help; a key that is not in them is an error that
points at the line. Credentials never stand in the file: S3 takes the usual AWS environment, a MongoDB URI with a
password comes from BAROGRAPH_STORE or from the file that `store.url_file` names, and a connection's tokens are
`${VARIABLE}`s of the environment.
"""

from barograph.config.credentials import adopt_credentials
from barograph.config.edit import set_enabled
from barograph.config.kinds import LANDED_ONLY, SOURCE_KINDS, SourceKind, kind_of
from barograph.config.load import alert_url, child_environment, cluster_port, data_folder, debug, load, mongod
from barograph.config.logging import LogSettings, environment_secrets, log_settings
from barograph.config.plugins import broken, load_plugin
from barograph.config.schedule import Schedule
from barograph.config.settings import Connection, Limits, Retention, Settings
from barograph.config.tables import ENVIRONMENT, FORMATS, MAPPING_OPTIONS, MIB, TABLES, Option, Secret
from barograph.config.timezones import is_timezone

__all__ = [
    "ENVIRONMENT",
    "FORMATS",
    "LANDED_ONLY",
    "MAPPING_OPTIONS",
    "MIB",
    "SOURCE_KINDS",
    "TABLES",
    "Connection",
    "Limits",
    "LogSettings",
    "Option",
    "Retention",
    "Schedule",
    "Secret",
    "Settings",
    "SourceKind",
    "adopt_credentials",
    "alert_url",
    "broken",
    "child_environment",
    "cluster_port",
    "data_folder",
    "debug",
    "environment_secrets",
    "is_timezone",
    "kind_of",
    "load",
    "load_plugin",
    "log_settings",
    "mongod",
    "set_enabled",
]
