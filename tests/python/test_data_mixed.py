"""Columns that are not quite numbers: a few texts, infinite numbers, dashes, signs, one number far away."""

import numpy as np
import pytest

from deltarule.data import DataError, FeatureOptions, OptionError, open_source, prepare, read_file
from deltarule.data.columns import NumberColumn, TextColumn
from deltarule.data.target import ClassTarget

RNG = np.random.default_rng(0)


def file_of(folder, changes, rows=60, names="a b y", extra=None):
    """A CSV of numbers in which ``changes`` maps (row, column) to other cells; its first row is line 2."""
    cells = [[f"{value:.4f}" for value in row] for row in RNG.normal(size=(rows, len(names.split())))]
    for (row, column), text in changes.items():
        cells[row][column] = text
    path = folder / "t.csv"
    lines = [names.split(), *([extra] if extra else []), *cells]
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in line) for line in lines), encoding="utf-8")
    return path


def prepared_of(path, target="y", **options):
    return prepare(read_file(path)[0], target, options=FeatureOptions(**options))


def column(*cells):
    return TextColumn.of("c", cells)


# ---- texts among numbers


def test_a_dropped_column_of_numbers_says_where_its_first_text_is(tmp_path):
    bad = {(row, 0): "error" for row in range(200) if row % 25 == 15}
    prepared = prepared_of(file_of(tmp_path, bad, 200))
    notice = next(notice for notice in prepared.notices if notice.startswith("not used"))
    assert "% of the cells are numbers, but not 'error' (line 17); --numeric a takes the column as" in notice
    assert "identifier" not in notice
    assert "but not 'error' (line 17)" in prepared.features.ignored["a"]
    assert prepared.to_json()["features"]["ignored"] == prepared.features.ignored
    prepared = prepared_of(file_of(tmp_path, bad, 200), numeric=["a"])
    assert prepared.features.names[0] == "a"
    assert prepared.notices[0] == (
        "cells that are no finite number count as missing in 'a' (8, the first: 'error', line 17)"
    )


def test_a_line_of_units_is_one_notice_for_all_columns(tmp_path):
    table = read_file(file_of(tmp_path, {}, names="a b c y", extra=["kg", "m", "s", "s"]))[0]
    options = FeatureOptions(max_categories=100, numeric=["y"])
    table.columns["y"] = NumberColumn("y", [0.5, *table.columns["y"].numbers()[1:]])
    seed = next(s for s in range(9) if 0 in prepare(table, "y", options=options, seed=s).split.training)
    prepared = prepare(table, "y", options=options, seed=seed)
    assert len(prepared.features.names) > 100
    assert prepared.notices[-1] == (
        "taken as categories: 'a', 'b', 'c': 97.6 % of the cells are numbers, but not 'kg' (line 2); "
        "--numeric a,b,c takes the columns as numbers"
    )


@pytest.mark.parametrize(
    ("task", "start"),
    [
        ("auto", "the target column 'y' has 60 classes in 60 rows; 98.3 % of the cells are numbers"),
        ("regression", "--task regression: the target column 'y' holds texts, not numbers; 98.3 % of the"),
    ],
)
def test_a_refused_target_of_numbers_says_where_its_first_text_is(tmp_path, task, start):
    table = read_file(file_of(tmp_path, {(9, 2): "n.d."}))[0]
    with pytest.raises(DataError) as error:
        prepare(table, "y", task=task)
    assert str(error.value).startswith(start)
    end = ", but not 'n.d.' (line 11); --numeric y takes the column as numbers"
    assert str(error.value).endswith(end)
    prepared = prepare(table, "y", task=task, options=FeatureOptions(numeric=["y"]))
    assert prepared.target.task == "regression"
    assert prepared.notices == [
        "1 rows without a value of 'y' are left out",
        "cells that are no finite number count as missing in 'y' (1: 'n.d.', line 11)",
    ]


