"""Each method of drift correction against its own formula, on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from thymos.errors import ConfigError
from thymos.smell.drift import (
    UNLABELLED,
    AdaptiveClassifier,
    CommonDirections,
    ComponentCorrection,
    ConcentrationInvariance,
    Coral,
    CorrectedClassifier,
    Correction,
    DirectStandardization,
    Discriminant,
    MixtureAlignment,
    OnlineDriftClassifier,
    OnlineStandardizer,
    OrthogonalSignalCorrection,
    PiecewiseDirectStandardization,
    SelfTraining,
    SoftmaxRegression,
    SubspaceAlignment,
    TrustVote,
    WindowStandardizer,
    log_features,
)
from thymos.smell.drift.moments import ledoit_wolf, power

P = 8


def clouds(seed: int = 0, n: int = 60, counts=None, p: int = P):
    """Three odours in p features, apart by several spreads, with correlated noise."""
    rng = np.random.default_rng(seed)
    shape = np.random.default_rng(99)
    means = 4 * shape.normal(size=(3, p))
    mix = shape.normal(size=(p, p)) / np.sqrt(p)
    y = np.repeat(["acetone", "ammonia", "ethanol"], counts or [n, n, n])
    place = np.unique(y, return_inverse=True)[1]
    return means[place] + rng.normal(size=(len(y), p)) @ mix, y


CORRECTIONS = [
    WindowStandardizer, OnlineStandardizer, ComponentCorrection, CommonDirections,
    ConcentrationInvariance, OrthogonalSignalCorrection, Coral, SubspaceAlignment,
    MixtureAlignment, lambda: DirectStandardization("class"),
    lambda: PiecewiseDirectStandardization("class"),
]  # fmt: skip


@pytest.mark.parametrize("make", CORRECTIONS)
def test_every_correction_keeps_the_interface_and_does_no_harm_without_drift(make):
    x, y = clouds(0)
    there, truth = clouds(1)
    correction = make()
    assert isinstance(correction, Correction)
    with pytest.raises(ConfigError, match="not fitted"):
        correction.transform(there)
    assert correction.fit(x, y, there, truth) is correction
    assert len(correction.transform(there)) == len(there)
    assert correction.transform_source(x).shape[1] == correction.transform(there).shape[1]
    said = CorrectedClassifier(make()).fit(x, y, there, truth).predict(there)
    assert np.mean(said == truth) > 0.9


@pytest.mark.parametrize("make", CORRECTIONS)
def test_bad_rows_are_refused_in_words(make):
    x, y = clouds()
    broken = x.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ConfigError, match="1 of 180 rows hold values that are no numbers"):
        make().fit(broken, y, x, y)
    with pytest.raises(ConfigError, match="179 labels for 180 rows"):
        make().fit(x, y[:-1], x, y)
    fitted = make().fit(x, y, x, y)
    with pytest.raises(ConfigError, match="7 features, but 8 were learnt"):
        fitted.transform(x[:, :-1])


def test_only_streams_take_single_samples():
    x, y = clouds()
    with pytest.raises(ConfigError, match="whole sets of rows"):
        Coral().fit(x, y, x).partial_fit(x[0])


def test_log_features_make_a_gain_a_shift():
    x = np.array([[2.0, -3.0, 0.0]])
    np.testing.assert_allclose(log_features(5 * x)[:, :2] - log_features(x)[:, :2], np.log(5))
    assert log_features(x)[0, 2] == np.log(1e-3)


def test_ledoit_wolf_shrinks_little_where_rows_are_many_and_much_where_they_are_few():
    rng = np.random.default_rng(0)
    true = np.diag([4.0, 1.0, 1.0, 0.25])
    draw = rng.normal(size=(20_000, 4)) @ np.sqrt(true)
    np.testing.assert_allclose(ledoit_wolf(draw), true, atol=0.1)
    few = ledoit_wolf(draw[:6])
    sample = draw[:6].T @ draw[:6] / 6
    assert np.linalg.cond(few) < np.linalg.cond(sample)
    assert np.trace(few) == pytest.approx(np.trace(sample))
    sklearn = pytest.importorskip("sklearn.covariance")
    np.testing.assert_allclose(few, sklearn.ledoit_wolf(draw[:6], assume_centered=True)[0])


def test_power_of_a_matrix():
    cov = np.cov(clouds()[0].T)
    np.testing.assert_allclose(power(cov, 0.5) @ power(cov, 0.5), cov, atol=1e-9)
    np.testing.assert_allclose(power(cov, -0.5) @ cov @ power(cov, -0.5), np.eye(P), atol=1e-9)


def test_window_standardizer_undoes_shift_and_gain():
    x, y = clouds()
    made = WindowStandardizer().fit(x, y, 3 * x + 7)
    np.testing.assert_allclose(made.transform(3 * x + 7), made.transform_source(x), atol=1e-9)


def test_online_standardizer_is_the_formula_and_forgets():
    x, y = clouds()
    made = OnlineStandardizer(window=4, prior=2.0).fit(x, y)
    stream = x[:9] + 5
    for row in stream:
        made.partial_fit(row)
    kept, mean, spread = stream[-4:], x.mean(axis=0), x.std(axis=0)
    here = (kept.sum(axis=0) + 2 * mean) / 6
    about = np.sqrt((((kept - here) ** 2).sum(axis=0) + 2 * spread**2) / 6)
    np.testing.assert_allclose(made.transform(stream), (stream - here) / about, rtol=1e-6)
    assert made._rows.shape == (4, P)


def test_component_correction_takes_out_where_the_reference_gas_wandered():
    x, y = clouds()
    way = np.zeros(P)
    way[2] = 1.0
    x = x + np.where(y == "ammonia", 50.0, 0.0)[:, None] * np.outer(
        np.sin(np.arange(len(x))), way
    )  # the reference drifts along one channel
    made = ComponentCorrection("ammonia").fit(x, y)
    assert abs(made.directions[:, 0] @ way) > 0.99
    np.testing.assert_allclose(made.transform(x + 9 * made.directions[:, 0]), made.transform(x))
    with pytest.raises(ConfigError, match="no source row has the reference gas 'toluene'"):
        ComponentCorrection("toluene").fit(x, y)


def test_common_directions_find_what_all_classes_share():
    rng = np.random.default_rng(3)
    x, y = clouds()
    way = rng.normal(size=P)
    way /= np.linalg.norm(way)
    made = CommonDirections().fit(x + 30 * rng.normal(size=(len(x), 1)) * way, y)
    assert abs(made.directions[:, 0] @ way) > 0.99
    two = CommonDirections(2).fit(x, y).directions
    np.testing.assert_allclose(two.T @ two, np.eye(2), atol=1e-9)


def test_concentration_invariance_removes_a_power_law():
    rng = np.random.default_rng(0)
    slopes, gains = rng.uniform(0.3, 1.2, (2, P)), rng.uniform(1, 9, (2, P))
    place = np.arange(80) % 2
    amount = rng.uniform(1, 1000, 80)
    rows = log_features(gains[place] * amount[:, None] ** slopes[place])
    y = np.array(["a", "b"])[place]
    free = ConcentrationInvariance(components=2).fit(rows, y).transform(rows)
    assert free[place == 0].std(axis=0).max() < 1e-9 < rows[place == 0].std(axis=0).min()
    assert np.abs(free[place == 0].mean(axis=0) - free[place == 1].mean(axis=0)).max() > 0.1


def test_orthogonal_signal_correction_removes_variance_orthogonal_to_the_labels():
    rng = np.random.default_rng(1)
    x, y = clouds()
    table = (y[:, None] == np.unique(y)).astype(float)
    table -= table.mean(axis=0)
    noise = rng.normal(size=(len(x), 1)) * 40
    noise -= table @ np.linalg.pinv(table) @ noise  # nothing of it is in the labels
    dirty = x + noise * np.eye(P)[5]
    made = OrthogonalSignalCorrection().fit(dirty, y)
    clean, centred = made.transform(dirty), dirty - dirty.mean(axis=0)
    # Fearn: what was removed has no covariance with the labels, all of what was left has the same.
    np.testing.assert_allclose(table.T @ clean, table.T @ dirty, atol=1e-6)
    scores = centred @ made.directions[:, 0]
    np.testing.assert_allclose(table.T @ scores, 0, atol=1e-6)
    assert clean[:, 5].var() < 0.2 * dirty[:, 5].var()


def test_direct_standardization_recovers_a_linear_map():
    rng = np.random.default_rng(0)
    source, y = clouds(n=40)
    turn = np.eye(P) + 0.3 * rng.normal(size=(P, P))
    target = (source - 2.0) @ np.linalg.inv(turn)
    made = DirectStandardization(ridge=0.0).fit(source[::3], y[::3], target[::3])
    np.testing.assert_allclose(made.transform(target), source, atol=1e-5)
    np.testing.assert_array_equal(made.transform_source(source), source)
    with pytest.raises(ConfigError, match="no pairs"):
        DirectStandardization().fit(source, y, target[:5])


def test_with_too_few_transfer_samples_direct_standardization_changes_little():
    source, y = clouds()
    at = [0, 1, 60, 61]
    few = DirectStandardization(ridge=0.1).fit(source[at], y[at], source[at] + 1.0)
    np.testing.assert_allclose(few.transform(source[:5] + 1.0), source[:5], atol=1e-9)


def test_piecewise_direct_standardization_is_a_band():
    source, y = clouds(n=40)
    target = source.copy()
    target[:, 0] = source[:, 0] / 2
    target[:, 1] = source[:, 1] - source[:, 0]
    made = PiecewiseDirectStandardization(ridge=0.0, width=1).fit(source, y, target)
    np.testing.assert_allclose(made.transform(target), source, atol=1e-5)
    band = made._map[2]
    assert np.all(band[np.abs(np.subtract.outer(np.arange(P), np.arange(P))) > 1] == 0)


def test_coral_equalises_mean_and_covariance():
    x, y = clouds(0)
    there = clouds(1)[0] @ np.diag(np.linspace(0.5, 3, P)) + 4
    moved = Coral(shrink=0.0).fit(x, y, there).transform(there)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(x.T), atol=1e-8)
    np.testing.assert_allclose(moved.mean(axis=0), x.mean(axis=0), atol=1e-9)


def test_subspace_alignment_is_the_formula():
    x, y = clouds(0)
    there = clouds(1)[0]
    made = SubspaceAlignment(3).fit(x, y, there)
    zs = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    zt = (there - there.mean(axis=0)) / (there.std(axis=0) + 1e-9)
    ps = np.linalg.svd(zs, full_matrices=False)[2][:3].T
    pt = np.linalg.svd(zt, full_matrices=False)[2][:3].T
    np.testing.assert_allclose(made.transform(there), zt @ pt)
    np.testing.assert_allclose(made.transform_source(x), zs @ ps @ ps.T @ pt)


def test_mixture_alignment_finds_the_shift_although_the_balance_changed():
    x, y = clouds(0)
    there, truth = clouds(1, counts=[120, 20, 5])
    moved = there + np.linspace(-3, 3, P)
    z = CorrectedClassifier(WindowStandardizer()).fit(x, y, moved).predict(moved)
    made = CorrectedClassifier(MixtureAlignment()).fit(x, y, moved)
    assert np.mean(made.predict(moved) == truth) > 0.97 > np.mean(z == truth)
    shares = made.correction.shift.shares
    assert shares.argmax() == 0
    assert shares.sum() == pytest.approx(1)


def test_mixture_alignment_believes_the_labels_it_is_told():
    x, y = clouds(0)
    there, truth = clouds(1)
    told = np.full(len(there), UNLABELLED, dtype=truth.dtype)
    told[::10] = truth[::10]
    shift = MixtureAlignment().fit(x, y, there, told).shift
    assert np.all(shift.members[::10].max(axis=1) == 1)
    told[0] = "toluene"
    with pytest.raises(ConfigError, match="the source has no toluene"):
        MixtureAlignment().fit(x, y, there, told)


@pytest.mark.parametrize("make", [AdaptiveClassifier, lambda: SelfTraining(MixtureAlignment())])
def test_classes_follow_a_target_in_which_one_of_them_moved_alone(make):
    x, y = clouds(0)
    there, truth = clouds(1)
    there = there + 2.0 + np.where(truth == "ethanol", 1.5, 0.0)[:, None] * np.eye(P)[1]
    made = make().fit(x, y, there)
    probs = made.predict_proba(there)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    assert np.mean(made.predict(there) == truth) > 0.97
    again = make().fit(x, y, there).predict_proba(there)
    np.testing.assert_array_equal(probs, again)


def test_labels_resolve_what_no_statistics_can():
    """Two odours swapped places: without a label every method must be wrong."""
    x, y = clouds(0)
    there, truth = clouds(1)
    means = [x[y == c].mean(axis=0) for c in ("acetone", "ammonia")]
    jump = means[1] - means[0]
    there = (
        there + np.where(truth == "acetone", 1, np.where(truth == "ammonia", -1, 0))[:, None] * jump
    )
    told = np.full(len(there), UNLABELLED, dtype=truth.dtype)
    told[::9] = truth[::9]
    rest = told == UNLABELLED
    blind = AdaptiveClassifier().fit(x, y, there).predict(there)
    seeing = AdaptiveClassifier(keep_means=10.0).fit(x, y, there, told).predict(there)
    assert np.mean(blind[rest] == truth[rest]) < 0.5
    assert np.mean(seeing[rest] == truth[rest]) > 0.9


def test_self_training_abstains_between_the_classes():
    x, y = clouds(0)
    there, truth = clouds(1)
    made = SelfTraining(abstain=0.9).fit(x, y, there)
    means = np.array([there[truth == c].mean(axis=0) for c in np.unique(truth)])
    way = np.linspace(0, 1, 400)[:, None] * (means[1] - means[0]) + means[0]
    assert set(made.predict(means)) == set(np.unique(truth))
    said = made.predict(way)
    assert "unknown" in said
    assert (made.predict_proba(way).max(axis=1)[said == "unknown"] < 0.9).all()


def test_discriminant_agrees_with_the_textbook():
    sklearn = pytest.importorskip("sklearn.discriminant_analysis")
    x, y = clouds(0, n=200)
    ours = Discriminant().fit(x, y)
    theirs = sklearn.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, y)
    there = clouds(5)[0] * 0.5
    assert np.mean(ours.predict(there) == theirs.predict(there)) > 0.98


def test_softmax_regression_agrees_with_the_textbook():
    sklearn = pytest.importorskip("sklearn.linear_model")
    x, y = clouds(0)
    x = x / 4
    weight = np.where(np.arange(len(y)) % 7 == 0, 5.0, 1.0)
    ours = SoftmaxRegression(c=1.0, rounds=600).fit(x, y, weight)
    theirs = sklearn.LogisticRegression(C=1.0, max_iter=2000, tol=1e-8).fit(x, y, weight)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=2e-3)


def test_the_vote_is_the_mean_of_its_members_and_can_abstain():
    x, y = clouds(0)
    there, truth = clouds(1)
    there = there + 1.0
    made = TrustVote(abstain=0.7).fit(x, y, there)
    apart = [
        SelfTraining(MixtureAlignment(trust=t)).fit(x, y, there).predict_proba(there)
        for t in (1.0, 0.75, 0.5)
    ]
    np.testing.assert_allclose(made.predict_proba(there), np.mean(apart, axis=0))
    said = made.predict(there)
    assert np.mean(said[said != "unknown"] == truth[said != "unknown"]) > 0.95
    way = np.linspace(0, 1, 300)[:, None] * (there[truth == "ethanol"].mean(axis=0) - there[0])
    assert "unknown" in made.predict(there[0] + way)


def test_trust_is_the_share_of_the_shift_that_is_undone():
    x, y = clouds(0)
    whole = MixtureAlignment(trust=1.0).fit(x, y, x + 4.0)
    half = MixtureAlignment(trust=0.5).fit(x, y, x + 4.0)
    np.testing.assert_allclose(half.shift.d, whole.shift.d / 2, atol=0.05)
    with pytest.raises(ConfigError, match="trust"):
        MixtureAlignment(trust=0.0)


@pytest.mark.parametrize(
    "make",
    [*CORRECTIONS, AdaptiveClassifier, TrustVote, SelfTraining, OnlineDriftClassifier],
)
def test_dead_doubled_and_too_many_features_give_answers_not_nan(make):
    x, y = clouds(0, n=5)
    there, truth = clouds(1, n=5)
    wide = [np.hstack([a, a, np.zeros((len(a), 3)), a[:, :1] * 1e6]) for a in (x, there)]
    wide[0][:, -2] = 7.0
    made = make()
    if isinstance(made, Correction):
        made = CorrectedClassifier(made)
    if isinstance(made, OnlineDriftClassifier):
        probs = made.fit(wide[0], y).predict_proba(wide[1])
    else:
        probs = made.fit(wide[0], y, wide[1], truth).predict_proba(wide[1])
    assert np.isfinite(probs).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1)


def test_rows_that_are_all_the_same_give_answers_not_nan():
    x = np.repeat([[1.0, 2.0], [3.0, 4.0]], 6, axis=0)
    y = np.repeat(["a", "b"], 6)
    for made in (AdaptiveClassifier(), TrustVote(), CorrectedClassifier(Coral())):
        assert np.isfinite(made.fit(x, y, x).predict_proba(x)).all()
    stream = OnlineDriftClassifier().fit(x, y)
    assert list(stream.predict(x)) == list(y)
