"""Looking for the leader and for nodes: canned words of several nodes, lies among them."""

from __future__ import annotations

import pytest

from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.discovery import (
    MOST_ASKED,
    MOST_KNOWN,
    Sight,
    find_leader,
    look_around,
)
from pyrqlite.cluster.flight import SingleFlight
from pyrqlite.cluster.kinds import Kind
from pyrqlite.flow.steps import (
    Arrival,
    Flow,
    OutOfTime,
    Response,
    Sleep,
    Together,
)
from tests.unit.cluster.world import Told, World, listed, made, play, search
from tests.unit.nodes import Nodes


class TestLeader:
    def test_is_found(self) -> None:
        known = made()
        sight = search(World({"a": Told(), "b": Told(leads=True), "c": Told()}), known)
        assert sight.leader is not None
        assert sight.leader.host == "b"
        assert known.nodes.leader == sight.leader

    def test_of_an_earlier_term_is_none(self) -> None:
        world = World({"a": Told(term=3), "b": Told(leads=True, term=2), "c": Told(term=3)})
        assert search(world, made()).leader is None

    def test_of_the_latest_term(self) -> None:
        old, new = Told(leads=True, term=2), Told(leads=True, term=3, seconds=0.1)
        sight = search(World({"a": old, "b": Told(term=2), "c": new}), made())
        # The first two have a majority, and neither knows of the third.
        assert sight.leader is not None
        world = World({"a": old, "b": Told(term=3), "c": new})
        sight = search(world, made())
        assert sight.leader is not None
        assert sight.leader.host == "c"

    @pytest.mark.parametrize("seconds", [0.0, 0.1, 1.0])
    def test_of_another_cluster_is_none(self, seconds: float) -> None:
        """A node that has lost its data, and leads itself; or the address is another cluster's by now."""
        for stranger in (
            Told(leads=True, term=9, members=("a",), seconds=seconds),
            Told(leads=True, term=9, members=("x", "y"), seconds=seconds),
            Told(term=9, members=("x", "y"), seconds=seconds),
        ):
            world = World(
                {"a": stranger, "b": Told(leads=True, term=3), "c": Told(term=3, seconds=0.5)}
            )
            sight = search(world, made())
            assert sight.leader is not None
            assert sight.leader.host == "b"
            world.told["b"].leads = False
            sight = search(world, made())
            assert sight.leader is None
            assert "a" not in {node.host for node in sight.followers}

    def test_of_whom_the_latest_term_is_known(self) -> None:
        """A node that has lost its data, and one that has not: there is no third to ask."""
        world = World({"a": Told(leads=True, term=2, members=("a",)), "b": Told(term=5)})
        assert search(world, made()).leader is None
        world = World({"a": Told(term=5, members=("a", "b", "x")), "b": Told(leads=True, term=5)})
        assert search(world, made()).leader is not None

    def test_does_not_wait_for_a_silent_node(self) -> None:
        world = World({"a": Told(silent=True), "b": Told(leads=True), "c": Told()})
        known = made()
        assert search(world, known).leader is not None
        assert not known.nodes.is_resting(known.nodes.seeds[0])

    def test_followers_count_when_they_have_heard_of_one_since(self) -> None:
        known = made()
        known.nodes.is_leader(known.nodes.seeds[0])
        known.nodes.failed(known.nodes.seeds[0])
        world = World({"b": Told(contact="0.1ns", seconds=0), "c": Told(contact="1m2.5s")})
        sight = search(world, known)
        assert sight.leader is None
        assert [node.host for node in sight.followers] == ["b"]
        assert {node.host for node in sight.answered} == {"b", "c"}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b'"store"',
            b"\xff",
            b"[" * 5000,
            b'{"node_id": "b", "raft": {"state": "Leader"}, "nodes": []}',
            b'{"node_id": "b", "raft": {"state": "Leader", "term": "x", "last_contact": 0}, "nodes": []}',
            b'{"node_id": "b", "raft": {"state": "Leader", "term": 1e999, "last_contact": 0}, "nodes": []}',
            b'{"node_id": "b", "raft": {"state": "Leader", "term": 2, "last_contact": 0}, "nodes": 5}',
        ],
    )
    def test_nonsense_is_nobodys_word(self, body: bytes) -> None:
        def together(step: Together) -> list[Arrival]:
            found = []
            for send in step.sends:
                found.append(Arrival(send.node, Response(200, {}, body, send.node), 0.1))
                if step.enough(found):
                    break
            return found

        sight = Nodes(together=together).play(find_leader(made()))
        assert sight == Sight(None, [], [])


