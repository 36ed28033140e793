import hashlib
import re
import struct
from pathlib import Path
from typing import NamedTuple

import pytest

from plexsuper.kinds import SectionType
from plexsuper.simulator.library.schema import LIBRARY_DB
from plexsuper.simulator.library.titles import ODD_TITLES
from plexsuper.simulator.media.film import mp4
from plexsuper.simulator.media.making import make_media_tree, make_sparse_files
from plexsuper.simulator.media.picture import jpeg
from plexsuper.simulator.media.sound import crc8, crc16, flac, mp3
from plexsuper.simulator.reference.build import build_reference


def snapshot(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# --- MP4: a parser of ISO/IEC 14496-12 boxes


class Box(NamedTuple):
    kind: str
    body: bytes
    offset: int


def boxes(data: bytes, base: int = 0) -> list[Box]:
    """Return the boxes of *data*, which must fill it exactly; offsets count from the start of the file."""
    found = []
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at
        found.append(Box(kind.decode("ascii"), data[at + 8 : at + size], base + at + 8))
        at += size
    return found


def inside(box: Box, path: str) -> Box:
    for kind in path.split("/"):
        (box,) = (child for child in boxes(box.body, box.offset) if child.kind == kind)
    return box


def film(data: bytes) -> tuple[Box, Box, Box]:
    kind, movie, media = boxes(data)
    assert [kind.kind, movie.kind, media.kind] == ["ftyp", "moov", "mdat"]
    return kind, movie, media


def test_a_film_is_made_of_whole_boxes():
    kind, movie, _ = film(mp4(b"picture"))
    assert kind.body[:4] == b"isom"
    assert [box.kind for box in boxes(movie.body)] == ["mvhd", "trak"]
    assert [box.kind for box in boxes(inside(movie, "trak/mdia/minf/stbl").body)] == [
        "stsd",
        "stts",
        "stsc",
        "stsz",
        "stco",
    ]
    assert struct.unpack_from(">I", inside(movie, "trak/mdia/minf/dinf/dref").body, 4) == (1,)


def test_a_film_lasts_as_long_as_its_header_its_track_and_its_samples_say():
    _, movie, _ = film(mp4(b"picture", duration=4321))
    assert struct.unpack_from(">2I", inside(movie, "mvhd").body, 12) == (1000, 4321)
    assert struct.unpack_from(">I", inside(movie, "trak/tkhd").body, 20) == (4321,)
    assert struct.unpack_from(">2I", inside(movie, "trak/mdia/mdhd").body, 12) == (1000, 4321)
    assert struct.unpack_from(">3I", inside(movie, "trak/mdia/minf/stbl/stts").body, 4) == (1, 1, 4321)


def test_the_sample_table_points_at_the_picture():
    picture = jpeg(10, 200, 90)
    data = mp4(picture)
    _, movie, media = film(data)
    count, offset = struct.unpack_from(">2I", inside(movie, "trak/mdia/minf/stbl/stco").body, 4)
    length, samples = struct.unpack_from(">2I", inside(movie, "trak/mdia/minf/stbl/stsz").body, 4)
    assert (count, samples) == (1, 1)
    assert data[offset : offset + length] == picture == media.body
    assert offset == media.offset


def test_the_sample_entry_says_jpeg_of_16_by_16():
    _, movie, _ = film(mp4(jpeg(0, 0, 0)))
    (entry,) = boxes(inside(movie, "trak/mdia/minf/stbl/stsd").body[8:])
    assert entry.kind == "mp4v"
    assert struct.unpack_from(">2H", entry.body, 24) == (16, 16)
    (esds,) = boxes(entry.body[78:])
    assert esds.kind == "esds"
    # version and flags, ES descriptor (3) with its id and flags, decoder configuration (4), object type 0x6c = JPEG
    assert (esds.body[4], esds.body[9], esds.body[11]) == (3, 4, 0x6C)
    assert esds.body[5] == len(esds.body) - 6


# --- JPEG: a decoder of baseline pictures (ITU-T T.81), as far as a picture without AC coefficients needs it


def segments(data: bytes) -> dict[int, list[bytes]]:
    assert data[:2] == b"\xff\xd8"
    assert data[-2:] == b"\xff\xd9"
    found: dict[int, list[bytes]] = {}
    at = 2
    while True:
        mark, marker, length = struct.unpack_from(">BBH", data, at)
        assert mark == 0xFF
        found.setdefault(marker, []).append(data[at + 4 : at + 2 + length])
        at += 2 + length
        if marker == 0xDA:
            found[0] = [data[at:-2].replace(b"\xff\x00", b"\xff")]
            assert b"\xff" not in data[at:-2].replace(b"\xff\x00", b"")
            return found


def huffman(table: bytes) -> dict[str, int]:
    codes = {}
    code, taken = 0, 17
    for length in range(1, 17):
        for _ in range(table[length]):
            codes[f"{code:0{length}b}"] = table[taken]
            taken += 1
            code += 1
        code <<= 1
    assert taken == len(table)
    assert not any(set(key) == {"1"} for key in codes), "a code of ones only is forbidden"
    return codes


def decode(data: bytes) -> list[tuple[int, int, int]]:
    """Return the colour (red, green, blue) of each 8 by 8 block."""
    parts = segments(data)
    (frame,) = parts[0xC0]
    bits_per_sample, height, width, components = struct.unpack_from(">BHHB", frame)
    assert (bits_per_sample, components) == (8, 3)
    tables = {table[0]: huffman(table) for table in parts[0xC4]}
    quantum = parts[0xDB][0][1]
    bits = iter("".join(f"{byte:08b}" for byte in parts[0][0]))

    def symbol(codes: dict[str, int]) -> int:
        code = ""
        while code not in codes:
            code += next(bits)
        return codes[code]

    levels = [0, 0, 0]
    blocks = []
    for _ in range(width * height // 64):
        for component in range(3):
            category = symbol(tables[0x00])
            raw = "".join(next(bits) for _ in range(category))
            if category:
                value = int(raw, 2)
                levels[component] += value if raw[0] == "1" else value - (1 << category) + 1
            assert symbol(tables[0x10]) == 0, "end of block"
        luma, blue, red = (level * quantum / 8 for level in levels)
        luma += 128
        blocks.append(
            (round(luma + 1.402 * red), round(luma - 0.344 * blue - 0.714 * red), round(luma + 1.772 * blue))
        )
    assert set(bits) <= {"1"}, "padding"
    return blocks


@pytest.mark.parametrize(
    "colour",
    [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (127, 128, 129), (12, 200, 77)],
)
def test_a_picture_decodes_to_its_colour(colour):
    blocks = decode(jpeg(*colour))
    assert len(blocks) == 4
    assert len(set(blocks)) == 1
    assert all(abs(found - wanted) <= 2 for found, wanted in zip(blocks[0], colour, strict=True))


def test_a_picture_has_the_size_it_was_asked_for():
    assert len(decode(jpeg(1, 2, 3, size=24))) == 9


# --- FLAC


def test_the_checksums_are_those_of_the_flac_format():
    assert crc8(b"123456789") == 0xF4
    assert crc16(b"123456789") == 0xFEE8


@pytest.mark.parametrize("level", [0, 1, -1, 9000, -9000, 32767, -32768])
def test_a_flac_file_holds_what_its_header_says(level):
    data = flac(level, {"title": "夜", "artist": "Air"}, blocks=3)
    assert data[:4] == b"fLaC"
    assert data[4] == 0
    assert int.from_bytes(data[5:8]) == 34
    info = data[8:42]
    assert struct.unpack_from(">2H", info) == (4096, 4096)
    packed = int.from_bytes(info[10:18])
    assert (packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, packed & ((1 << 36) - 1)) == (
        44100,
        1,
        16,
        12288,
    )
    assert data[42] == 0x84
    comments = data[46 : 46 + int.from_bytes(data[43:46])]
    assert "TITLE=夜".encode() in comments
    assert b"ARTIST=Air" in comments
    frames = data[46 + len(comments) :]
    assert len(frames) % 3 == 0
    size = len(frames) // 3
    assert (int.from_bytes(info[4:7]), int.from_bytes(info[7:10])) == (size, size)
    samples = b""
    for number in range(3):
        frame = frames[number * size : (number + 1) * size]
        assert frame[:4] == b"\xff\xf8\xc9\x08"
        assert frame[4] == number
        assert crc8(frame[:6]) == 0, "a header with its own checksum leaves nothing"
        assert crc16(frame) == 0
        assert frame[6] == 0, "a constant subframe"
        samples += struct.pack("<h", *struct.unpack_from(">h", frame, 7)) * 4096
    assert hashlib.md5(samples).digest() == info[18:34]
    assert samples[:2] == struct.pack("<h", level)


# --- MP3


def test_an_mp3_file_is_a_tag_and_whole_frames_of_silence():
    data = mp3({"title": "L'Été", "artist": "Air", "album": "Moon", "tracknumber": "3"}, frames=5)
    assert data[:6] == b"ID3\x04\x00\x00"
    length = sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    tag, sound = data[10 : 10 + length], data[10 + length :]
    assert "TIT2\x00\x00\x00\x08\x00\x00\x03L'Été".encode() in tag
    assert b"TRCK\x00\x00\x00\x02\x00\x00\x033" in tag
    bitrate, rate = 32_000, 44_100
    size = 144 * bitrate // rate
    assert len(sound) == 5 * size
    for start in range(0, len(sound), size):
        # sync and MPEG-1 layer III without checksum; bit rate 1 (32 kbit/s), rate 0 (44.1 kHz), no padding; mono
        assert sound[start : start + 4] == b"\xff\xfb\x10\xc0"
        assert not any(sound[start + 4 : start + size])


# --- the tree


def test_the_tree_is_laid_out_as_plex_expects(tmp_path):
    tree = make_media_tree(tmp_path, movies=3, episodes=7, tracks=5, photos=5, seed=4)
    assert [(section.title, section.type, len(section.files)) for section in tree.sections] == [
        ("Movies", SectionType.MOVIE, 3),
        ("TV Shows", SectionType.SHOW, 7),
        ("Music", SectionType.ARTIST, 5),
        ("Photos", SectionType.PHOTO, 5),
    ]
    assert len(tree.files) == 20
    patterns = {
        "Movies": r"Movies/(.+ \(\d{4}\))/\1\.mp4",
        "TV Shows": r"TV Shows/(.+)/Season \d\d/\1 - s\d\de\d\d - .+\.mp4",
        "Music": r"Music/.+/.+/\d\d - .+\.(flac|mp3)",
        "Photos": r"Photos/\d{4}/.+/IMG_\d{4}\.jpg",
    }
    for section in tree.sections:
        assert section.folder == tmp_path / section.title
        for file in section.files:
            assert file.is_file()
            assert re.fullmatch(patterns[section.title], str(file.relative_to(tmp_path)))


def test_the_files_are_what_their_names_say(tmp_path):
    first = {".mp4": b"ftyp", ".flac": b"fLaC", ".mp3": b"ID3", ".jpg": b"\xff\xd8\xff"}
    for file in make_media_tree(tmp_path, seed=1).files:
        assert first[file.suffix] in file.read_bytes()[:8]


@pytest.mark.lesson("L32")
def test_the_names_hold_every_difficult_character(tmp_path):
    tree = make_media_tree(tmp_path, seed=1)
    names = "\n".join(str(file) for file in tree.files)
    assert all(title in names for title in ODD_TITLES)
    assert set("'\"%_&$`[]{}#;() ") <= set(names)
    assert "夜" in names
    assert "é" in names


def test_some_films_have_a_subtitle_file_that_is_no_media_file(tmp_path):
    tree = make_media_tree(tmp_path, movies=4, episodes=0, tracks=0, photos=0, seed=1)
    subtitles = sorted(tmp_path.rglob("*.srt"))
    assert len(subtitles) == 2
    assert not set(subtitles) & set(tree.files)
    assert all(path.with_name(path.name.replace(".fr.srt", ".mp4")).exists() for path in subtitles)


def test_sections_without_files_are_left_out(tmp_path):
    tree = make_media_tree(tmp_path, movies=1, episodes=0, tracks=0, photos=0, seed=1)
    assert [section.title for section in tree.sections] == ["Movies"]


def test_equal_seeds_write_equal_trees_and_others_do_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_media_tree(tmp_path / name, seed=seed)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert snapshot(tmp_path / "a") != snapshot(tmp_path / "c")


def test_sparse_files_look_large_and_take_no_space(tmp_path):
    tree = make_media_tree(tmp_path, movies=2, episodes=0, tracks=8, photos=2, seed=1, sparse=True)
    for file in tree.files:
        status = file.stat()
        assert (
            status.st_size
            >= {".mp4": 1_400_000_000, ".flac": 28_000_000, ".mp3": 9_000_000, ".jpg": 3_000_000}[file.suffix]
        )
        assert status.st_blocks * 512 <= 8192


def test_the_files_of_a_reference_library_can_be_put_on_disk(tmp_path):
    build_reference(tmp_path / "db", scale=0.0001, seed=1, media_root=str(tmp_path / "media"))
    library = tmp_path / "db" / LIBRARY_DB
    assert make_sparse_files(library) == 53
    found = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert len(found) == 53
    assert min(path.stat().st_size for path in found) >= 1_500_000
    assert make_sparse_files(library) == 0
