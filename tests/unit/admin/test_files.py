"""Files that backups are written to, and files that are loaded."""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import threading
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from pyrqlite.admin.files import FileDownload, FileUpload, opened_source, opened_target
from pyrqlite.admin.whole import Dump
from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.steps import LocalFailure


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "some.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (a)")
    connection.executemany("INSERT INTO t VALUES (?)", [(os.urandom(500),) for _ in range(100)])
    connection.commit()
    connection.close()
    return file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Stream(io.RawIOBase):
    """A binary file that cannot be sought, as a pipe is."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(cast(bytes, data))[:10]
        self.taken += piece
        return len(piece)


class TestTargets:
    def test_named_when_all_is_there(self, tmp_path: Path) -> None:
        file = tmp_path / "copy"
        file.write_bytes(b"old")
        with opened_target(file) as target:
            target.write(b"new")
            target.flush()
            assert file.read_bytes() == b"old"
        assert file.read_bytes() == b"new"
        assert names(tmp_path) == ["copy"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_never_named_otherwise(self, tmp_path: Path, error: type[BaseException]) -> None:
        def fail() -> None:
            with opened_target(tmp_path / "copy") as target:
                target.write(b"half")
                raise error

        with pytest.raises(error):
            fail()
        assert names(tmp_path) == []

    def test_links_stay_links(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with opened_target(str(tmp_path / "link")) as target:
            target.write(b"x")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_bytes() == b"x"

    def test_devices_and_folders_are_left_alone(self, tmp_path: Path) -> None:
        for place in ("/dev/null", tmp_path):
            with pytest.raises(ProgrammingError, match="no regular file"), opened_target(place):
                pass
        with pytest.raises(FileNotFoundError), opened_target(tmp_path / "no" / "folder"):
            pass

    def test_text_files_are_refused(self, tmp_path: Path) -> None:
        with (
            pytest.raises(ProgrammingError, match="binary mode"),
            opened_target(cast(BinaryIO, io.StringIO())),
        ):
            pass


class TestDownloads:
    def test_begins_again_where_the_file_stood(self) -> None:
        file = io.BytesIO(b"head")
        file.seek(4)
        told: list[tuple[int, int | None]] = []
        download = FileDownload(file, Dump, lambda *seen: told.append(seen))
        download.begin(None)
        download.write(b"a long beginning")
        download.begin(9)
        download.write(b"SELECT 1;")
        assert file.getvalue() == b"headSELECT 1;"
        assert (download.done, told) == (9, [(16, None), (9, 9)])

    def test_what_cannot_be_taken_back(self) -> None:
        stream = Stream()
        download = FileDownload(cast(BinaryIO, stream), Dump, None)
        for _ in range(2):  # nothing was written yet
            download.begin(None)
        download.write(b"more than ten bytes")
        assert stream.taken == b"more than ten bytes"
        with pytest.raises(LocalFailure, match="cut after 19 bytes"):
            download.begin(None)

    @pytest.mark.parametrize("error", [OSError("the disk is full"), TimeoutError("x")])
    def test_errors_of_this_side_are_marked(self, error: OSError) -> None:
        def fail(done: int, total: int | None) -> None:
            raise error

        download = FileDownload(io.BytesIO(), Dump, fail)
        download.begin(None)
        with pytest.raises(LocalFailure) as caught:
            download.write(b"x")
        assert caught.value.__cause__ is error


def read_all(upload: FileUpload) -> bytes:
    upload.begin()
    return b"".join(iter(upload.read, b""))


class TestSources:
    def test_a_path_is_read_in_place(self, database: Path) -> None:
        told: list[tuple[int, int | None]] = []
        with opened_source(database) as source:
            upload = FileUpload(source, lambda *seen: told.append(seen))
            assert source.is_database
            for _ in range(2):
                assert read_all(upload) == database.read_bytes()
            assert source.file.name == str(database)
        assert told[0] == (0, upload.size)
        assert all(done < upload.size for done, _ in told), "the last piece has not left yet"

    @pytest.mark.parametrize("how", ["gzip", "stream", "gzip stream", "pipe", "gzip by name"])
    def test_all_else_is_copied(self, database: Path, tmp_path: Path, how: str) -> None:
        data = database.read_bytes()
        given: object = io.BytesIO(gzip.compress(data) if how == "gzip stream" else data)
        if how.startswith("gzip") and how != "gzip stream":
            given = tmp_path / "x.gz"
            (tmp_path / "x.gz").write_bytes(gzip.compress(data))
        if how == "pipe":
            given = tmp_path / "pipe"
            os.mkfifo(tmp_path / "pipe")
            threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data)).start()
        with opened_source(cast(BinaryIO, given)) as source:
            assert source.is_database
            assert read_all(FileUpload(source, None)) == data

    def test_files_are_read_from_where_they_stand(self) -> None:
        file = io.BytesIO(b"garbage;SELECT 1;")
        file.seek(8)
        with opened_source(file) as source:
            assert read_all(FileUpload(source, None)) == b"SELECT 1;"

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda data: data[:-1], "no whole SQLite file"),
            (lambda data: data[:200], "no whole SQLite file"),
            (lambda data: data[:14], "no whole SQLite file"),
            (lambda data: b"SQLite format 4" + data[15:], "no whole SQLite file"),
            (lambda data: data[:16] + b"\x03\x03" + data[18:], "no whole SQLite file"),
            (lambda data: data[:4096] + os.urandom(len(data) - 4096), "damaged"),
            (lambda data: data[:100] + b"\xff" * 500 + data[600:], "damaged"),
            (lambda data: gzip.compress(data)[:-9], "cannot be decompressed"),
            (lambda data: gzip.compress(data)[:-1] + b"\x55", "cannot be decompressed"),
            (lambda data: b"\x1f\x8b" + data, "cannot be decompressed"),
            (lambda data: b"", "empty"),
            (lambda data: data[100:], "neither an SQLite file nor SQL"),
        ],
    )
    def test_damage(self, database: Path, damage: object, said: str) -> None:
        database.write_bytes(damage(database.read_bytes()))  # type: ignore[operator]
        with pytest.raises(ProgrammingError, match=said), opened_source(database):
            pass
        with (
            pytest.raises(ProgrammingError, match=said),
            opened_source(io.BytesIO(database.read_bytes())),
        ):
            pass

    def test_changes_in_a_journal(self, database: Path) -> None:
        writer = sqlite3.connect(database)
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        with pytest.raises(ProgrammingError, match=r"-wal holds changes.*backup"):
            opened_source(database).__enter__()
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with opened_source(database) as source:
            assert source.is_database
        writer.close()

    def test_a_file_that_changes_meanwhile_is_never_sent_whole(self, database: Path) -> None:
        with opened_source(database) as source:
            upload = FileUpload(source, None)
            upload.begin()
            upload.read(1000)
            os.utime(database, ns=(1, 1))
            with pytest.raises(LocalFailure, match="changed while it was read"):
                b"".join(iter(upload.read, b""))
            assert upload.left > 0

    def test_a_file_that_gets_shorter(self, database: Path) -> None:
        with opened_source(database) as source:
            upload = FileUpload(source, None)
            os.truncate(database, 4096)
            with pytest.raises(LocalFailure, match="changed while it was read"):
                read_all(upload)
            assert upload.left > 0

    def test_text_files_are_refused(self) -> None:
        with (
            pytest.raises(ProgrammingError, match="binary mode"),
            opened_source(cast(BinaryIO, io.StringIO("SELECT 1"))),
        ):
            pass
