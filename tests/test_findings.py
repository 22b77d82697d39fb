"""The findings against their tables: each sentence follows its numbers, and is gone where they are undecided."""

from __future__ import annotations

import re

import numpy as np
import pytest
from report_tables import OPTIMIZERS, PROBLEMS, make_suite

from bench_ovp.report.findings import MOST_SENTENCES, write_findings
from bench_ovp.report.labels import enumerate_words, list_values
from bench_ovp.report.tables import gather

DESCENT, FLOW, BALL, NESTEROV, TAMED, POLYAK = OPTIMIZERS
TEACHERS, EXACT = PROBLEMS[:4], PROBLEMS[4]
UNDECIDED = {"law": "undecided", "value": np.nan, "low": np.nan, "high": np.nan, "constant": np.nan}


@pytest.fixture(scope="module")
def suite():
    made = make_suite(seeds=2, horizon=1e3)
    return made._replace(traces=made.traces.iloc[:0], runs=made.runs.assign(status="ok"))


def alter(suite, problems=PROBLEMS, optimizers=tuple(OPTIMIZERS), **values):
    """The suite with other values for some pairs."""
    ranking = suite.ranking.astype(dict.fromkeys(values, object))
    where = ranking["problem"].isin(problems) & ranking["optimizer"].isin(optimizers)
    assert where.any()
    ranking.loc[where, list(values)] = list(values.values())
    return suite._replace(ranking=ranking)


def tell(suite):
    return write_findings(gather(*suite))


def find(sentences, pattern):
    """The one sentence with a pattern."""
    [found] = [sentence for sentence in sentences if re.search(pattern, sentence)]
    return found


# Every number of a sentence is one of the tables


@pytest.mark.parametrize("power", [1.5, 2.25, 3.5])
def test_the_exponent_and_what_it_costs_follow_the_table(suite, power):
    sentences = tell(alter(suite, TEACHERS, [DESCENT], value=power, low=power - 0.02, high=power + 0.03))
    assert f"crawls like t^−{power:.2f} (95 %: {power - 0.02:.2f} to {power + 0.03:.2f}" in sentences[0]
    assert f"multiplies all the time spent so far by {1000 ** (1 / power):.2g}." in sentences[1]


@pytest.mark.parametrize("rate", [0.25, 7.5])
def test_the_rate_and_what_it_costs_follow_the_table(suite, rate):
    sentences = tell(alter(suite, [EXACT], [DESCENT], value=rate, low=0.9 * rate, high=1.1 * rate))
    assert re.search(rf"falls exponentially, like exp\(−{rate}\d* t\)", sentences[0])
    assert f"costs the first {np.log(1000) / rate:.2g} more units of time" in sentences[1]


@pytest.mark.parametrize(("share", "count"), [(1.0, 8), (0.5, 4)])
def test_runs_are_counted_from_the_shares(suite, share, count):
    sentences = tell(alter(suite, TEACHERS, [DESCENT], share=share))
    assert f"; {count} of 8 runs)." in sentences[0]


def test_one_interval_holds_those_of_all_rows(suite):
    wide = alter(suite, TEACHERS[2:3], [DESCENT], low=2.71, high=3.64)
    assert "(95 %: 2.7 to 3.6;" in tell(wide)[0]


def test_agreement_is_counted_from_the_table(suite):
    known = int(suite.ranking["agrees"].notna().sum())
    assert f"Theory names the law of {known} of the 48 pairs" in find(tell(suite), "Theory names")
    wrong = alter(suite, TEACHERS, [FLOW], agrees=False)
    sentences = tell(wrong)
    assert f"agrees with {known - 4}:" in find(sentences, "Theory names")
    assert sum(sentence.startswith("It disagrees on teacher-neuron") for sentence in sentences) == 4