class TestLookingAround:
    def look(self, world: World, known: Cluster) -> list[str]:
        play(world, look_around(known))
        return [node.host for node in known.nodes.known]

    def test_nodes_are_found(self) -> None:
        nodes = {"a": Told(leads=True, nodes=listed("a", "b", "c")), "b": Told(), "c": Told()}
        known = made("a")
        assert self.look(World(nodes), known) == ["a", "b", "c"]
        assert known.nodes.leader == known.nodes.seeds[0]

    def test_only_where_it_is_wanted(self) -> None:
        nodes = {"a": Told(leads=True, nodes=listed("a", "b", "c")), "b": Told(), "c": Told()}
        assert self.look(World(nodes), made("a", discovery=False)) == ["a"]

    def test_ones_that_cannot_be_reached_are_left_out(self) -> None:
        world = World({"a": Told(leads=True, nodes=listed("a", "b", "c")), "c": Told()})
        assert self.look(world, made("a")) == ["a", "c"]

    def test_address_of_another_machine_is_left_out(self) -> None:
        """Behind NAT an advertised address may be anybody's."""
        nodes = {"a": Told(leads=True, nodes=listed("a", "b")), "b": Told(id="someone else")}
        assert self.look(World(nodes), made("a")) == ["a"]

    def test_users_address_of_a_node_is_kept(self) -> None:
        nodes = {"nat": Told(id="a", leads=True, nodes=listed("a", "b")), "b": Told(), "a": Told()}
        known = made("nat")
        assert self.look(World(nodes), known) == ["nat", "b"]

    def test_a_node_that_is_down_is_kept_while_it_is_listed(self) -> None:
        leader = Told(leads=True, nodes=listed("a", "b", "c"))
        world = World({"a": leader, "b": Told(), "c": Told()})
        known = made("a")
        self.look(world, known)
        del world.told["c"]
        leader.nodes = {"nodes": [*listed("a", "b")["nodes"], {"id": "c", "reachable": False}]}
        assert sorted(self.look(world, known)) == ["a", "b", "c"]

    def test_cluster_that_changes(self) -> None:
        leader = Told(leads=True, nodes=listed("a", "b", "c"))
        world = World({"a": leader, "b": Told(), "c": Told()})
        known = made("a,b")
        assert self.look(world, known) == ["a", "b", "c"]
        leader.nodes, leader.members = listed("a", "b", "d"), ("a", "b", "d")
        world.told["d"] = Told()
        assert self.look(world, known) == ["a", "b", "d"]
        leader.nodes, leader.members = listed("a", "d"), ("a", "d")
        assert self.look(world, known) == ["a", "d", "b"]  # to be looked at, not asked
        assert [node.host for node in known.nodes.others(())] == ["a", "d"]
        leader.nodes, leader.members = listed("a", "b"), ("a", "b")
        assert self.look(world, known) == ["a", "b"]

    def test_a_follower_is_not_believed(self) -> None:
        world = World({"a": Told(nodes=listed("a", "evil")), "evil": Told()})
        assert self.look(world, made("a")) == ["a"]
        assert world.asked == ["a /status"]

    def test_translator(self) -> None:
        nodes = {"a": Told(leads=True, nodes=listed("a", "b", "c")), "outside": Told(id="c")}
        addresses = {"http://c:4001": "http://outside:1"}
        known = made("a", translate_address=addresses.get)
        assert self.look(World(nodes), known) == ["a", "outside"]

    def test_thousands(self) -> None:
        hosts = [f"n{number}" for number in range(5000)]
        world = World({host: Told() for host in hosts})
        world.told["a"] = Told(leads=True, nodes=listed("a", *hosts))
        known = made("a")
        assert len(self.look(world, known)) <= MOST_KNOWN + 1
        assert len(world.asked) <= 2 * MOST_ASKED + 2

    @pytest.mark.parametrize(
        "nodes",
        [
            None,
            b"",
            [],
            {"nodes": None},
            {"nodes": {}},
            {"nodes": 5},
            {"nodes": [5]},
            {"nodes": [{}]},
            {"a": {"api_addr": "http://evil:1"}},
            {
                "nodes": [
                    {"id": "x", "api_addr": address}
                    for address in ("", 5, None, "evil:1", "ftp://evil:1")
                ]
            },
            {"nodes": [{"id": ["evil"], "api_addr": "http://evil:0"}]},
            {"nodes": [{"id": "x", "api_addr": "file:///etc/passwd"}]},
            {"nodes": [{"id": "x", "api_addr": "http://evil\r\nHost: x:1"}]},
        ],
    )
    def test_garbage(self, nodes: object) -> None:
        world = World({"a": Told(leads=True, nodes=nodes), "evil": Told()})
        assert self.look(world, made("a")) == ["a"]
        assert not [asked for asked in world.asked if "evil" in asked]

    def test_no_credentials_without_tls(self) -> None:
        world = World({"a": Told(leads=True, nodes=listed("a", "b")), "b": Told()})
        known = made("a", scheme="https", user="me", password="secret")
        assert self.look(world, known) == ["a"]

    def test_latencies_are_measured(self) -> None:
        nodes = {
            "a": Told(leads=True, seconds=0.05),
            "b": Told(seconds=0.002),
            "c": Told(silent=True),
        }
        known = made(discovery=False)
        self.look(World(nodes), known)
        assert known.nodes.first(Kind.LOCAL).host == "b"
        assert known.nodes.is_resting(known.nodes.seeds[2])


