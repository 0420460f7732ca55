"""Both servers against what was recorded of a real one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest

from tests.differential.answers import Answer
from tests.differential.corpus import CASES
from tests.differential.differences import REASONS, key, matches, reasons_for
from tests.differential.model import Case, Step
from tests.differential.perform import Targets
from tests.differential.recording import KNOWN_DIFFERENCES, Recording, load


def subject_of(case: Case) -> str:
    """The area and the first word behind it, such as "results/insert"."""
    area, _, rest = case.id.partition("/")
    return f"{area}/{rest.lstrip('/').replace('/', ' ').split(' ')[0]}"


# The cases of one subject make one test: thousands of tests would cost more than the requests.
SUBJECTS: dict[str, list[Case]] = {}
for case in CASES:
    SUBJECTS.setdefault(subject_of(case), []).append(case)

each_subject = pytest.mark.parametrize("subject", SUBJECTS)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load()


@pytest.fixture(scope="module")
def known_differences() -> Mapping[str, Sequence[Answer]]:
    return load(KNOWN_DIFFERENCES).answers


def compared(case: Case) -> list[Step]:
    return [step for step in case.steps if not step.setup]


def explain(case: Case, number: int, expected: Answer, actual: Answer) -> str:
    step = compared(case)[number]
    return (
        f"{key(case.id, number)}\n"
        f"request:  {step.method} {step.target} {dict(step.headers)} {(step.body or b'')[:2000]!r}\n"
        f"expected: {expected.status} {expected.body!r}\n{expected.headers}\n"
        f"actual:   {actual.status} {actual.body!r}\n{actual.headers}"
    )


def perform(
    subject: str, targets: Targets, recording: Recording
) -> Iterator[tuple[Case, int, Answer, Answer]]:
    """Each answer to the cases of a subject: case, number, as recorded, as it came."""
    for case in SUBJECTS[subject]:
        answers = targets[case.profile].perform(case)
        pairs = zip(recording.answers[case.id], answers, strict=True)
        for number, (expected, actual) in enumerate(pairs):
            yield case, number, expected, actual


@each_subject
def test_embedded(
    subject: str,
    embedded: Targets,
    recording: Recording,
    known_differences: Mapping[str, Sequence[Answer]],
) -> None:
    wrong = []
    for case, number, expected, actual in perform(subject, embedded, recording):
        name = key(case.id, number)
        if name in known_differences and actual == expected:
            wrong.append(f"{name} no longer differs: record the differences anew")
        elif actual != known_differences.get(name, [expected])[0]:
            wrong.append(explain(case, number, expected, actual))
    assert not wrong, "\n\n".join(wrong)


@each_subject
def test_rqlited(subject: str, rqlited: Targets, recording: Recording) -> None:
    wrong = [
        explain(case, number, expected, actual)
        for case, number, expected, actual in perform(subject, rqlited, recording)
        if actual != expected
    ]
    assert not wrong, "\n\n".join(wrong)


def test_every_case_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(case.id for case in CASES).items() if count > 1] == []


def test_recording_is_of_these_cases(recording: Recording) -> None:
    cases = {case.id: len(compared(case)) for case in CASES}
    assert {name: len(answers) for name, answers in recording.answers.items()} == cases


def test_each_known_difference_has_one_reason(
    known_differences: Mapping[str, Sequence[Answer]],
) -> None:
    answers = {key(case.id, number) for case in CASES for number in range(len(compared(case)))}
    assert set(known_differences) <= answers
    assert {
        name: reasons_for(name) for name in known_differences if len(reasons_for(name)) != 1
    } == {}


def test_each_reason_is_of_a_known_difference(
    known_differences: Mapping[str, Sequence[Answer]],
) -> None:
    assert [p for p in REASONS if not any(matches(p, name) for name in known_differences)] == []
