"""The catalogue is sound, and only files with the right hash arrive."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import synthetic

from controller.core.errors import DataError
from controller.data import catalogue, fetch, sources
from controller.data.catalogue import DataFile, DataSet, Source
from controller.data.formats import bvh

CONTENT = {"a.bvh": b"first", "b.bvh": b"second", "c.bvh": b"third"}


@pytest.fixture
def dataset() -> DataSet:
    files = tuple(
        DataFile(
            name, f"deep/{name}", "locomotion", len(data), hashlib.sha256(data).hexdigest(), 0.01,
            (Source("owner/old", "1"), Source("owner/new", "2")),
        )
        for name, data in CONTENT.items()
    )  # fmt: skip
    return DataSet("tiny", "Tiny", "CC0-1.0", "nobody", {}, files)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_from_a_folder(dataset: DataSet, mirror: Path, tmp_path: Path) -> None:
    destination = tmp_path / "new" / "place"
    paths = fetch.fetch(dataset, destination, mirror, progress=False)
    assert paths == [destination / name for name in CONTENT]
    assert contents(destination) == CONTENT


def test_from_a_folder_of_data_sets(dataset: DataSet, mirror: Path, tmp_path: Path) -> None:
    mirror.rename(tmp_path / "tiny")
    fetch.fetch(dataset, tmp_path / "out", tmp_path, progress=False)
    assert contents(tmp_path / "out") == CONTENT


def test_files_that_are_there_are_left_alone(
    dataset: DataSet, mirror: Path, tmp_path: Path
) -> None:
    destination = tmp_path / "out"
    fetch.fetch(dataset, destination, mirror, progress=False)
    before = {path: path.stat().st_mtime_ns for path in destination.iterdir()}
    for path in mirror.iterdir():
        path.write_bytes(b"damaged")
    fetch.fetch(dataset, destination, mirror, progress=False)
    assert {path: path.stat().st_mtime_ns for path in destination.iterdir()} == before


@pytest.mark.parametrize("online", [False, True])
def test_a_damaged_file_is_refused_and_the_others_arrive(
    dataset: DataSet, mirror: Path, tmp_path: Path, address: str, online: bool
) -> None:
    (mirror / "a.bvh").write_bytes(b"damaged")
    (mirror / "b.bvh").unlink()
    destination = tmp_path / "out"
    destination.mkdir()
    (destination / "a.bvh").write_bytes(b"what was there before")
    place = f"{address}/mirror" if online else mirror
    with pytest.raises(DataError) as caught:
        fetch.fetch(dataset, destination, place, progress=False)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"2 of 3 files of tiny are in {destination}; these could not be fetched:"
    assert lines[1].strip().startswith("a.bvh: ") and "another SHA-256" in lines[1]
    assert (
        lines[2].strip().startswith("b.bvh: ") and ("404" if online else "No such file") in lines[2]
    )
    assert contents(destination) == {"a.bvh": b"what was there before", "c.bvh": b"third"}


def test_a_wrong_file_is_replaced(dataset: DataSet, mirror: Path, tmp_path: Path) -> None:
    destination = tmp_path / "out"
    destination.mkdir()
    (destination / "a.bvh").write_bytes(b"cut o")
    fetch.fetch(dataset, destination, mirror, progress=False)
    assert contents(destination) == CONTENT


def test_from_an_address(dataset: DataSet, mirror: Path, tmp_path: Path, address: str) -> None:
    fetch.fetch(dataset, tmp_path / "out", f"{address}/mirror/", progress=False)
    assert contents(tmp_path / "out") == CONTENT


def test_the_second_source_is_asked_when_the_first_has_nothing(
    dataset: DataSet, mirror: Path, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "URL", address + "/{repository}/{commit}/{path}")
    (tmp_path / "owner" / "new" / "2").mkdir(parents=True)
    mirror.rename(tmp_path / "owner" / "new" / "2" / "deep")
    fetch.fetch(dataset, tmp_path / "out", progress=False)
    assert contents(tmp_path / "out") == CONTENT


def test_no_network_gives_up_early(
    dataset: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "URL", "http://127.0.0.1:9/{repository}/{commit}/{path}")
    monkeypatch.setattr(fetch, "PATIENCE", 2)
    with pytest.raises(DataError, match="2 in a row without an answer") as caught:
        fetch.fetch(dataset, tmp_path / "out", progress=False)
    assert "c.bvh" not in str(caught.value)


def test_a_mirror_is_never_passed_by(
    dataset: DataSet, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mirror / "a.bvh").unlink()
    monkeypatch.setattr(fetch, "_download", lambda *_: pytest.fail("the network was asked"))
    with pytest.raises(DataError, match=r"a\.bvh"):
        fetch.fetch(dataset, tmp_path / "out", mirror, progress=False)


def test_unusable_folders(dataset: DataSet, mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder"):
        fetch.fetch(dataset, tmp_path / "out", tmp_path / "nowhere", progress=False)
    with pytest.raises(DataError, match="cannot be made"):
        fetch.fetch(dataset, mirror / "a.bvh", mirror, progress=False)


def test_catalogue_entries_are_whole() -> None:
    assert catalogue.names() == ("snu-woody", "snu-cmu69")
    for name in catalogue.names():
        dataset = catalogue.load(name)
        assert dataset.name == name and dataset.title and dataset.licence and dataset.attribution
        assert len({file.name for file in dataset.files}) == len(dataset.files) > 80
        assert len({file.sha256 for file in dataset.files}) == len(dataset.files)
        for file in dataset.files:
            assert re.fullmatch(r"[\w-]+\.bvh", file.name)
            assert re.fullmatch("[0-9a-f]{64}", file.sha256)
            assert file.use in catalogue.USES and file.unit in (0.01, 0.0254) and file.bytes > 1000
            assert file.sources and all(
                re.fullmatch(
                    r"https://raw\.githubusercontent\.com/snumrl/\w+/[0-9a-f]{40}/[\w./-]+\.bvh",
                    url,
                )
                for url in file.urls
            )


def test_catalogue_queries() -> None:
    woody = catalogue.load("snu-woody")
    assert woody.file("video_wd2_idle_65.bvh").unit == 0.0254
    assert woody.file("raw_woddy2_walk_turn_180.bvh").unit == 0.01
    assert woody.joints["HEad"] == "Head"
    walking = woody.select("locomotion")
    assert 0 < len(walking.files) < len(woody.files)
    assert {file.use for file in walking.files} == {"locomotion"}
    assert woody.select(*catalogue.USES) == woody
    with pytest.raises(DataError, match=r"'snu-wody'; there are snu-woody, snu-cmu69"):
        catalogue.load("snu-wody")
    with pytest.raises(DataError, match=r"no use 'dance'.*there are locomotion"):
        woody.select("dance")
    with pytest.raises(DataError, match=r"no file 'x\.bvh'"):
        woody.file("x.bvh")


# -- bad servers and bad catalogues ----------------------------------------------------------------


class Endless(BaseHTTPRequestHandler):
    """Sends without end, or hardly at all."""

    sent = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.over:  # type: ignore[attr-defined]
                size = 1 if "slow" in self.path else 2**16
                self.wfile.write(b"0" * size)
                Endless.sent += size
                time.sleep(0.05 if size == 1 else 0)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def bad_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.over = False  # type: ignore[attr-defined]
    Endless.sent = 0
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.over = True  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_endless_body_ends_at_the_size_of_the_catalogue(
    dataset: DataSet, tmp_path: Path, bad_server: str
) -> None:
    with pytest.raises(DataError, match="another SHA-256 than the catalogue: more than 5 bytes"):
        fetch.fetch(dataset, tmp_path / "out", f"{bad_server}/fast", progress=False)
    assert not list((tmp_path / "out").iterdir())
    assert Endless.sent < 60 * 2**20  # what the sockets of six tries have in their buffers


def test_a_slow_server_is_given_up(
    dataset: DataSet, tmp_path: Path, bad_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes soon after the last, so that no single wait is long."""
    large = replace(dataset, files=tuple(replace(file, bytes=2000) for file in dataset.files))
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    began = time.perf_counter()
    with pytest.raises(DataError, match="takes more than 0 s"):
        fetch.fetch(large, tmp_path / "out", f"{bad_server}/slow", progress=False)
    assert time.perf_counter() - began < 5


