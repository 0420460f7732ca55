"""Looking for the leader and for nodes: canned words of several nodes, lies among them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from pyrqlite import OutcomeUnknownError
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.discovery import (
    MOST_ASKED,
    MOST_KNOWN,
    Sight,
    find_leader,
    is_worth_waiting,
    look_around,
)
from pyrqlite.cluster.flight import SingleFlight
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.cluster.pool import NodePool
from pyrqlite.errors import NoLeaderError, UnreachableError
from pyrqlite.flow.exchange import REDIRECT, _Call, exchange
from pyrqlite.flow.steps import (
    AnswerLost,
    Arrival,
    Flow,
    GivenUp,
    NotSent,
    OutOfTime,
    Request,
    Response,
    Sleep,
    Together,
    TurnedAway,
)
from tests.unit.nodes import Answering, Nodes, Reply, attempts, cluster, redirect, results

WRITE = Request("POST", f"/db/execute?{REDIRECT}", b"[]", False, 3.0, Kind.WRITE)
READ = Request("POST", f"/db/query?{REDIRECT}", b"[]", True, 3.0, Kind.READ)
LOCAL = Request("POST", "/db/query?level=none", b"[]", True, 3.0, Kind.LOCAL)
OK = results({"rows_affected": 1})


@dataclass
class Told:
    """What a node says of itself. `silent`: nothing at all; `mute`: that it may not."""

    id: str = ""
    leads: bool = False
    term: int = 2
    contact: object = "10ms"
    members: tuple[str, ...] = ("a", "b", "c")
    silent: bool = False
    mute: bool = False
    nodes: object = None
    seconds: float = 0.001


@dataclass
class World:
    """Nodes by their hosts; those that are not there refuse connections."""

    told: dict[str, Told] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, node: Node, target: str) -> Arrival | None:
        self.asked.append(f"{node.host} {target.partition('?')[0]}")
        told = self.told.get(node.host)
        if told is None:
            return Arrival(node, NotSent("refused"), 0.001)
        if told.silent:
            return None
        if told.mute:
            return Arrival(node, Response(401, {}, b"", node), told.seconds)
        said: Any = told.nodes if target.startswith("/nodes") else self._store(node.host, told)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return Arrival(node, Response(200, {}, body, node), told.seconds)

    def _store(self, host: str, told: Told) -> Mapping[str, object]:
        return {
            "node_id": told.id or host,
            "raft": {
                "state": "Leader" if told.leads else "Follower",
                "term": told.term,
                "last_contact": 0 if told.leads else told.contact,
            },
            "nodes": [{"id": each} for each in told.members],
        }

    def together(self, step: Together) -> list[Arrival]:
        found: list[Arrival] = []
        answers = [self.answer(send.node, send.request.target) for send in step.sends]
        for arrival in sorted((a for a in answers if a), key=lambda arrival: arrival.seconds):
            found.append(arrival)
            if step.enough(found):
                break
        return found


def listed(*hosts: str, **more: Any) -> dict[str, Any]:
    return {
        "nodes": [{"id": h, "api_addr": f"http://{h}:4001", "voter": True, **more} for h in hosts]
    }


def play(world: World, flow: Flow[Any], *replies: Answering) -> tuple[Any, Nodes]:
    nodes = Nodes(*replies, together=world.together)
    return nodes.play(flow), nodes


def made(host: str = "a,b,c", **options: Any) -> Cluster:
    return cluster(host=host, **{"discovery": True, "retry": attempts(4), **options})


def search(world: World, known: Cluster) -> Sight:
    sight: Sight = play(world, find_leader(known))[0]
    return sight


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


class TestWrites:
    """Writes around the loss of a leader."""

    def lost(self, known: Cluster, world: World) -> None:
        """Have the driver know a leader, and lose it."""
        known.nodes.is_leader(known.nodes.seeds[0])
        nodes = Nodes(AnswerLost("silence", timed_out=True), together=world.together)
        with pytest.raises(OutcomeUnknownError):
            nodes.play(exchange(known, WRITE))

    def test_nobody_is_asked_before_the_search(self) -> None:
        """A follower whose leader is stopped would keep the write for a minute."""
        known = made()
        world = World({"a": Told(silent=True), "b": Told(contact="5s"), "c": Told(contact="5s")})
        self.lost(known, world)
        nodes = Nodes(together=world.together)
        with pytest.raises(NoLeaderError) as caught:
            nodes.play(exchange(known, WRITE))
        assert nodes.sent == []
        assert len(nodes.looks) == 4
        assert caught.value.attempts == ()
        assert "no node says that it leads" in str(caught.value)

    def test_another_thread_has_found_the_leader_just_now(self) -> None:
        known = made()
        known.nodes.is_leader(known.nodes.seeds[1])
        _, nodes = play(World(), _Call(known, WRITE).begin(), OK)
        assert nodes.hosts == ["b"]

    def test_new_leader_is_asked(self) -> None:
        known = made()
        world = World({"a": Told(silent=True), "b": Told(contact="5s"), "c": Told(contact="5s")})
        self.lost(known, world)

        def elect(step: Together) -> list[Arrival]:
            if len(nodes.looks) == 3:
                world.told["c"] = Told(leads=True, term=3)
                world.told["b"] = Told(term=3)
            return world.together(step)

        nodes = Nodes(OK, together=elect)
        assert nodes.play(exchange(known, WRITE)).node.host == "c"
        assert len(nodes.slept) == 2

    def test_nodes_that_may_not_tell_are_asked_by_the_write_itself(self) -> None:
        known = made()
        world = World({"b": Told(mute=True), "c": Told(mute=True)})
        self.lost(known, world)
        answers = [redirect("http://c:4001/"), OK]
        _, nodes = play(world, exchange(known, WRITE), *answers)
        assert nodes.hosts == ["b", "c"]

    def test_leader_that_cannot_be_reached_is_reached_by_a_follower(self) -> None:
        known = made(host="b")
        world = World({"b": Told(contact="-")})
        refused = NotSent("refused")
        nodes = Nodes(redirect("http://x:4001/"), refused, together=world.together)
        b = known.nodes.seeds[0]

        def heard(step: Together) -> list[Arrival]:
            # Just now, so later than the leader was lost.
            world.told["b"] = Told(contact=0, seconds=0)
            return world.together(step)

        nodes = Nodes(
            redirect("http://x:4001/"), refused, redirect("http://x:4001/"), OK, OK, together=heard
        )
        assert nodes.run(exchange(known, WRITE)).node == b
        assert nodes.hosts == ["b", "x", "b", "b"]
        assert REDIRECT not in nodes.sent[-1].request.target
        # From now on at once, without a redirect.
        nodes.play(exchange(known, WRITE))
        assert nodes.hosts[4:] == ["b"]

    def test_address_of_several_nodes(self) -> None:
        """A load balancer's, which all of them advertise: there is nowhere else to go."""
        known = made(host="a")
        here = redirect("http://a:4001/")
        _, nodes = play(World(), exchange(known, WRITE), here, here, OK)
        assert nodes.hosts == ["a", "a", "a"]
        assert [REDIRECT in sent.request.target for sent in nodes.sent] == [True, True, False]
        _, nodes = play(World(), exchange(known, WRITE), OK)
        assert REDIRECT not in nodes.sent[0].request.target

    def test_detour_ends_when_somebody_sees_the_leader(self) -> None:
        known = made(host="b")
        known.nodes.pass_on(known.nodes.seeds[0], Node("http", "x", 4001))
        play(World({"b": Told(), "x": Told(leads=True)}), look_around(known))
        assert known.nodes.detour is None
        assert known.nodes.leader == Node("http", "x", 4001)

    def test_detour_ends_when_the_leader_can_be_reached(self) -> None:
        known = made(host="b")
        [b] = known.nodes.seeds
        x = Node("http", "x", 4001)
        known.nodes.pass_on(b, x)
        world = World({"b": Told(), "x": Told(leads=True)})
        _, nodes = play(world, exchange(known, WRITE), OK)
        assert nodes.hosts == ["b"]
        assert known.nodes.detour is not None
        known.nodes.detour = known.nodes.detour._replace(until=0.0)
        _, nodes = play(world, exchange(known, WRITE), OK)
        assert nodes.hosts == ["x"]
        assert known.nodes.detour is None

    def test_detour_ends_when_its_node_fails(self) -> None:
        known = made(host="b,c")
        b, _ = known.nodes.seeds
        known.nodes.pass_on(b, Node("http", "x", 4001))
        world = World({"c": Told(leads=True)})
        _, nodes = play(world, exchange(known, WRITE), NotSent("refused"), OK)
        assert nodes.hosts == ["b", "c"]
        assert REDIRECT in nodes.sent[-1].request.target
        assert known.nodes.detour is None

    def test_detour_lasts_longer_each_time(self) -> None:
        known = made(host="b")
        [b] = known.nodes.seeds
        known.nodes.pass_on(b, Node("http", "x", 4001))
        assert known.nodes.detour is not None
        first = known.nodes.detour.seconds
        known.nodes.detour = known.nodes.detour._replace(until=0.0)
        world = World({"b": Told()})
        play(world, exchange(known, WRITE), OK)
        assert known.nodes.detour.seconds == first * 2


