"""Which node is asked: rests, the leader, members that come and go, selectors."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite import InterfaceError
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node, node_from_url
from pyrqlite.cluster.pool import FIRST_REST, LONGEST_REST, Member, NodePool
from pyrqlite.cluster.selectors import (
    Leader,
    Nearest,
    NodeSelector,
    Random,
    RoundRobin,
    View,
    make_selector,
)

A, B, C, D = (Node("http", name, 4001) for name in "abcd")


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> NodePool:
    return NodePool([A, B, C], clock=clock)


class TestRests:
    def test_a_node_that_failed_is_asked_last(self, pool: NodePool) -> None:
        pool.failed(A)
        assert pool.others(()) == [B, C, A]
        assert pool.first(Kind.WRITE) == pool.first(Kind.LOCAL) == B

    def test_its_rest_ends(self, pool: NodePool, clock: Clock) -> None:
        pool.failed(A)
        clock.now += FIRST_REST
        assert not pool.is_resting(A)
        assert pool.others(()) == [A, B, C]

    def test_rests_grow_to_a_limit(self, pool: NodePool, clock: Clock) -> None:
        seconds = []
        for _ in range(12):
            pool.failed(A)
            began = clock.now
            while pool.is_resting(A):
                clock.now += FIRST_REST
            seconds.append(clock.now - began)
        assert seconds[:4] == [FIRST_REST * 2**n for n in range(4)]
        assert seconds[-1] == LONGEST_REST
        assert pool.seconds_failing(A) == sum(seconds)

    def test_failures_at_rest_change_nothing(self, pool: NodePool, clock: Clock) -> None:
        for _ in range(20):
            pool.failed(A)
        clock.now += FIRST_REST
        assert not pool.is_resting(A)

    def test_an_answer_ends_it(self, pool: NodePool) -> None:
        pool.failed(A)
        pool.answered(A)
        assert pool.others(()) == [A, B, C]
        assert pool.seconds_failing(A) == 0

    def test_all_at_rest_are_asked_all_the_same(self, pool: NodePool, clock: Clock) -> None:
        for node in (B, C, A):
            pool.failed(node)
            clock.now += 0.1
        assert pool.others(()) == [B, C, A]
        assert pool.first(Kind.WRITE) == B
        assert pool.first(Kind.LOCAL) in (A, B, C)

    def test_what_is_learnt_while_a_read_chooses_counts_for_the_next(self, clock: Clock) -> None:
        class Learning:
            """Another thread's failure comes when the clock is looked at for the last time."""

            looks = 0

            def __call__(self) -> float:
                self.looks -= 1
                if self.looks == 0:
                    own.failed(A)
                return clock.now

        learning = Learning()
        own = NodePool([A, B], Leader(), learning)
        own.failed(B)
        clock.now += FIRST_REST
        learning.looks = 3
        assert own.first(Kind.LOCAL) == A
        assert learning.looks < 0
        assert own.first(Kind.LOCAL) == B

    def test_a_read_goes_back_when_a_rest_is_over(self, clock: Clock) -> None:
        pool = NodePool([A, B], Leader(), clock)
        pool.failed(A)
        assert pool.first(Kind.LOCAL) == B
        clock.now += FIRST_REST
        assert pool.first(Kind.LOCAL) == A


class TestLeader:
    def test_is_asked_first_where_it_is_known(self, pool: NodePool) -> None:
        assert pool.first(Kind.WRITE) == A
        pool.is_leader(C)
        assert pool.first(Kind.WRITE) == pool.first(Kind.READ) == C

    @pytest.mark.parametrize("how", ["failed", "no_leader"])
    def test_is_forgotten(self, pool: NodePool, clock: Clock, how: str) -> None:
        pool.is_leader(D)
        assert pool.lost_at is None
        getattr(pool, how)(D)
        assert pool.leader is None
        assert pool.lost_at == clock.now

    def test_is_forgotten_though_it_rests_already(self, pool: NodePool) -> None:
        pool.failed(B)
        pool.is_leader(B)
        pool.failed(B)
        assert pool.leader is None

    def test_others_do_not_matter(self, pool: NodePool) -> None:
        pool.is_leader(A)
        pool.failed(B)
        pool.no_leader(C)
        assert (pool.leader, pool.lost_at) == (A, None)


class TestMembers:
    def test_are_asked_behind_the_users_nodes(self, pool: NodePool) -> None:
        pool.learn({D: Member("4", True), B: Member("2", True)}, ())
        assert pool.others(()) == pool.known == [A, B, C, D]

    def test_are_dropped_when_they_are_not_listed(self, pool: NodePool) -> None:
        pool.learn({D: Member("4", True)}, ())
        pool.failed(D)
        pool.learn({}, ())
        assert D not in pool.known
        assert not pool.is_resting(D)

    def test_users_nodes_are_never_forgotten(self, pool: NodePool) -> None:
        pool.learn({A: Member("1", True)}, [B, C])
        assert pool.others(()) == [A]
        assert pool.known == [A, B, C]
        pool.learn({}, [A, B, C])
        assert pool.others(()) == [A, B, C]
        pool.learn({}, ())
        assert pool.others(()) == [A, B, C]

    def test_read_replicas_answer_auto(self, pool: NodePool) -> None:
        assert pool.first(Kind.AUTO) == A
        pool.is_leader(B)
        pool.learn({B: Member("2", True), C: Member("3", False)}, ())
        assert pool.first(Kind.AUTO) == C
        pool.failed(C)
        assert pool.first(Kind.AUTO) == B
        assert pool.first(Kind.WRITE) == B


