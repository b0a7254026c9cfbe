"""Encoders, targets, splits: what is learnt from the training rows, and what happens to the unforeseen."""

import json

import numpy as np
import pytest

from deltarule.data import DataError, FeatureOptions, Features, OptionError, prepare, restore
from deltarule.data.columns import NumberColumn, TextColumn
from deltarule.data.splits import split
from deltarule.data.table import Table
from deltarule.data.target import ClassTarget, NumberTarget, detect_task


def table(**columns):
    made = [
        NumberColumn(name, values) if isinstance(values, np.ndarray) else TextColumn.of(name, values)
        for name, values in columns.items()
    ]
    return Table.of("t", made)


def fit(data, **options):
    return Features.fit(data, FeatureOptions(**options))


def test_numbers_are_standardised_and_missing_ones_marked():
    features = fit(table(a=["1", "3", "", "8"]))
    X, remarks = features.transform(table(a=["3", "", "4"]))
    mean, deviation = 4, np.std([1, 3, 8])
    np.testing.assert_allclose(X[:, 0], [(3 - mean) / deviation, (3 - mean) / deviation, 0], rtol=1e-6)
    np.testing.assert_array_equal(X[:, 1], [0, 1, 0])
    assert remarks.missing == {"a": 1}
    assert features.names == ["a", "a missing"]


def test_mean_instead_of_median_and_no_indicator():
    X, _ = fit(table(a=["1", "3", "", "8"]), impute="mean", indicator=False).transform(table(a=["", "4"]))
    np.testing.assert_allclose(X, [[0], [0]], atol=1e-7)


def test_far_out_values_are_cut_off():
    X, _ = fit(table(a=np.array([0.0, 1.0])), limit=8).transform(table(a=np.array([1e9, -1e9])))
    np.testing.assert_array_equal(X[:, 0], [8, -8])


def test_categories_unseen_and_missing():
    features = fit(table(c=["b", "a", "", "b"]))
    assert features.names == ["c = a", "c = b", "c missing"]
    X, remarks = features.transform(table(c=["a", "z", "", "b"]))
    np.testing.assert_array_equal(X, [[1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert remarks.unseen == {"c": 1}


def test_the_cap_puts_rare_and_unseen_categories_together():
    features = fit(table(c=["a"] * 5 + ["b"] * 4 + ["c"] + ["d"]), max_categories=2)
    assert features.names == ["c = a", "c = b", "c other"]
    X, remarks = features.transform(table(c=["b", "d", "never", ""]))
    np.testing.assert_array_equal(X, [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    assert remarks.unseen == {"c": 2}
    assert remarks.missing == {"c": 1}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"k": ["5"] * 30}, "constant"),
        ({"k": ["x"] * 30}, "constant"),
        ({"k": [""] * 30}, "every value is missing"),
        ({"customer_id": [str(7 * i) for i in range(30)]}, "counts the rows"),
        ({"name": [f"n{i}" for i in range(60)]}, "60 different texts in 60 rows: a name or identifier"),
    ],
)
def test_useless_columns_are_left_out_with_a_reason(columns, reason):
    rows = len(next(iter(columns.values())))
    features = fit(table(a=np.arange(rows) % 7.0, **columns))
    assert features.ignored == {next(iter(columns)): reason}
    assert features.names == ["a"]


def test_numbers_taken_as_categories_and_the_reverse():
    data = table(n=["1", "2", "1", "2"], m=["1", "x", "3", "4"])
    assert fit(data, categorical=["n"], numeric=["m"]).names == ["n = 1", "n = 2", "m", "m missing"]
    with pytest.raises(OptionError, match="--numeric: t has no column 'nn'; did you mean 'n'"):
        fit(data, numeric=["nn"])
    with pytest.raises(OptionError, match="'n' cannot be both"):
        fit(data, numeric=["n"], categorical=["n"])


def test_nothing_left_to_learn_from():
    with pytest.raises(DataError, match="no column is left to learn from"):
        fit(table(k=["5"] * 4))


def test_order_of_columns_does_not_matter_and_missing_ones_are_named():
    features = fit(table(a=np.arange(4.0), b=np.arange(4.0) ** 2))
    one, _ = features.transform(table(a=np.array([1.0]), b=np.array([2.0])))
    two, _ = features.transform(table(extra=["q"], b=np.array([2.0]), a=np.array([1.0])))
    np.testing.assert_array_equal(one, two)
    with pytest.raises(DataError, match="needs the column 'b', which is not there"):
        features.transform(table(a=np.array([1.0])))


def test_pixels_share_one_deviation():
    pixels = np.random.default_rng(0).integers(0, 17, (50, 40)).astype(float)
    pixels[0] = 16
    features = fit(table(**{f"p{i}": pixels[:, i] for i in range(40)}))
    assert features.scaling == "common"
    assert len({encoder.deviation for encoder in features.encoders}) == 1
    assert fit(table(a=np.arange(9.0))).scaling == "column"


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (["a", "b", "c"], "classification"),
        (["true", "false", ""], "classification"),
        ([str(i % 10) for i in range(50)], "classification"),
        (["0.5", "1.5", "0.5"], "classification"),
        ([str(i) for i in range(50)], "regression"),
        (["0.1", "0.2", "0.35"], "regression"),
    ],
)
def test_task_detection(cells, task):
    assert detect_task(TextColumn.of("y", cells)) == task