def test_who_is_free_and_who_is_bound_follow_the_table(suite):
    sentences = tell(suite)
    assert "preconditioned-gradient-descent" in find(sentences, "escapes")
    assert "nesterov" in find(sentences, "bound by it")
    freed = tell(alter(suite, TEACHERS, [NESTEROV], law="exponential", value=0.5, low=0.4, high=0.6))
    assert "nesterov escapes the power law" in find(freed, "escapes")
    assert "nesterov" not in find(freed, "bound by it")
    caught = tell(alter(suite, TEACHERS, [TAMED], law="power", value=2.0, low=1.9, high=2.1))
    assert not any("escapes" in sentence for sentence in caught)
    assert "preconditioned-gradient-descent (t^−2.00; 95 %: 1.90 to 2.10" in find(caught, "bound by it")


@pytest.mark.parametrize(("law", "words"), [("stalled", "no longer falls"), ("diverged", "grows")])
def test_what_does_not_fall_is_told(suite, law, words):
    assert not any(words in sentence for sentence in tell(suite))
    changed = tell(alter(suite, TEACHERS[1:3], [FLOW], **UNDECIDED | {"law": law}))
    assert find(changed, words) == f"The loss of 2 pairs {words}: teacher-neuron with n = 5, 10 under gradient-flow."


# What is undecided is not spoken of


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_of_an_undecided_optimizer_no_law_is_told(suite, optimizer):
    name = optimizer.split("[")[0]
    named = rf"(?<![\w-]){name}(?![\w-])"
    assert any(re.search(rf"{named}.*(t\^|exp\()", sentence) for sentence in tell(suite))
    sentences = tell(alter(suite, optimizers=[optimizer], **UNDECIDED))
    about = [sentence for sentence in sentences if re.search(named, sentence)]
    assert about
    assert all("undecided" in sentence for sentence in about)
    assert not any(re.search(r"t\^|exp\(", sentence) for sentence in about)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_of_an_undecided_problem_no_law_is_told(suite, problem):
    sentences = tell(alter(suite, [problem], **UNDECIDED))
    # Of a family the members are told by their numbers.
    number = re.search(r"\[n=(\d+),d=20,sigma=0.1\]", problem) if problem in TEACHERS else None
    for sentence in sentences:
        if "undecided" not in sentence:
            lists = re.findall(r"teacher-neuron with n = ([\d, ]+)", sentence) if number else []
            assert not any(number[1] in each.split(", ") for each in lists), sentence
            assert not re.search(rf"(?<![\w-]){re.escape(problem.split('[')[0])}(?![\w-])", sentence) or number, (
                sentence
            )


def test_values_that_an_undecided_row_still_carries_are_not_told(suite):
    sentences = tell(alter(suite, TEACHERS[:1], [DESCENT], law="undecided", value=77.7, low=77.6, high=77.8))
    assert not any("77." in sentence for sentence in sentences)


def test_with_nothing_decided_there_is_no_law(suite):
    sentences = tell(alter(suite, **UNDECIDED))
    assert sentences == ["The law of 48 pairs is undecided."]


# Large suites


def test_long_lists_are_cut_and_counted():
    assert enumerate_words(list("abc")) == "a, b and c"
    assert enumerate_words(list("abcdef"), 4) == "a, b, c and 3 more"
    assert list_values(["2", "3"]) == "2, 3"
    assert list_values([str(n) for n in range(2, 100)]) == "2, 3, 4, …, 99 (98 values)"


def test_the_findings_of_a_large_suite_stay_short(suite):
    one = suite.ranking[(suite.ranking["problem"] == EXACT) & (suite.ranking["optimizer"] == DESCENT)]
    ranking = one.loc[one.index.repeat(400)].assign(
        problem=[f"exact-neuron[d={2 + place // 20}]" for place in range(400)],
        optimizer=[f"gradient-descent[lr={place % 20}]" for place in range(400)],
    )
    sentences = tell(suite._replace(ranking=ranking, runs=suite.runs.iloc[:0]))
    assert len(sentences) == MOST_SENTENCES + 2
    assert find(sentences, "more optimizers") == "The ranking has the laws of 8 more optimizers."
    assert max(map(len, sentences)) < 250
