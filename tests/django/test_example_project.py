"""The project in examples/ does what it says, over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.rqlited import free_port, wait_until

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "django_project"


class Site:
    """The running project, and a browser that keeps cookies."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.browser = requests.Session()

    def get(self, path: str) -> str:
        answer = self.browser.get(self.address + path, timeout=30)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def post_form(self, path: str, **fields: str) -> str:
        """Fill in the form of a page, and send it."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert found is not None
        answer = self.browser.post(
            self.address + path,
            {"csrfmiddlewaretoken": found[1], **fields},
            headers={"Referer": self.address},
            timeout=30,
        )
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def close(self) -> None:
        self.browser.close()


def environment(url: str) -> dict[str, str]:
    return {
        **os.environ,
        "RQLITE_HOSTS": url.removeprefix("http://"),
        "DJANGO_SUPERUSER_PASSWORD": "secret",
        "PYTHONPATH": str(ROOT),
    }


def manage(url: str, *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment(url), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def site(url: str, tmp_path: Path) -> Iterator[Site]:
    manage(url, "migrate", "--verbosity", "0")
    manage(url, "createsuperuser", "--noinput", "--username", "root", "--email", "root@example.com")
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=PROJECT,
            env=environment(url),
            stdout=log,
            stderr=log,
        )
        running = Site(f"http://127.0.0.1:{port}")
        try:
            wait_until(lambda: _answers(running), what="the project answers")
            yield running
        finally:
            running.close()
            process.terminate()
            process.wait(30)


def _answers(site: Site) -> bool:
    try:
        site.get("/balances/")
    except requests.ConnectionError:
        return False
    return True


def test_bank(site: Site) -> None:
    for owner, balance in (("ann", "100"), ("bob", "0"), ("cy", "5")):
        if owner == "ann":
            page = site.post_form(
                "/admin/login/", username="root", password="secret", next="/admin/"
            )
            assert "Site administration" in page
        page = site.post_form("/admin/bank/account/add/", owner=owner, balance=balance)
        assert "was added successfully" in page

    page = site.post_form("/admin/bank/account/add/", owner="ann", balance="1")
    assert "Account with this Owner already exists." in page
    page = site.post_form("/admin/bank/account/3/change/", owner="cy", balance="7")
    assert "was changed successfully" in page
    assert "cy" in site.get("/admin/bank/account/?q=c")

    def move(_: int) -> int:
        path = f"{site.address}/transfer/ann/bob/10/"
        return requests.post(path, timeout=60).status_code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(move, range(11)))
    assert sorted(answers) == [200] * 10 + [409]
    assert site.browser.get(f"{site.address}/balances/", timeout=30).json() == {
        "ann": 0,
        "bob": 100,
        "cy": 7,
    }
    assert "10 transfers" in site.get("/admin/bank/transfer/?giver__id__exact=1")
    assert "History" in site.get("/admin/bank/account/3/change/")
    assert "changed" in site.get("/admin/bank/account/3/history/").lower()

    page = site.post_form("/admin/bank/account/1/delete/", post="yes")
    assert "would require deleting the following protected related objects" in page
    page = site.post_form("/admin/bank/account/3/delete/", post="yes")
    assert "was deleted successfully" in page


def test_database_in_the_process(tmp_path: Path) -> None:
    variables = {**environment(""), "BANK_FILE": str(tmp_path / "bank.db")}
    script = "from bank.models import Account; Account.objects.create(owner='ann'); print(Account.objects.count())"
    for command in (
        ["migrate", "--verbosity", "0"],
        ["shell", "-c", script],
        ["check", "--database", "default"],
    ):
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=PROJECT,
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        if command[0] == "shell":
            assert done.stdout.splitlines()[-1] == "1"
    assert "no issues" in done.stdout
    assert (tmp_path / "bank.db").exists()