def test_classes_in_natural_order():
    target = ClassTarget.fit(TextColumn.of("y", ["10", "9", "", "10", "2"]))
    assert target.classes == ["2", "9", "10"]
    np.testing.assert_array_equal(target.encode(TextColumn.of("y", ["9", "", "77", "10"])), [1, -1, -1, 2])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: ClassTarget.fit(TextColumn.of("y", ["a", "a", ""])), "only one class, 'a'"),
        (lambda: ClassTarget.fit(TextColumn.of("y", [str(i) for i in range(30)])), "30 classes in 30 rows"),
        (lambda: NumberTarget.fit(TextColumn.of("y", ["a", "b"])), "holds texts, not numbers"),
        (lambda: NumberTarget.fit(NumberColumn("y", [2.0, 2.0])), "is 2 in every row"),
    ],
)
def test_targets_that_cannot_be_learnt(made, message):
    with pytest.raises(DataError, match=message):
        made()


def test_target_goes_there_and_back():
    values = np.array([3.0, 5.0, 11.0])
    target = NumberTarget.fit(NumberColumn("y", values))
    scaled = target.standardise(values)
    assert scaled.shape == (3, 1)
    assert abs(float(scaled.mean())) < 1e-6
    np.testing.assert_allclose(target.restore(scaled), values, rtol=1e-6)


def test_split_is_stratified_seeded_and_complete():
    labels = np.repeat(np.arange(3, dtype=np.int32), [500, 40, 7])
    parts = split(len(labels), labels, 0.15, 0.2, seed=3)
    together = np.concatenate([parts.training, parts.validation, parts.test])
    np.testing.assert_array_equal(np.sort(together), np.arange(len(labels)))
    np.testing.assert_array_equal(np.bincount(labels[parts.test]), [100, 8, 1])
    assert abs(len(parts.validation) - 0.15 * len(labels)) <= 1
    again = split(len(labels), labels, 0.15, 0.2, seed=3)
    np.testing.assert_array_equal(again.test, parts.test)
    assert not np.array_equal(split(len(labels), labels, 0.15, 0.2, seed=4).test, parts.test)


def test_split_gives_every_class_a_training_row():
    labels = np.concatenate([np.zeros(30, np.int32), np.arange(1, 6, dtype=np.int32)])
    parts = split(len(labels), labels, 0.3, 0.3, seed=0)
    assert set(labels[parts.training]) == set(range(6))


@pytest.mark.parametrize(
    ("rows", "fractions"), [(5, (0.2, 0.2)), (100, (0, 0.2)), (100, (0.5, 0.5)), (100, (0.1, 1.2))]
)
def test_bad_splits(rows, fractions):
    with pytest.raises(DataError):
        split(rows, None, *fractions, seed=0)


def test_prepare_learns_from_training_rows_only():
    rows = 200
    data = table(a=np.arange(rows, dtype=float), y=np.arange(rows) * 0.37)
    prepared = prepare(data, "y", seed=1)
    training = data.columns["a"].numbers()[prepared.split.training]
    assert prepared.features.encoders[0].mean == pytest.approx(training.mean())
    assert prepared.target.mean == pytest.approx(0.37 * training.mean())
    np.testing.assert_allclose(prepared.test.y, 0.37 * prepared.split.test)


def test_rows_without_target_are_left_out():
    y = ["a", "b", ""] * 20
    prepared = prepare(table(a=np.arange(60.0) % 7, y=y), "y")
    assert "20 rows without a value of 'y' are left out" in prepared.notices
    assert len(prepared.training) + len(prepared.validation) + len(prepared.test) == 40


def test_an_unknown_target_suggests_a_near_one():
    with pytest.raises(OptionError, match="did you mean 'price'"):
        prepare(table(price=np.arange(20.0), a=np.arange(20.0)), "prize")


def test_the_description_survives_json():
    data = table(a=["1", "", "3.5"] * 10, c=["u", "v", "w"] * 10, y=["p", "q"] * 15)
    prepared = prepare(data, "y", options=FeatureOptions(max_categories=2))
    features, target = restore(json.loads(json.dumps(prepared.to_json())))
    np.testing.assert_array_equal(features.transform(data)[0], prepared.features.transform(data)[0])
    assert target == prepared.target


@pytest.mark.parametrize(
    "damage", [{"version": 99}, {"format": "other"}, {"features": {}}, {"target": {"task": "x"}}]
)
def test_damaged_descriptions_are_refused(damage):
    description = prepare(table(a=np.arange(20.0), y=["p", "q"] * 10), "y").to_json()
    with pytest.raises(DataError, match="preprocessing is"):
        restore({**description, **damage})


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("y", "the column 'y' holds 1e\\+200; numbers beyond 1e\\+150 cannot be standardised"),
        ("a", "the column 'a' holds 1e\\+200; numbers beyond 1e\\+150 cannot be standardised"),
    ],
)
def test_numbers_without_end(column, text):
    values = {"a": np.arange(40.0), "b": np.arange(40.0) ** 0.5, "y": np.linspace(0, 1, 40)}
    values[column] = np.where(np.arange(40) % 2 == 0, 1e200, values[column])
    made = table(**values)
    with pytest.raises(DataError, match=text):
        prepare(made, "y")


@pytest.mark.parametrize(("column", "refusals"), [("y", 12), ("a", 0)])
def test_a_row_that_is_nowhere_near_the_others(column, refusals):
    """A target beyond float32 is refused, unless it is a training row and makes the deviation large."""
    refused = []
    for row in range(40):
        values = {"a": np.arange(40.0), "b": np.arange(40.0) ** 0.5, "y": np.linspace(0, 1, 40)}
        values[column][row] = 1e100
        try:
            prepared = prepare(table(**values), "y")
        except DataError as error:
            refused.append(str(error))
        else:
            for part in (prepared.training, prepared.validation, prepared.test):
                assert np.isfinite(part.X).all()
                assert np.isfinite(prepared.fitted(part)).all()
    assert len(refused) == refusals
    assert all("the column 'y' holds 1e+100, which is too far from" in text for text in refused)