def test_a_pipe_in_a_mirror_is_refused(dataset: DataSet, mirror: Path, tmp_path: Path) -> None:
    (mirror / "a.bvh").unlink()
    os.mkfifo(mirror / "a.bvh")
    with pytest.raises(DataError, match="not a regular file"):
        fetch.fetch(dataset, tmp_path / "out", mirror, progress=False)


@pytest.mark.parametrize("name", ["../x.bvh", "/x.bvh", "..", "a/b.bvh", "a\\b.bvh", "", "a\n"])
def test_names_that_lead_out_of_the_folder_are_refused(dataset: DataSet, name: str) -> None:
    with pytest.raises(DataError, match="the catalogue's name"):
        replace(dataset.files[0], name=name)
    with pytest.raises(DataError, match="the catalogue's name"):
        replace(dataset, name=name)


def test_sizes_and_hashes_that_are_none_are_refused(dataset: DataSet) -> None:
    for wrong in ({"bytes": 0}, {"sha256": "abc"}):
        with pytest.raises(DataError, match=r"a\.bvh: its size or SHA-256"):
            replace(dataset.files[0], **wrong)  # type: ignore[arg-type]


def test_a_file_that_is_only_called_like_one_of_the_catalogue_is_not_it(tmp_path: Path) -> None:
    """Its unit would be another: 2.54 cm in place of whatever the file has."""
    path = tmp_path / "video_wd2_idle_65.bvh"
    clip = synthetic.walk(seconds=3.0)
    bvh.write(path, clip)
    assert sources.known_file(path) is None
    motion = sources.read(path)
    height = motion.clips[0].joint_positions()[:, 0, 1].mean()
    assert height == pytest.approx(float(clip.joint_positions()[:, 0, 1].mean()), abs=0.1)


def test_a_file_of_the_catalogue_is_known_by_its_content(
    dataset: DataSet, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "names", lambda: ("tiny",))
    monkeypatch.setattr(catalogue, "load", lambda name: dataset)
    assert sources.known_file(mirror / "a.bvh") == (dataset, dataset.files[0])
    (mirror / "a.bvh").write_bytes(b"other")
    assert sources.known_file(mirror / "a.bvh") is None