def test_a_text_in_a_long_target_is_said(tmp_path):
    prepared = prepared_of(file_of(tmp_path, {(9, 2): "n.d."}, 200))
    assert "cells that are no finite number count as missing in 'y' (1: 'n.d.', line 11)" in prepared.notices


def test_a_long_text_is_cut(tmp_path):
    (notice,) = prepared_of(file_of(tmp_path, {(9, 0): "x" * 5000}, 200)).notices[:1]
    assert notice.endswith(f"in 'a' (1: '{'x' * 40}...', line 11)")


def test_a_text_that_becomes_a_class_among_numbers_is_said(tmp_path):
    path = file_of(tmp_path, {(row, 2): str(row % 2) for row in range(60)} | {(9, 2): "oops"})
    prepared = prepared_of(path)
    assert prepared.target.classes == ["0", "1", "oops"]
    notice = prepared.notices[0]
    assert notice.startswith("the target column 'y' is taken as classes: 98.3 % of the cells are numbers")
    assert "'oops' (line 11)" in notice
    assert prepared_of(path, numeric=["y"]).target.classes == ["0", "1"]


def test_a_target_without_numbers_cannot_be_taken_as_numbers():
    from deltarule.data.table import Table

    made = Table.of("t", [NumberColumn("a", np.arange(30.0)), TextColumn.of("y", ["p", "q"] * 15)])
    with pytest.raises(OptionError, match="--numeric: column 'y' holds no two different numbers"):
        prepare(made, "y", options=FeatureOptions(numeric=["y"]))


@pytest.mark.parametrize("write", ["${}", "{}%", "{} €", "12,{}", "1,{},345.67"])
def test_numbers_with_signs_are_said_to_be_texts(tmp_path, write):
    signed = {(row, 0): write.format(100 + row) for row in range(60)}
    prepared = prepared_of(file_of(tmp_path, signed), max_categories=20)
    notice = next(notice for notice in prepared.notices if notice.startswith("not used"))
    assert "100 % of the cells are numbers but for currency, percent or thousands signs, as '" in notice
    assert notice.endswith("; write them without")


@pytest.mark.parametrize(
    "cells", [["u", "v", "w"], ["11.12.2023", "13.12.2023", "14.12.2023"], ["3 kg", "x"]]
)
def test_texts_are_nothing_to_speak_of(tmp_path, cells):
    texts = {(row, 0): cells[row % len(cells)] for row in range(60)}
    assert prepared_of(file_of(tmp_path, texts)).notices == []


# ---- infinite numbers and dashes


@pytest.mark.parametrize("rows", [60, 200])
@pytest.mark.parametrize("text", ["inf", "-Infinity", "1e999"])
def test_an_infinite_number_counts_as_missing_at_every_size(tmp_path, rows, text):
    prepared = prepared_of(file_of(tmp_path, {(9, 2): text, (20, 0): text}, rows))
    assert prepared.target.task == "regression"
    assert prepared.features.encoders[0].kind == "number"
    for name, line in (("y", 11), ("a", 22)):
        what = f"cells that are no finite number count as missing in {name!r} (1: {text!r}, line {line})"
        assert what in prepared.notices


def test_an_infinite_label_is_no_class():
    target = ClassTarget.fit(column(*"010101", "inf"))
    assert target.classes == ["0", "1"]
    np.testing.assert_array_equal(target.encode(column("1", "inf")), [1, -1])


@pytest.mark.parametrize("dash", ["-", "--", "."])
def test_a_dash_among_numbers_is_missing(tmp_path, dash):
    made = column("1", "2", dash, dash)
    assert made.kind == "number"
    np.testing.assert_array_equal(made.numbers(), [1, 2, np.nan, np.nan])
    assert made.garbled == 0
    prepared = prepared_of(file_of(tmp_path, {(row, 0): dash for row in range(0, 60, 7)}))
    assert prepared.features.names[:2] == ["a", "a missing"]
    assert prepared.notices == ["9 missing values in 1 columns: 'a'"]