class TestFirstRequest:
    """Nobody knows yet who leads."""

    def test_goes_to_the_leader(self) -> None:
        world = World({"a": Told(), "b": Told(leads=True), "c": Told()})
        _, nodes = play(world, exchange(made(), WRITE), OK)
        assert nodes.hosts == ["b"]

    def test_is_not_kept_by_a_follower_whose_leader_is_stopped(self) -> None:
        old = Told(contact="5s")
        world = World({"a": old, "b": Told(silent=True), "c": old})

        def elect(step: Together) -> list[Arrival]:
            if len(nodes.looks) == 3:
                world.told.update(a=Told(term=3), c=Told(leads=True, term=3))
            return world.together(step)

        nodes = Nodes(OK, together=elect)
        nodes.play(exchange(made(), WRITE))
        assert nodes.hosts == ["c"]

    def test_waits_for_the_next_leader_of_followers_that_heard_the_last_one_just_now(self) -> None:
        """They do not know yet that it is stopped, and would not say a word of it."""
        heard = Told(contact=0, seconds=0)
        world = World({"a": heard, "b": Told(silent=True), "c": heard})

        def elect(step: Together) -> list[Arrival]:
            if len(nodes.looks) == 2:
                world.told.update(a=Told(term=3), c=Told(leads=True, term=3))
            return world.together(step)

        nodes = Nodes(OK, together=elect)
        nodes.play(exchange(made(), READ))
        assert nodes.hosts == ["c"]

    def test_goes_to_a_follower_of_a_leader_that_cannot_be_reached(self) -> None:
        world = World({"a": Told(contact=0, seconds=0), "b": Told(contact=0, seconds=0)})
        here, refused = redirect("http://x:4001/"), NotSent("refused")
        _, nodes = play(world, exchange(made("a,b"), READ), here, refused, here, OK)
        assert nodes.hosts == ["a", "x", "a", "a"]
        assert REDIRECT not in nodes.sent[-1].request.target
        assert (
            len(nodes.looks) > 1
        )  # only what is heard behind the first is proof that the leader is alive

    def test_of_a_single_node_is_what_finds_the_leader(self) -> None:
        _, nodes = play(World(), exchange(made("a"), WRITE), redirect("http://b:4001/"), OK)
        assert nodes.hosts == ["a", "b"]
        assert nodes.looks == []

    def test_at_the_level_none_is_answered_by_whom_it_reaches(self) -> None:
        _, nodes = play(World(), exchange(made(), LOCAL), OK)
        assert nodes.looks == []


