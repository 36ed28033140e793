"""The words for the named values of a run: one table for each, the same in every face."""

from plexsuper.events import MountFault
from plexsuper.terms import LeftReason, Outcome, Phase, Stage, Verdict

PHASES: dict[Phase, str] = {
    Phase.SCAN: "scan",
    Phase.ANALYZE: "analysis",
    Phase.REFRESH: "metadata refresh",
    Phase.SONIC: "sonic analysis",
}

STAGES: dict[Stage, str] = {
    Stage.PREFLIGHT: "preflight",
    Stage.INPUTS: "inputs",
    Stage.DATABASE: "database",
    Stage.STORAGE: "storage",
    Stage.SERVER: "server",
    Stage.TOKEN: "token",
    Stage.QUIET: "quiet",
    Stage.CATALOGUE: "catalogue",
    Stage.SECTIONS: "sections",
    Stage.REVIVE: "revival",
    Stage.CHECKPOINT: "checkpoint",
    Stage.STATISTICS: "statistics",
    Stage.RESTORE: "restore",
    Stage.STOP: "stop",
    Stage.EXPORT: "export",
}

OUTCOMES: dict[Outcome, str] = {
    Outcome.DONE: "done",
    Outcome.SKIPPED: "skipped",
    Outcome.CANCELLED: "cancelled",
    Outcome.STALLED: "stalled",
    Outcome.UNSEEN: "never seen to run",
    Outcome.CAPPED: "ended at its hard cap",
    Outcome.FAILED: "failed",
    Outcome.SET_ASIDE: "set aside",
}

VERDICTS: dict[Verdict, str] = {
    Verdict.DONE: "done",
    Verdict.SET_ASIDE: "finished, but sections were set aside",
    Verdict.INTERRUPTED: "interrupted",
    Verdict.SETTINGS: "the settings are wrong",
    Verdict.PREFLIGHT: "preflight failed",
    Verdict.STORAGE: "storage failed",
    Verdict.DATABASE: "the database cannot be used",
    Verdict.SERVER: "Plex was not ready",
    Verdict.LOSS: "library entries were lost",
    Verdict.INTERNAL: "internal error",
    Verdict.PLANNED: "planned, nothing was changed",
    Verdict.TIDIED: "tidied up",
}

LEFT: dict[LeftReason, str] = {
    "gone": "not in storage",
    "empty": "an empty file",
    "failed": "Plex failed on it",
    "unopened": "Plex never opened it",
    "unmarked": "Plex opened it, but does not count it as analysed",
    "unknown": "nothing tells why",
}
"""Why Plex has not analysed a file."""

SERVER: dict[str, str] = {
    "unknown": "not started",
    "started": "starting",
    "attached": "found running",
    "refused": "not listening yet",
    "unreachable": "unreachable",
    "maintenance": "in maintenance",
    "migration": "migrating its database",
    "starting": "starting up",
    "error": "answers with an error",
    "ready": "ready",
    "frozen": "frozen",
    "lost": "lost",
    "stopped": "stopped",
}

DOES: dict[Stage, str] = {
    Stage.PREFLIGHT: "looking at this machine",
    Stage.INPUTS: "collecting what has to be asked",
    Stage.DATABASE: "reading the library database",
    Stage.STORAGE: "proving the storage by its content",
    Stage.SERVER: "waiting for Plex",
    Stage.TOKEN: "reading the token",
    Stage.QUIET: "silencing Plex's background work",
    Stage.CATALOGUE: "choosing the sections",
    Stage.SECTIONS: "one section after another",
    Stage.REVIVE: "taking lost entries from the snapshot",
    Stage.STATISTICS: "counting the library",
    Stage.RESTORE: "restoring Plex's preferences",
    Stage.STOP: "saying goodbye to Plex",
    Stage.EXPORT: "exporting the library",
    Stage.CHECKPOINT: "exporting what is done so far",
}

MOUNT: dict[str, str] = {
    "unknown": "not looked at",
    "healthy": "healthy",
    "suspected": "suspected",
    "lost": "lost",
}

FAULTS: dict[MountFault, str] = {
    "missing": "it is missing",
    "empty": "it is empty",
    "dead": "its file system is dead",
    "hung": "it hangs",
    "unreadable": "it cannot be read",
    "wrong_content": "its content is not what it was",
    "backend_down": "what is behind it does not answer",
    "auth": "what is behind it refuses the credentials",
    "data_suspect": "what is behind it has vanished or shrunk",
    "cache_full": "its cache has no room",
    "slow": "it is slow",
    "network_reset": "its connections break",
}

SHORT: dict[Phase, str] = {
    Phase.SCAN: "scan",
    Phase.ANALYZE: "analysis",
    Phase.REFRESH: "refresh",
    Phase.SONIC: "sonic",
}

RUN = "{run}"
"""Stands for the id of the run in the places where its files are: who opens a face does not know it yet."""
