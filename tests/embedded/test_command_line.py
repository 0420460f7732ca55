"""The flags."""

from __future__ import annotations

import pytest

from rqlite_embedded import cli
from rqlite_embedded.server import TLS, Options


def test_defaults() -> None:
    command = cli.parse(["data"])
    assert command.path == "data"
    assert command.options == Options(host="localhost", port=4001)


def test_one_dash_or_two_with_or_without_equals() -> None:
    line = (
        "-http-addr 0.0.0.0:80 --http-adv-addr=db:81 -fk --fsync normal -auth=a.json "
        "-http-cert c.pem --http-key=k.pem -http-ca-cert ca.pem --http-verify-client=true "
        "-node-id n -raft-addr h:1 -http-allow-origin * -write-queue-capacity 5 "
        "-write-queue-batch-size 2 -write-queue-timeout 1s -write-queue-tx data"
    )
    options = cli.parse(line.split()).options
    assert (options.host, options.port, options.advertised) == ("0.0.0.0", 80, "db:81")
    assert (options.fk, options.fsync, options.auth) == (True, "normal", "a.json")
    assert options.tls == TLS("c.pem", "k.pem", "ca.pem", verify_client=True)
    assert (options.node_id, options.raft_addr, options.allow_origin) == ("n", "h:1", "*")
    assert (options.queue.capacity, options.queue.batch_size) == (5, 2)
    assert (options.queue.timeout, options.queue.transaction) == (1.0, True)


def test_a_switch_takes_no_next_word() -> None:
    assert cli.parse(["-fk", "data"]).options.fk is True
    assert cli.parse(["-fk=false", "data"]).options.fk is False
    assert cli.parse(["-http-addr", "[::1]:5", "data"]).options.host == "::1"


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a b",
        "-nope data",
        "-http-addr",
        "-http-addr nowhere data",
        "-http-addr h:99999 data",
        "-fk=maybe data",
        "-fsync sometimes data",
        "-http-cert c.pem data",
        "-write-queue-capacity 0 data",
        "-write-queue-timeout 5 data",
    ],
)
def test_words_that_are_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words.split()) == 2
    assert "usage:" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert "-http-verify-client" in capsys.readouterr().out


def test_files_that_are_missing(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-auth", f"{tmp_path}/nope.json", f"{tmp_path}/data"]) == 1
    assert "nope.json" in capsys.readouterr().err
