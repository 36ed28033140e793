"""Answers about the server itself: identity, account, settings, activities, butler."""

from plexsuper.simulator.identity import Account
from plexsuper.simulator.life import Life
from plexsuper.simulator.logs import VERSION
from plexsuper.simulator.messages import Request, Response
from plexsuper.simulator.render import Element, Value, container, done, failure, reply, unauthorized

_DIRECTORIES = (
    "activities",
    "butler",
    "clients",
    "devices",
    "diagnostics",
    "hubs",
    "library",
    "media",
    "playlists",
    "servers",
    "statistics",
    "transcode",
    "updater",
)


def identity(life: Life, request: Request) -> Response:
    """`GET /identity`: needs no token."""
    root = Element(
        "MediaContainer",
        {
            "size": 0,
            "apiVersion": "1.2.3",
            "claimed": life.claimed,
            "machineIdentifier": life.file.values["ProcessedMachineIdentifier"],
            "version": VERSION,
        },
    )
    return reply(request, root)


def root(life: Life, request: Request) -> Response:
    """`GET /`."""
    claimed = life.claimed
    attributes: dict[str, Value | None] = {
        "allowCameraUpload": False,
        "allowChannelAccess": True,
        "allowMediaDeletion": life.core.preferences.on("allowMediaDeletion"),
        "allowSharing": True,
        "allowSync": life.core.plex_pass,
        "allowTuners": True,
        "apiVersion": "1.2.0",
        "backgroundProcessing": True,
        "certificate": claimed,
        "companionProxy": True,
        "countryCode": "deu",
        "diagnostics": "logs,databases,streaminglogs",
        "eventStream": True,
        "friendlyName": life.core.preferences.text("FriendlyName") or "simulator",
        "hubSearch": True,
        "itemClusters": True,
        "livetv": 7,
        "machineIdentifier": life.file.values["ProcessedMachineIdentifier"],
        "mediaProviders": True,
        "multiuser": True,
        "musicAnalysis": 2,
        "myPlex": True,
        "myPlexMappingState": "mapped" if claimed else "unknown",
        "myPlexSigninState": "ok" if claimed else "none",
        "myPlexSubscription": life.core.plex_pass,
        "myPlexUsername": life.account.username if claimed else None,
        "offlineTranscode": 1,
        "ownerFeatures": "loudness,music-analysis,pass" if life.core.plex_pass else "loudness",
        "platform": "Linux",
        "platformVersion": "24.04",
        "pluginHost": True,
        "pushNotifications": False,
        "readOnlyLibraries": False,
        "streamingBrainABRVersion": 3,
        "streamingBrainVersion": 2,
        "sync": True,
        "transcoderActiveVideoSessions": 0,
        "transcoderAudio": True,
        "transcoderLyrics": True,
        "transcoderPhoto": True,
        "transcoderSubtitles": True,
        "transcoderVideo": True,
        "transcoderVideoBitrates": "64,96,208,320,720,1500,2000,3000,4000,8000,10000,12000,20000",
        "transcoderVideoQualities": "0,1,2,3,4,5,6,7,8,9,10,11,12",
        "transcoderVideoResolutions": "128,128,160,240,320,480,768,720,720,1080,1080,1080,1080",
        "updatedAt": life.core.clock.stamp(),
        "updater": True,
        "version": VERSION,
        "voiceSearch": True,
    }
    children = [Element("Directory", {"count": 1, "key": name, "title": name}) for name in _DIRECTORIES]
    return reply(request, container(children, **attributes))


def activities(life: Life, request: Request) -> Response:
    """`GET /activities`."""
    return reply(request, container(life.core.activities.elements()))


def cancel_activity(life: Life, _: Request, uuid: str) -> Response:
    """`DELETE /activities/{uuid}`."""
    status = {"cancelled": 200, "refused": 400, "unknown": 404}[life.core.activities.cancel(uuid)]
    return done() if status == 200 else failure(status, "Bad Request" if status == 400 else "Not Found")


def progress(life: Life, request: Request, uuid: str) -> Response:
    """`PUT /activities/{uuid}?percentComplete=n`: what a scanner process reports."""
    percent = request.number("percentComplete")
    if percent is None:
        return failure(400, "Bad Request")
    return done() if life.core.activities.set_progress(uuid, percent) else failure(404, "Not Found")


def butler(life: Life, request: Request) -> Response:
    """`GET /butler`."""
    return reply(request, Element("ButlerTasks", {}, life.butler.elements()))


def start_butler(life: Life, _: Request) -> Response:
    """`POST /butler`."""
    life.butler.start_all()
    return done()


def stop_butler(life: Life, _: Request) -> Response:
    """`DELETE /butler`."""
    life.butler.stop_all()
    return done()


def start_task(life: Life, _: Request, name: str) -> Response:
    """`POST /butler/{task}`: 202 when it runs already."""
    if not life.butler.knows(name):
        return failure(404, "Not Found")
    return done(200 if life.butler.start(name) else 202)


def stop_task(life: Life, _: Request, name: str) -> Response:
    """`DELETE /butler/{task}`: 404 when it is unknown or does not run."""
    return done() if life.butler.stop(name) else failure(404, "Not Found")


def account(life: Life, request: Request) -> Response:
    """`GET /myplex/account`."""
    return reply(request, _account(life, life.account))


def claim(life: Life, request: Request) -> Response:
    """`POST /myplex/claim?token=claim-...`: 401 for a bad token."""
    granted = life.core.knobs.claim_answer == "granted"
    if not granted or not (request.argument("token") or "").startswith("claim-"):
        return unauthorized()
    life.adopt_token()
    return reply(request, _account(life, life.account))


def sessions(life: Life, request: Request) -> Response:
    """`GET /status/sessions`: who plays what; a film, its player and its user."""
    if life.core.clock.elapsed() >= life.core.knobs.viewer_seconds:
        return reply(request, container([]))
    film = Element("Video", {"sessionKey": "1", "type": "movie", "title": "The Long Film"})
    film.children.append(Element("User", {"id": "1", "title": "anna"}))
    film.children.append(Element("Player", {"title": "Living room", "state": "playing", "local": True}))
    return reply(request, container([film]))


def nothing(_: Life, __: Request) -> Response:
    """Accept what has no visible effect here."""
    return done()


def _account(life: Life, owner: Account) -> Element:
    claimed, subscribed = life.claimed, life.core.plex_pass
    attributes: dict[str, Value | None] = {
        "authToken": owner.token if claimed else None,
        "username": owner.username if claimed else None,
        "mappingState": "mapped" if claimed else "unknown",
        "signInState": "ok" if claimed else "none",
        "publicAddress": "203.0.113.7",
        "publicPort": 32400,
        "privateAddress": "127.0.0.1",
        "privatePort": 32400,
        "subscriptionFeatures": "pass,music-analysis" if subscribed else "",
        "subscriptionActive": subscribed,
        "subscriptionState": "Active" if subscribed else "Inactive",
    }
    return Element("MyPlex", attributes)
