"""A local replica set of MongoDB: for development, tests, and small on-premises use.

Members are mongod processes of this machine on 127.0.0.1, detached from the command that starts them; the set's
folder (`folder`) says what belongs to it. Everything may be killed at any instant and done again.
"""

from barograph.ops.cluster.down import Down, destroy, take_down
from barograph.ops.cluster.folder import FOLDER, Member
from barograph.ops.cluster.state import MemberState, State, look
from barograph.ops.cluster.up import Up, bring_up

__all__ = ["FOLDER", "Down", "Member", "MemberState", "State", "Up", "bring_up", "destroy", "look", "take_down"]
