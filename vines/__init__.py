"""Processes that know each other, share small state and decide together, without a server."""

from __future__ import annotations

from vines.errors import AddressInUse as AddressInUse
from vines.errors import AlreadyListening as AlreadyListening
from vines.errors import Closed as Closed
from vines.errors import IllFormedValue as IllFormedValue
from vines.errors import Insecure as Insecure
from vines.errors import InvalidAddress as InvalidAddress
from vines.errors import InvalidArgument as InvalidArgument
from vines.errors import InvalidCallback as InvalidCallback
from vines.errors import InvalidConfig as InvalidConfig
from vines.errors import InvalidElection as InvalidElection
from vines.errors import InvalidKey as InvalidKey
from vines.errors import InvalidTtl as InvalidTtl
from vines.errors import InvalidValue as InvalidValue
from vines.errors import LocalError as LocalError
from vines.errors import MissingKey as MissingKey
from vines.errors import NotListening as NotListening
from vines.errors import QuotaExceeded as QuotaExceeded
from vines.errors import RemoteError as RemoteError
from vines.errors import StorageDamaged as StorageDamaged
from vines.errors import StorageError as StorageError
from vines.errors import StorageForeign as StorageForeign
from vines.errors import StorageFull as StorageFull
from vines.errors import StorageLocked as StorageLocked
from vines.errors import StorageMissing as StorageMissing
from vines.errors import StorageNewer as StorageNewer
from vines.errors import StorageRolledBack as StorageRolledBack
from vines.errors import StorageUnusable as StorageUnusable
from vines.errors import TimedOut as TimedOut
from vines.errors import UnknownEvent as UnknownEvent
from vines.errors import UnsupportedValue as UnsupportedValue
from vines.errors import VinesError as VinesError
from vines.errors import VoteRefused as VoteRefused
from vines.errors import WireError as WireError
from vines.events import ClockSuspect as ClockSuspect
from vines.events import Conflict as Conflict
from vines.events import Delete as Delete
from vines.events import Fail as Fail
from vines.events import Gossip as Gossip
from vines.events import Join as Join
from vines.events import Lagged as Lagged
from vines.events import Lapse as Lapse
from vines.events import Leave as Leave
from vines.events import Member as Member
from vines.events import Outcome as Outcome
from vines.events import Overdue as Overdue
from vines.events import Quota as Quota
from vines.events import Refused as Refused
from vines.events import Suspect as Suspect
from vines.events import Synced as Synced
from vines.events import Update as Update
from vines.vine import Vine as Vine

__all__ = (
    "AddressInUse",
    "AlreadyListening",
    "ClockSuspect",
    "Closed",
    "Conflict",
    "Delete",
    "Fail",
    "Gossip",
    "IllFormedValue",
    "Insecure",
    "InvalidAddress",
    "InvalidArgument",
    "InvalidCallback",
    "InvalidConfig",
    "InvalidElection",
    "InvalidKey",
    "InvalidTtl",
    "InvalidValue",
    "Join",
    "Lagged",
    "Lapse",
    "Leave",
    "LocalError",
    "Member",
    "MissingKey",
    "NotListening",
    "Outcome",
    "Overdue",
    "Quota",
    "QuotaExceeded",
    "Refused",
    "RemoteError",
    "StorageDamaged",
    "StorageError",
    "StorageForeign",
    "StorageFull",
    "StorageLocked",
    "StorageMissing",
    "StorageNewer",
    "StorageRolledBack",
    "StorageUnusable",
    "Suspect",
    "Synced",
    "TimedOut",
    "UnknownEvent",
    "UnsupportedValue",
    "Update",
    "Vine",
    "VinesError",
    "VoteRefused",
    "WireError",
    "__version__",
)

__version__ = "0.1.0"
