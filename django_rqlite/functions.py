"""SQL functions that Django's SQLite backend writes in Python, as templates of plain SQL where there can be one.

A template holds `%(expressions)s` once; a subquery names its arguments a, b, c.
What plain SQL cannot do needs a function of the server: rqlite's build of SQLite has no mathematical functions,
no REGEXP and no hashes, but a node may load extensions that have them.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from django.db.utils import NotSupportedError

_LIST = "json_group_array(%(distinct)s%(expressions)s)"


class Way(NamedTuple):
    """A template, and the functions of the server that it needs, in lower case."""

    template: str
    needs: frozenset[str] = frozenset()


def _of(arguments: str, body: str, *needs: str) -> Way:
    """A body over named arguments, which are written once: `a,b`."""
    text = f"(WITH _given({arguments}) AS (SELECT %(expressions)s) SELECT {body} FROM _given)"
    return Way(text, frozenset(needs))


def _repeated(count: str, text: str) -> str:
    return f"replace(hex(zeroblob({count})),'00',{text})"


def _plain(needs: str) -> Way:
    return Way(f"{needs}(%(expressions)s)", frozenset({needs}))


# Newton's method, from above: it has arrived when it no longer goes down.
def _root(value: str) -> str:
    return (
        f"(WITH RECURSIVE _root(v,x) AS (SELECT {value}+0.0,max({value},1.0) UNION ALL "
        "SELECT v,(x+v/x)/2 FROM _root WHERE (x+v/x)/2<x) "
        "SELECT CASE WHEN v>0 THEN min(x) WHEN v=0 THEN 0.0 END FROM _root)"
    )


# Long division: the largest y * 2^n that fits is taken away, then the next; every step is exact.
_REMAINDER = (
    "(WITH RECURSIVE _given(x,y) AS (SELECT %(expressions)s),"
    "_mod(a,p,up) AS (SELECT abs(x+0.0),abs(y+0.0),1 FROM _given WHERE y<>0 AND abs(x)<9e999 UNION ALL "
    "SELECT CASE WHEN up OR a<p THEN a ELSE a-p END,CASE WHEN up AND p<=a/2 THEN p*2 WHEN up THEN p ELSE p/2 END,"
    "up AND p<=a/2 FROM _mod,_given WHERE (up OR p>=abs(y)) AND abs(y)<9e999) "
    "SELECT CASE WHEN typeof(x)='integer' AND typeof(y)='integer' THEN x%%%%y "
    "WHEN x<0 THEN -(SELECT min(a) FROM _mod) ELSE (SELECT min(a) FROM _mod) END FROM _given)"
)


def _rounded(compared: str, step: str) -> Way:
    return _of(
        "a",
        "CASE WHEN abs(a)>=9007199254740992 OR typeof(a)='integer' THEN a "
        f"WHEN a IS NOT NULL THEN CAST(a AS INTEGER){step}(a{compared}CAST(a AS INTEGER)) END",
    )


def _spread(divisor: str, root: bool) -> tuple[Way, ...]:
    """The mean square of the distances from the mean; NULL counts for nothing."""
    square = f"sum((value-_mean)*(value-_mean))/nullif({divisor},0)"
    given = f"WITH _given(a) AS (SELECT {_LIST})"
    source = "(SELECT a,(SELECT avg(value) FROM json_each(a)) AS _mean FROM _given),json_each(a)"
    if not root:
        return (Way(f"({given} SELECT {square} FROM {source})"),)
    return (
        Way(f"({given} SELECT sqrt({square}) FROM {source})", frozenset({"sqrt"})),
        Way(f"({given} SELECT {_root('s')} FROM (SELECT {square} AS s FROM {source}))"),
    )


def _folded(step: str) -> tuple[Way, ...]:
    """An aggregate of integers, one after the other."""
    numbers = "SELECT value,row_number() OVER () FROM json_each(a) WHERE value IS NOT NULL"
    folded = (
        f"WITH RECURSIVE _numbers(n,i) AS ({numbers}),_fold(acc,i) AS (SELECT n,1 FROM _numbers WHERE i=1 "
        f"UNION ALL SELECT {step},f.i+1 FROM _fold f,_numbers m WHERE m.i=f.i+1) "
        "SELECT acc FROM _fold ORDER BY i DESC LIMIT 1"
    )
    return (Way(f"(WITH _given(a) AS (SELECT {_LIST}) SELECT ({folded}) FROM _given)"),)


def _hash(name: str) -> tuple[Way, ...]:
    def of(function: str) -> Way:
        value = f"{function}(a)"
        body = f"lower(CASE typeof({value}) WHEN 'blob' THEN hex({value}) ELSE {value} END)"
        return _of("a", body, function)

    return of(f"crypto_{name}"), of(name)


_PADDING = "CASE WHEN c IS NULL THEN NULL WHEN b<0 THEN substr(a,1,max(length(a)+b,0)) "

WAYS: dict[str, tuple[Way, ...]] = {
    "BITXOR": (_of("a,b", "(a|b)-(a&b)"),),
    "CEILING": (_rounded(">", "+"),),
    "FLOOR": (_rounded("<", "-"),),
    "DEGREES": (Way(f"((%(expressions)s)*{180 / math.pi!r})"),),
    "RADIANS": (Way(f"((%(expressions)s)*{math.pi / 180!r})"),),
    "PI": (Way(f"({math.pi!r})"),),
    "MOD": (Way(_REMAINDER),),
    "SQRT": (_plain("sqrt"), _of("a", _root("a"))),
    "LPAD": (
        _of(
            "a,b,c",
            f"{_PADDING}WHEN length(a)>=b THEN substr(a,1,b) "
            f"ELSE substr({_repeated('b', 'c')},1,b-length(a))||a END",
        ),
    ),
    "RPAD": (_of("a,b,c", f"{_PADDING}ELSE substr(a||{_repeated('b', 'c')},1,b) END"),),
    "REPEAT": (_of("a,b", f"CASE WHEN b IS NOT NULL THEN {_repeated('b', 'a')} END"),),
    "REVERSE": (
        Way(
            "(WITH RECURSIVE _given(a) AS (SELECT %(expressions)s),"
            "_reversed(i,s) AS (SELECT length(a),'' FROM _given UNION ALL "
            "SELECT i-1,s||substr(a,i,1) FROM _reversed,_given WHERE i>0) SELECT s FROM _reversed WHERE i=0)"
        ),
    ),
    "VAR_POP": _spread("count(value)", root=False),
    "VAR_SAMP": _spread("(count(value)-1)", root=False),
    "STDDEV_POP": _spread("count(value)", root=True),
    "STDDEV_SAMP": _spread("(count(value)-1)", root=True),
    "ANY_VALUE": (Way("min(%(expressions)s)"),),
    "BIT_AND": _folded("acc&n"),
    "BIT_OR": _folded("acc|n"),
    "BIT_XOR": _folded("(acc|n)-(acc&n)"),
    # 53 random bits, as Python's random() makes them.
    "RAND": (Way("(((random()>>11)&9007199254740991)/9007199254740992.0)"),),
    "COT": (Way("(1.0/tan(%(expressions)s))", frozenset({"tan"})),),
    "POWER": (_plain("power"), _plain("pow")),
    **{
        name: (_plain(name.lower()),)
        for name in ("ACOS", "ASIN", "ATAN", "ATAN2", "COS", "EXP", "LN", "LOG", "SIN", "TAN")
    },
    **{
        name: _hash(name.lower())
        for name in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
    },
}
AGGREGATES = frozenset(
    {
        "VAR_POP",
        "VAR_SAMP",
        "STDDEV_POP",
        "STDDEV_SAMP",
        "ANY_VALUE",
        "BIT_AND",
        "BIT_OR",
        "BIT_XOR",
    }
)
_EXTENSIONS = {
    **dict.fromkeys(("REGEXP",), "regexp"),
    **dict.fromkeys(("MD5", "SHA1", "SHA256", "SHA384", "SHA512"), "crypto"),
}


def is_available(name: str, functions: Collection[str]) -> bool:
    """Whether a server with these functions can do it: something in WAYS, or REGEXP."""
    if name == "REGEXP":
        return "regexp" in functions
    return any(way.needs <= frozenset(functions) for way in WAYS[name])


def template_of(name: str, functions: Collection[str]) -> str:
    """The template of a function in WAYS on a server with these functions; NotSupportedError where none fits."""
    available = frozenset(functions)
    for way in WAYS[name]:
        if way.needs <= available:
            return way.template
    raise missing(name, " or ".join(f"{need}()" for way in WAYS[name] for need in way.needs))


def missing(name: str, functions: str) -> NotSupportedError:
    """The error for what this server lacks."""
    if name == "SHA224":
        extension = "an extension"
    else:
        extension = f"an extension such as sqlean's {_EXTENSIONS.get(name, 'math')!r}"
    return NotSupportedError(
        f"{name} needs the SQL function {functions}, which the server lacks: start every rqlited with "
        f"-extensions-path and {extension} that has it"
    )