def silent(times: int = 3) -> Callable[[Node, Request], Reply]:
    """A node that answers only when it was waited for so often, unless it is given up."""

    def reply(node: Node, request: Request) -> Reply:
        assert request.watch is not None
        for _ in range(times):
            if not request.watch():
                raise GivenUp
        return OK

    return reply


class TestSilence:
    """The leader that is known keeps silent behind a request."""

    def ask(self, world: World, request: Request, *replies: Answering) -> list[str]:
        known = made()
        known.nodes.is_leader(known.nodes.seeds[0])
        return play(world, exchange(known, request), *replies)[1].hosts

    def test_read_goes_to_the_new_leader(self) -> None:
        world = World({"a": Told(silent=True), "b": Told(term=3), "c": Told(leads=True, term=3)})
        assert self.ask(world, READ, silent(), OK) == ["a", "c"]

    def test_write_is_given_up(self) -> None:
        world = World({"a": Told(silent=True), "b": Told(term=3), "c": Told(leads=True, term=3)})
        with pytest.raises(OutcomeUnknownError, match="go on without it"):
            self.ask(world, WRITE, silent())

    def test_there_is_no_other_leader_yet(self) -> None:
        world = World({"a": Told(silent=True), "b": Told(), "c": Told()})
        for request in (READ, WRITE):
            assert self.ask(world, request, silent()) == ["a"]

    def test_it_is_well(self) -> None:
        world = World({"a": Told(leads=True), "b": Told(), "c": Told()})
        for request in (READ, WRITE):
            assert self.ask(world, request, silent()) == ["a"]

    def test_it_is_well_and_leads_no_more(self) -> None:
        """It may still be at the write, and say so; a read is quicker elsewhere."""
        world = World({"a": Told(term=3), "b": Told(term=3), "c": Told(leads=True, term=3)})
        assert self.ask(world, WRITE, silent()) == ["a"]
        assert self.ask(world, READ, silent(), OK) == ["a", "c"]

    def test_it_leads_only_now(self) -> None:
        """A follower was asked that pointed to no leader, and has become the next one meanwhile."""
        world = World({"a": Told(silent=True), "b": Told(leads=True, term=3), "c": Told(term=3)})
        known = made()
        known.nodes.lost_at = None
        known.nodes.failed(known.nodes.seeds[0])
        _, nodes = play(world, exchange(known, READ), silent(), OK)
        assert nodes.hosts == ["b", "b"]

    def test_a_write_that_waited_behind_another_goes_on(self) -> None:
        """It was never sent, and says nothing new of the node."""
        known = made()
        first, *_, last = known.nodes.seeds
        known.nodes.is_leader(first)

        def turned_away(node: Node, request: Request) -> Reply:
            known.nodes.is_leader(last)
            raise TurnedAway("others go on")

        _, nodes = play(World(), exchange(known, WRITE), turned_away, OK)
        assert nodes.hosts == ["a", "c"]
        assert not known.nodes.is_resting(first)

    def test_nobody_else_can_be_reached(self) -> None:
        for request in (READ, WRITE):
            assert self.ask(World(), request, silent()) == ["a"]

    def test_nobody_may_tell(self) -> None:
        world = World({host: Told(mute=True) for host in "abc"})
        for request in (READ, WRITE):
            assert self.ask(world, request, silent()) == ["a"]

    def test_nobody_else_is_known(self) -> None:
        known = made("a")
        _, nodes = play(World(), exchange(known, WRITE), silent())
        assert nodes.looks == []

    def test_read_at_the_level_none_goes_to_another_node(self) -> None:
        assert self.ask(World({"b": Told()}), LOCAL, silent(), OK)[1:] == ["b"]
        assert len(self.ask(World({host: Told() for host in "abc"}), LOCAL, silent())) == 1

    def test_threads_share_a_look(self) -> None:
        known = made()
        world = World({"a": Told(leads=True), "b": Told(), "c": Told()})
        watching = is_worth_waiting(known, known.nodes.seeds[0], Kind.READ, led=True)
        look = next(watching)
        assert isinstance(look, Together)
        also = is_worth_waiting(known, known.nodes.seeds[0], Kind.READ, led=True)
        assert isinstance(next(also), Sleep)
        with pytest.raises(StopIteration) as first:
            watching.send(world.together(look))
        with pytest.raises(StopIteration) as second:
            also.send(None)
        assert first.value.value is second.value.value is True


