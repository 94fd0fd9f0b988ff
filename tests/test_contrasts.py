"""What a report says of two studies, and of the settings of one: of lanes made by hand."""

import numpy as np
from made_runs import made

from jax_ac import contrasts, findings, selection, solving, studies


def ended(times, solved, *, rates=(0.01,), threshold=195.0, diverged=()):
    """A run whose lanes needed, or were given, so many episodes; those that were solved stopped there."""
    times, solved = np.asarray(times), np.asarray(solved)
    lost = np.isin(np.arange(len(times)), diverged)
    run = made(len(times) // len(rates), 4, rates=rates, solved_at=threshold)
    marks = run.marks._replace(
        num_updates=np.full(len(times), 4), num_episodes=times, solved_update=np.where(solved, 3, -1),
        solved_episode=np.where(solved, times - 1, -1), diverged_update=np.where(lost, 2, -1), frozen=solved | lost,
        running_return=np.where(solved, 195.5, 50.0).astype(np.float32),
    )  # fmt: skip
    return run._replace(marks=marks)


def study(run, name="demo"):
    return studies.of({"": run}, name)


def test_a_setting_is_worth_what_its_unsolved_seeds_are_too():
    """6 of 16 solved after 50 episodes, the others not after 400; of another setting none: half is far above 50."""
    times, solved = np.r_[np.full(6, 50), np.full(26, 400)], np.r_[np.ones(6, bool), np.zeros(26, bool)]
    words, _ = findings.honest(study(ended(times, solved, rates=(0.01, 0.1))))
    assert "learning_rate 0.01" in words
    assert "(an unsolved seed counted as 400)" in words
    assert float(words.split("counted as 400) ")[1].split(" ")[0]) > 200


def swept(returns, diverged=None):
    """Settings of such returns at the end, ``[H, S]``; lanes do not stop when solved."""
    returns = np.asarray(returns, float)
    run = made(returns.shape[1], 4, rates=tuple(0.1**i for i in range(len(returns))))
    lost = np.zeros(returns.shape, bool) if diverged is None else np.asarray(diverged)
    marks = run.marks._replace(running_return=returns.ravel(), diverged_update=np.where(lost, 2, -1).ravel(),
                               frozen=lost.ravel(), num_updates=np.full(returns.size, 4))  # fmt: skip
    return study(run._replace(marks=marks))


def test_the_chosen_setting_in_words():
    returns = np.random.default_rng(0).normal([[100.0], [400], [300]], 40, (3, 20))
    words, flattery = findings.honest(swept(returns))
    choice = selection.choose(returns)
    estimate, low, high = (f"{number:.4g}" for number in choice.score)
    assert words == (f"Chosen by half of the seeds: learning_rate 0.1. On the other half: running return at the end "
                     f"{estimate} [{low}, {high}], interquartile mean.")  # fmt: skip
    assert f"looks {choice.optimism:.4g} better than it is" in flattery
    assert f"{choice.agreement:.0%} of them choose this setting" in flattery


def test_a_setting_that_diverges_is_not_chosen_for_what_it_reached_before():
    words, _ = findings.honest(swept([[900.0] * 12, np.arange(12.0)], [[True] * 12, [False] * 12]))
    assert "learning_rate 0.1." in words


def test_with_few_seeds_nothing_is_chosen():
    assert findings.honest(swept(np.ones((2, 9)))) == ("", "")


def test_a_setting_that_solves_nobody_does_not_change_the_order():
    times = np.r_[np.full(4, 901), np.full(4, 101), np.full(4, 1000)]
    solved = np.r_[np.ones(8, bool), np.zeros(4, bool)]
    assert findings.ranked(study(ended(times, solved, rates=(0.1, 0.01, 1.0)))) == [1, 0, 2]


def test_lanes_that_diverged_stay_at_risk_until_the_last_of_both():
    ours = ended([100] * 5 + [30] * 5, [True] * 5 + [False] * 5, diverged=range(5, 10))
    theirs = ended(range(110, 210, 10), [True] * 10)
    table = contrasts.comparison([study(theirs, "first"), study(ours)])
    longest = np.array([100] * 5 + [200] * 5), np.array([True] * 5 + [False] * 5)
    expected = solving.log_rank(longest, (np.arange(110, 210, 10), np.ones(10, bool)))
    assert table.rows[1][table.columns.index("log-rank p")] == f"{expected:.2g}"


def test_other_thresholds_are_not_compared_and_many_p_values_are_corrected():
    first = study(ended([100] * 4 + [200] * 4, [True] * 8), "first")
    other = study(ended(range(150, 230, 10), [True] * 8), "other")
    alone = contrasts.comparison([first, other])
    p_value = float(alone.rows[1][alone.columns.index("log-rank p")])
    elsewhere = study(ended([100] * 8, [True] * 8, threshold=150.0), "elsewhere")
    three = contrasts.comparison([first, other, elsewhere, other])
    column = [row[three.columns.index("log-rank p")] for row in three.rows]
    assert column[0] == column[2] == findings.NOTHING
    np.testing.assert_allclose(float(column[1]), min(1, 2 * p_value), rtol=0.06)  # two comparisons, two digits


def test_seeds_that_chose_a_setting_do_not_judge_it():
    swept = study(ended([100] * 8, [True] * 8, rates=(0.1, 0.01)), "swept")
    table = contrasts.comparison([study(ended([300] * 8, [True] * 8), "first"), swept])
    assert "log-rank p" not in table.columns
    assert "P(sooner)" not in table.columns


def test_of_single_seeds_nothing_is_certain():
    table = contrasts.comparison([study(ended([300], [True]), "first"), study(ended([100], [True]), "one")])
    assert table.rows[1][table.columns.index("P(sooner)")] == "1.00"
