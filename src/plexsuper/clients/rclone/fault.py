"""A storage that does not serve content, with the class of what is wrong."""

from plexsuper.clients.rclone.control import BackendRefused, BackendSilent, ControlAway
from plexsuper.clients.rclone.log import shorten, trouble_of
from plexsuper.decisions.storage_diagnosis import REMEDIES
from plexsuper.errors import StorageError
from plexsuper.events import MountFault


class StorageFault(StorageError):
    """Says what is wrong (`fault`), how that is known, and what to do."""

    def __init__(self, fault: MountFault, detail: str) -> None:
        super().__init__(f"{detail}; {REMEDIES[fault]}")
        self.fault = fault


def as_fault(error: StorageError) -> StorageFault:
    """Return *error* of a question to rclone as a fault of the storage."""
    if isinstance(error, StorageFault):
        return error
    match error:
        case BackendSilent():
            return StorageFault("backend_down", f"the backend does not answer: {error}")
        case BackendRefused():
            return _refused(str(error))
        case ControlAway():
            return StorageFault("dead", str(error))
        case _:
            return _refused(str(error), otherwise="dead")


def _refused(said: str, otherwise: MountFault = "backend_down") -> StorageFault:
    faults: dict[str, MountFault] = {
        "auth": "auth",
        "gone": "data_suspect",
        "cache_full": "cache_full",
        "reset": "network_reset",
        "unreachable": "backend_down",
        "throttled": "backend_down",
    }
    return StorageFault(faults.get(trouble_of(said) or "", otherwise), shorten(said))
