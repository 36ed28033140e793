"""Tells who answers as a Plex server, and what one that cannot work yet is about (lesson L17)."""

from plexsuper.clients.plex.answers import flag
from plexsuper.clients.plex.documents import document
from plexsuper.clients.plex.http import Answer, NoAnswer
from plexsuper.clients.plex.questions import Questions, still_starting
from plexsuper.clients.plex.values import Identity, NotUp, ServerNotUp
from plexsuper.errors import ServerAway

_PASSING = {408, 429, 500, 502, 504}


async def who_answers(questions: Questions, *, within: float) -> Identity:
    """Return who answers *within* so many seconds; raise `ServerNotUp` with what was seen instead."""
    try:
        answer = await questions.ask("GET", "/identity", deadline=within)
    except ServerAway as error:
        refused = isinstance(error, NoAnswer) and error.refused
        raise ServerNotUp(str(error), state="refused" if refused else "unreachable") from error
    seen = questions.shown(answer)
    if answer.status != 200:
        state = _state_of(answer)
        message = f"Plex is not ready ({state}): GET /identity answered {questions.in_words(answer)}"
        raise ServerNotUp(message, state=state, status=answer.status, excerpt=seen)
    try:
        root = document(answer)
        return Identity(
            claimed=flag(root.get("claimed")),
            machine=str(root["machineIdentifier"]),
            version=str(root["version"]),
        )
    except (ValueError, KeyError) as error:
        message = f"GET /identity: this is no Plex server, check the URL; it answered: {seen}"
        raise ServerNotUp(message, state="error", status=answer.status, excerpt=seen) from error


def _state_of(answer: Answer) -> NotUp:
    """Tell what a server that answers other than 200 is about; a proxy in front of it has words of its own."""
    text = answer.body.decode("utf-8", "replace").lower()
    if "migration" in text:
        return "migration"
    if still_starting(answer) or answer.status in _PASSING:
        return "starting"
    return "maintenance" if "maintenance" in text or answer.status == 503 else "error"