class TestReads:
    SILENCE = AnswerLost("silence", timed_out=True)

    def test_new_leader_is_asked(self) -> None:
        known = made()
        known.nodes.is_leader(known.nodes.seeds[0])
        world = World({"b": Told(leads=True, term=3), "c": Told(term=3)})
        nodes = Nodes(self.SILENCE, OK, together=world.together)
        nodes.play(exchange(known, READ))
        assert nodes.hosts == ["a", "b"]

    def test_one_that_takes_too_long_is_not_begun_again(self) -> None:
        """The leader is well: it has only this to do for longer than was allowed."""
        known = made()
        world = World(
            {
                "a": Told(leads=True, seconds=0.5),
                "b": Told(contact=0, seconds=0),
                "c": Told(contact=0, seconds=0),
            }
        )
        nodes = Nodes(OK, self.SILENCE, OK, together=world.together)
        nodes.run(exchange(known, READ))
        with pytest.raises(UnreachableError, match="silence"):
            nodes.run(exchange(known, READ))
        assert nodes.hosts == ["a", "a"]
        nodes.play(exchange(known, READ))  # others are not kept waiting

    def test_one_whose_connection_broke_is(self) -> None:
        known = made()
        world = World({"a": Told(leads=True), "b": Told(), "c": Told()})
        nodes = Nodes(OK, AnswerLost("reset"), OK, together=world.together)
        nodes.run(exchange(known, READ))
        nodes.play(exchange(known, READ))
        assert nodes.hosts == ["a", "a", "a"]

    @pytest.mark.parametrize("found", ["a", "b"])
    def test_another_thread_finds_the_leader_before_this_one_has_searched(self, found: str) -> None:
        class Racing(NodePool):
            """Another thread has a result as soon as this one has decided to search."""

            @property
            def known(self) -> list[Node]:
                known = super().known
                self.is_leader(Node("http", found, 4001))
                return known

        known = made()
        known.nodes = Racing(known.nodes.seeds)
        known.nodes.is_leader(known.nodes.seeds[0])
        _, nodes = play(World(), exchange(known, READ), AnswerLost("reset"), OK)
        assert nodes.hosts == ["a", found]

    @pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
    def test_leader_dies_just_after_it_was_found(self, request_: Request) -> None:
        known = made()
        world = World({"a": Told(leads=True), "b": Told(contact="5s"), "c": Told(contact="5s")})

        def die(node: Node, request: Request) -> Reply:
            del world.told["a"]
            raise NotSent("refused") if request.kind is Kind.WRITE else AnswerLost("reset")

        def elect(step: Together) -> list[Arrival]:
            if len(nodes.looks) == 3:
                world.told["c"] = Told(leads=True, term=3)
            return world.together(step)

        nodes = Nodes(die, OK, together=elect)
        assert nodes.play(exchange(known, request_)).node.host == "c"
        assert len(nodes.slept) == 1

    def test_leader_that_breaks_every_connection(self) -> None:
        known = made()
        world = World({"a": Told(leads=True), "b": Told(), "c": Told()})
        nodes = Nodes(AnswerLost("reset"), AnswerLost("reset"), together=world.together)
        with pytest.raises(UnreachableError, match="reset"):
            nodes.play(exchange(known, READ))
        assert nodes.hosts == ["a", "a"]
        assert nodes.slept == []


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