def test_a_dash_among_texts_is_a_category():
    assert ClassTarget.fit(column("+", "-", "+", "-")).classes == ["+", "-"]
    assert ClassTarget.fit(column("1", "-", "1", "-")).classes == ["1", "-"]
    assert ClassTarget.fit(column("1", "2", "-", "1")).classes == ["1", "2"]


# ---- numbers far away


def far(notices):
    return [notice for notice in notices if "standardised" in notice]


@pytest.mark.parametrize("name", ["a", "y"])
def test_a_number_that_flattens_its_column_is_said(tmp_path, name):
    path = file_of(tmp_path, {(9, "aby".index(name)): "1e12"}, 200)
    table = read_file(path)[0]
    seed = next(seed for seed in range(9) if 9 in prepare(table, "b", seed=seed).split.training)
    (notice,) = far(prepare(table, "y", seed=seed).notices)
    assert notice.startswith(f"{name!r} holds 1e12 (line 11), more than a million times")


def test_many_zeros_have_the_spread_of_the_others():
    from deltarule.data.mixed import far_notice
    from deltarule.data.table import Table

    def said(values):
        made = NumberColumn("a", values)
        return far_notice(Table.of("t", [made]), made)

    sparse = np.zeros(100)
    assert said(sparse) == []
    sparse[:20] = np.arange(1, 21)
    assert said(sparse) == []
    sparse[50] = -1e9
    assert said(sparse)[0].startswith("'a' holds -1000000000 (row 51), more than")
    assert said(np.exp(np.random.default_rng(0).normal(scale=3, size=5000))) == []


# ---- where a cell is, and which column


def test_lines_are_those_of_the_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\na,b\n"two\nlines",1\n\n\nx,2\r\n"3\n\n",3\ny,4\n')
    table = read_file(path)[0]
    assert [table.where(row) for row in range(4)] == ["line 3", "line 7", "line 8", "line 11"]
    assert table.take(np.array([3, 0])).where(0) == "line 11"
    assert table.take(np.array([3, 1])).take(np.array([1])).without(["a"]).where(0) == "line 7"
    path.write_text("1,2\n\n3,4\n")
    assert [read_file(path)[0].where(row) for row in range(2)] == ["line 1", "line 3"]
    np.savez(tmp_path / "d.npz", X=np.zeros((5, 2)))
    table = read_file(tmp_path / "d.npz")[0].take(np.array([1, 4])).take(np.array([1]))
    assert table.where(0) == "row 5"


def test_many_blank_lines_do_not_end_a_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n" + "\n" * 60_000 + "3,4\n")
    table = read_file(path)[0]
    assert (table.rows, table.where(1)) == (2, "line 60003")


@pytest.mark.parametrize(
    ("header", "target", "name"),
    [
        ("", "3", "column_3"),
        ("", "1", "column_1"),
        ("", "-1", "column_3"),
        ("", "-3", "column_1"),
        ("a,b,c\n", "2", "b"),
        ("2,b,c\n", "2", "2"),
        ("-1,b,c\n", "-1", "-1"),
    ],
)
def test_a_target_by_position(tmp_path, header, target, name):
    path = tmp_path / "t.csv"
    path.write_text(header + "1,2,3\n4,5,6\n")
    assert open_source(str(path), target, header=bool(header)).target == name


@pytest.mark.parametrize("target", ["0", "4", "-4", "99"])
def test_a_position_that_is_not_there(tmp_path, target):
    path = tmp_path / "t.csv"
    path.write_text("1,2,3\n4,5,6\n")
    with pytest.raises(OptionError) as error:
        open_source(str(path), target)
    text = f"--target: t.csv has no column {target!r}, neither by name nor by position "
    assert str(error.value) == text + "(1 to 3 or, from the end, -1 to -3)"