class TestWhen:
    """Looking around costs short-lived connections nothing."""

    def test_not_at_once(self) -> None:
        assert not made().is_time_to_look(Kind.WRITE)

    def test_one_of_all_threads(self) -> None:
        known = made()
        known._next_look = 0.0
        assert [known.is_time_to_look(Kind.WRITE) for _ in range(3)] == [True, False, False]

    def test_never_without_a_use(self) -> None:
        known = made("a", discovery=False)
        known.look_soon()
        assert known._next_look == float("inf")

    def test_only_for_reads_without_discovery(self) -> None:
        known = made(discovery=False)
        known._next_look = 0.0
        assert not known.is_time_to_look(Kind.WRITE)
        assert known.is_time_to_look(Kind.LOCAL)


class TestSingleFlight:
    def flight(self) -> Flow[str]:
        yield Sleep(7.0)
        return "found"

    def test_others_wait_and_take_the_result(self) -> None:
        flights: SingleFlight[str] = SingleFlight(60.0)
        first, second = flights.run(self.flight), flights.run(self.flight)
        assert next(first) == Sleep(7.0)
        waiting = next(second)
        assert isinstance(waiting, Sleep)
        assert waiting.seconds < 0.1
        assert next(second) == waiting
        with pytest.raises(StopIteration, match="found"):
            first.send(None)
        with pytest.raises(StopIteration, match="found"):
            second.send(None)

    def test_the_next_looks_anew(self) -> None:
        flights: SingleFlight[str] = SingleFlight(60.0)
        for _ in range(2):
            flow = flights.run(self.flight)
            assert next(flow) == Sleep(7.0)
            with pytest.raises(StopIteration, match="found"):
                flow.send(None)

    @pytest.mark.parametrize("end", ["close", "throw"])
    def test_one_that_was_given_up_is_replaced(self, end: str) -> None:
        flights: SingleFlight[str] = SingleFlight(60.0)
        first, second = flights.run(self.flight), flights.run(self.flight)
        next(first)
        next(second)
        if end == "close":
            first.close()
        else:
            with pytest.raises(KeyboardInterrupt):
                first.throw(KeyboardInterrupt())
        assert second.send(None) == Sleep(7.0)
        with pytest.raises(StopIteration, match="found"):
            second.send(None)

    def test_one_that_takes_too_long_is_replaced(self) -> None:
        flights: SingleFlight[str] = SingleFlight(-1.0)
        first = flights.run(self.flight)
        next(first)
        assert next(flights.run(self.flight)) == Sleep(7.0)

    def test_nobody_waits_behind_a_deadline(self) -> None:
        flights: SingleFlight[str] = SingleFlight(60.0)
        first, second = flights.run(self.flight), flights.run(self.flight)
        next(first)
        next(second)
        with pytest.raises(StopIteration) as stopped:
            second.throw(OutOfTime("over"))
        assert stopped.value.value is None