class TestNearest:
    def select(self, nearest: Nearest, **milliseconds: float) -> str:
        nodes = {
            node: milliseconds[node.host] / 1000 for node in (A, B, C) if node.host in milliseconds
        }
        return nearest.select(View((A, B, C), None, nodes)).host

    def test_unmeasured(self) -> None:
        assert self.select(Nearest()) == "a"

    def test_fastest(self) -> None:
        assert self.select(Nearest(), a=30, b=10, c=20) == "b"

    def test_measured_before_unmeasured(self) -> None:
        assert self.select(Nearest(), c=20) == "c"

    def test_small_differences_move_nothing(self) -> None:
        nearest = Nearest()
        assert self.select(nearest, a=10, b=11) == "a"
        assert self.select(nearest, a=11, b=8) == "a"
        assert self.select(nearest, a=11, b=7) == "b"
        assert self.select(nearest, a=9, b=11) == "b"
        assert self.select(nearest, a=0.4, b=0.8) == "b"
        assert self.select(nearest, a=0.2, b=0.8) == "a"

    def test_one_that_is_gone_is_replaced(self) -> None:
        nearest = Nearest()
        assert self.select(nearest, a=10, b=11) == "a"
        assert nearest.select(View((B, C), None, {B: 0.011})) == B

    @given(st.lists(st.dictionaries(st.sampled_from([A, B, C]), st.floats(1e-6, 10)), max_size=20))
    def test_never_much_worse_than_the_best(self, measurements: list[dict[Node, float]]) -> None:
        nearest = Nearest()
        for latency in measurements:
            chosen = nearest.select(View((A, B, C), None, latency))
            if latency:
                best = min(latency.values())
                assert latency[chosen] <= max(best * 1.5, best + 0.0005) * (1 + 1e-9)

    def test_outliers_weigh_little(self, pool: NodePool) -> None:
        pool.measured(A, 0.001)
        pool.measured(B, 0.002)
        assert pool.first(Kind.LOCAL) == A
        pool.measured(A, 0.003)
        assert pool.first(Kind.LOCAL) == A
        for _ in range(20):
            pool.measured(A, 0.020)
        assert pool.first(Kind.LOCAL) == B


class TestSelectors:
    VIEW = View((A, B, C), B, {})

    def test_leader(self) -> None:
        assert Leader().select(self.VIEW) == B
        assert Leader().select(View((A, B), None, {})) == A

    def test_round_robin(self) -> None:
        selector = RoundRobin()
        assert [selector.select(self.VIEW) for _ in range(4)] == [A, B, C, A]

    def test_random(self) -> None:
        selector = Random()
        seen = Counter(selector.select(self.VIEW) for _ in range(600))
        assert set(seen) == {A, B, C}
        assert min(seen.values()) > 100

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("leader", Leader), ("nearest", Nearest), ("round_robin", RoundRobin), ("random", Random)],
    )
    def test_names(self, name: str, kind: type) -> None:
        assert type(make_selector(name)) is kind

    def test_unknown_name(self) -> None:
        with pytest.raises(InterfaceError, match="round_robin"):
            make_selector("fastest")

    def test_ones_own(self, pool: NodePool) -> None:
        class Last:
            def select(self, view: View) -> Node:
                return view.nodes[-1]

        last: NodeSelector = Last()
        assert make_selector(last) is last
        own = NodePool([A, B, C], last)
        assert own.first(Kind.LOCAL) == C
        own.failed(C)
        assert own.first(Kind.LOCAL) == B
        assert own.first(Kind.WRITE) == A


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:4001",
        "//host:4001",
        "ftp://host:4001",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://:4001",
        "http://host:0",
        "http://host:65536",
        "http://host:-1",
        "http://host:x",
        "http://ho st:4001",
        "http://host\r\nX-Evil: 1:4001",
        "http://host\x00:4001",
        "http://[::1:4001",
        "http://a,b:4001",
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        print(node_from_url(url))


@pytest.mark.parametrize(
    ("url", "node"),
    [
        ("http://host:4001", Node("http", "host", 4001)),
        ("http://host", Node("http", "host", 80)),
        ("https://host/", Node("https", "host", 443)),
        ("HTTP://Host:4001/db/execute?redirect", Node("http", "host", 4001)),
        ("http://[::1]:4001", Node("http", "::1", 4001)),
        ("http://[fe80::1%eth0]:4001", Node("http", "fe80::1%eth0", 4001)),
        ("http://user:password@host:4001", Node("http", "host", 4001)),
        (
            "http://rqlite-0.rqlite_internal.svc:4001",
            Node("http", "rqlite-0.rqlite_internal.svc", 4001),
        ),
    ],
)
def test_addresses(url: str, node: Node) -> None:
    assert node_from_url(url) == node
