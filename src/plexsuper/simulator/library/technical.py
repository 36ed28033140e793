"""What a media analysis finds out about a file, guessed from its suffix: the simulator opens no codec."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Technical:
    """The technical description of a file; `duration` in milliseconds, 0 for a picture."""

    video_codec: str = ""
    audio_codec: str = ""
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    duration: int = 0


_VIDEO = Technical("h264", "aac", 1920, 1080, 2, 5_400_000)
_PICTURE = Technical(width=4032, height=3024)
_BY_SUFFIX = {
    "mp4": _VIDEO,
    "mkv": _VIDEO,
    "avi": _VIDEO,
    "flac": Technical(audio_codec="flac", channels=2, duration=240_000),
    "mp3": Technical(audio_codec="mp3", channels=2, duration=240_000),
    "jpg": _PICTURE,
    "jpeg": _PICTURE,
    "png": _PICTURE,
}


def technical(file: str) -> Technical:
    """Return what analysis finds in a file with the suffix of *file*; nothing for an unknown suffix."""
    return _BY_SUFFIX.get(suffix(file), Technical())


def suffix(file: str) -> str:
    """Return the suffix of *file* in lower case and without its dot; pathlib is too slow for half a million files."""
    stem, _, last = file.rpartition("/")[2].rpartition(".")
    return last.lower() if stem else ""
