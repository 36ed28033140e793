import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexsuper.database.remap.mapping import (
    MappingSet,
    PathMapping,
    make_mapping,
    make_mappings,
    parse_json,
    parse_pair,
)
from plexsuper.errors import SettingsError

NAMES = st.sampled_from(
    [b"Media", b"TV", b"TVShows", b"L'\xc3\xa9t\xc3\xa9", b"100%_", b"a\nb", b"\xff\xfe", b"x y", b"%41"]
)
FOLDERS = st.lists(NAMES, min_size=0, max_size=4).map(lambda parts: b"/" + b"/".join(parts))


def oracle(pairs, path):
    """Translate component by component: slow, obvious, and sharing nothing with the code."""
    best = None
    for old, new in pairs:
        parts = [part for part in old.split(b"/") if part]
        if (
            path.startswith(b"/")
            and path.split(b"/")[1 : len(parts) + 1] == parts
            and (best is None or len(parts) > len(best[0]))
        ):
            best = parts, new
    if best is None:
        return path
    parts, new = best
    rest = path.split(b"/")[len(parts) + 1 :]
    target = [part for part in new.split(b"/") if part]
    if not parts and path == b"/":
        rest = []
    return b"/" + b"/".join(target + rest) if target + rest else b"/"


@given(pairs=st.dictionaries(FOLDERS, FOLDERS, min_size=1, max_size=4), path=FOLDERS)
@pytest.mark.lesson("L32")
def test_translation_is_what_a_plain_oracle_says(pairs, path):
    assert make_mappings(pairs.items()).translate(path) == oracle(pairs.items(), path)


@given(pairs=st.dictionaries(FOLDERS, FOLDERS, min_size=1, max_size=4), path=FOLDERS)
def test_a_set_that_settles_changes_nothing_the_second_time(pairs, path):
    mappings = make_mappings(pairs.items())
    if mappings.settles:
        once = mappings.translate(path)
        assert mappings.translate(once) == once


@pytest.mark.parametrize(
    ("pairs", "path", "expected"),
    [
        pytest.param([("/Media/TV", "/d/S")], "/Media/TV/a", "/d/S/a", id="below"),
        pytest.param([("/Media/TV", "/d/S")], "/Media/TV", "/d/S", id="the folder itself"),
        pytest.param([("/Media/TV", "/d/S")], "/Media/TVShows/b", "/Media/TVShows/b", id="a longer name is another folder"),
        pytest.param([("/Media/TV", "/d/S")], "/Media/TV/x/Media/TV/a", "/d/S/x/Media/TV/a", id="only the beginning"),
        pytest.param([("/Media/TV", "/d/S")], "/media/tv/a", "/media/tv/a", id="letter case counts"),
        pytest.param([("/M/T_", "/d")], "/M/TV/a", "/M/TV/a", id="an underscore is no wildcard"),
        pytest.param([("/M/%", "/d")], "/M/TV/a", "/M/TV/a", id="a percent sign is no wildcard"),
        pytest.param([("/a", "/b"), ("/b", "/c")], "/a/x", "/b/x", id="a chain is one step"),
        pytest.param([("/a", "/b"), ("/b", "/a")], "/b/x", "/a/x", id="a swap"),
        pytest.param([("/a", "/z"), ("/a/b", "/y")], "/a/b/c", "/y/c", id="the longest wins"),
        pytest.param([("/a", "/z"), ("/a/b", "/a/b")], "/a/b/c", "/a/b/c", id="an identity protects"),
        pytest.param([("/a/", "/b//")], "/a/x", "/b/x", id="trailing separators"),
        pytest.param([("/", "/data")], "/x/y", "/data/x/y", id="from the root"),
        pytest.param([("/data", "/")], "/data/x", "/x", id="to the root"),
        pytest.param([("/data", "/")], "/data", "/", id="a folder becomes the root"),
        pytest.param([("/a", "/a/b")], "/a/c", "/a/b/c", id="below itself"),
        pytest.param([("D:\\Media", "/data")], "D:\\Media\\TV\\a.mkv", "/data/TV/a.mkv", id="from Windows"),
        pytest.param([("D:\\Media", "/data")], "D:\\Media2\\a.mkv", "D:\\Media2\\a.mkv", id="a Windows boundary"),
        pytest.param([("D:\\", "/data")], "D:\\a\\b", "/data/a/b", id="a whole drive"),
        pytest.param([("\\\\nas\\m", "E:\\m")], "\\\\nas\\m\\a", "E:\\m\\a", id="from a share to a drive"),
        pytest.param([("/data", "D:\\Media")], "/data/TV/a", "D:\\Media\\TV\\a", id="to Windows"),
        pytest.param([("/data", "D:\\")], "/data", "D:\\", id="a folder becomes a drive"),
    ],
)  # fmt: skip
def test_paths_are_translated(pairs, path, expected):
    assert make_mappings(pairs).translate(path.encode()) == expected.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"file:///Media/TV/a%20b%27.srt", b"file:///data/My%20TV/a%20b%27.srt"),
        (b"file:///Media/TV/a'b(c).srt", b"file:///data/My%20TV/a'b(c).srt"),
        (b"file:///Media/TVShows/a.srt", b"file:///Media/TVShows/a.srt"),
        (b"file:///Media/%54V/a.srt", b"file:///data/My%20TV/a.srt"),
        (b"file:///Media/TV%2Fa.srt", b"file:///data/My%20TV%2Fa.srt"),
        (b"file:///Media/L%27%C3%A9t%C3%A9/%ff.srt", b"file:///s/%ff.srt"),
        (b"file:///Media/TV/100%.srt", b"file:///data/My%20TV/100%.srt"),
        (b"file:///D:/Films/a%20b.srt", b"file:///films/a%20b.srt"),
        (b"http://host/Media/TV/a", b"http://host/Media/TV/a"),
        (b"/Media/TV/a", b"/data/My TV/a"),
        (b"", b""),
    ],
)
def test_percent_encoded_urls_are_translated_and_their_rest_stays_as_it_was(value, expected):
    mappings = make_mappings([("/Media/TV", "/data/My TV"), ("/Media/L'été", "/s"), ("D:\\Films", "/films")])
    assert mappings.translate_value(value) == expected


