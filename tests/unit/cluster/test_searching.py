"""Requests that look for the leader, or for another node, before they are sent again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrqlite import OutcomeUnknownError
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.discovery import (
    is_worth_waiting,
    look_around,
)
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.cluster.pool import NodePool
from pyrqlite.errors import NoLeaderError, UnreachableError
from pyrqlite.flow.exchange import REDIRECT, _Call, exchange
from pyrqlite.flow.steps import (
    AnswerLost,
    Arrival,
    GivenUp,
    NotSent,
    Request,
    Sleep,
    Together,
    TurnedAway,
)
from tests.unit.cluster.world import LOCAL, OK, READ, WRITE, Told, World, made, play
from tests.unit.nodes import Answering, Nodes, Reply, redirect


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
        assert sorted(attempt[:2] for attempt in caught.value.attempts) == [
            ("http://a:4001", "silence"),
            ("http://b:4001", "says that it does not lead"),
            ("http://c:4001", "says that it does not lead"),
        ]
        assert "http://b:4001: says that it does not lead" in str(caught.value)

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