@pytest.mark.parametrize(
    ("pairs", "settles"),
    [
        ([("/a", "/b")], True),
        ([("/Media/TV", "/Media/TVShows")], True),
        ([("/a", "/b"), ("/b", "/c")], False),
        ([("/a", "/b"), ("/b", "/a")], False),
        ([("/a", "/a/b")], False),
        ([("/a/b", "/a")], False),
        ([("/a", "/b"), ("/b/c", "/d")], False),
        ([("/", "/data")], False),
        ([("/a", "/a")], True),
    ],
)
def test_a_set_knows_whether_it_may_run_twice(pairs, settles):
    assert make_mappings(pairs).settles is settles


PAIRS = [("/Media/TV", "/data/Séries"), ("/x", "/y")]


@pytest.mark.parametrize(
    "document",
    [
        {"mappings": [{"old": o, "new": n} for o, n in PAIRS]},
        {"mappings": [{"from": o, "to": n, "section": "TV"} for o, n in PAIRS], "version": 2},
        {"mappings": [{"source": o, "target": n} for o, n in PAIRS]},
        {"mappings": [{"src": o, "dst": n} for o, n in PAIRS]},
        {"mappings": [{"old_path": o, "new_path": n} for o, n in PAIRS]},
        {"mappings": dict(PAIRS)},
        [{"old": o, "new": n} for o, n in PAIRS],
        [list(pair) for pair in PAIRS],
        dict(PAIRS),
    ],
)
def test_every_spelling_of_a_mapping_file_is_read(document):
    assert parse_json(json.dumps(document)) == PAIRS


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not a JSON document"),
        ('"x"', "expected an object or a list"),
        ('{"mappings": 3}', "expected an object or a list"),
        ('[{"old": "/a"}]', "is no mapping; give two folders under old/new"),
        ('[{"old": "/a", "new": 3}]', "is no mapping"),
        ('[["/a"]]', "is no mapping"),
        ('{"/a": ""}', "is no mapping"),
    ],
)
def test_a_mapping_file_that_says_something_else_is_refused(text, complaint):
    with pytest.raises(SettingsError, match=complaint):
        parse_json(text)


@pytest.mark.parametrize("path", ["Media/TV", "", "./x", "D:", "C:rel\\x", "/a\0b"])
def test_only_absolute_folders_are_mapped(path):
    if path == "D:":
        assert make_mapping(path, "/x") == PathMapping(b"D:", b"/x")
        return
    with pytest.raises(SettingsError, match="not an absolute path"):
        make_mapping(path, "/x")


def test_one_folder_cannot_go_to_two_places():
    with pytest.raises(SettingsError, match="two places"):
        make_mappings([("/a", "/b"), ("/a/", "/c")])
    assert len(make_mappings([("/a", "/b"), ("/a/", "/b")]).mappings) == 1


def test_no_mapping_at_all_is_an_error():
    with pytest.raises(SettingsError, match="none given"):
        make_mappings([])


def test_a_pair_on_the_command_line_is_split_at_its_first_sign():
    assert parse_pair("/a=/b=c") == ("/a", "/b=c")
    for text in ("/a", "/a=", "=/b"):
        with pytest.raises(SettingsError, match="write OLD=NEW"):
            parse_pair(text)


def test_a_byte_that_is_not_utf8_can_be_named_in_json():
    (pair,) = parse_json('{"/a\\udcff": "/b"}')
    assert MappingSet((make_mapping(*pair),)).translate(b"/a\xff/c") == b"/b/c"
