"""Columns: what counts as a number, a category, a missing value."""

import numpy as np
import pytest

from deltarule.data.columns import NumberColumn, TextColumn, canonical, parse_number


def column(*cells):
    return TextColumn.of("c", cells)


def texts(made):
    codes, levels = made.texts()
    return [None if code < 0 else levels[code] for code in codes]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-2.5e3", -2500),
        (".5", 0.5),
        ("+7", 7),
        ("1_000", None),
        ("inf", None),
        ("12a", None),
        ("0x1", None),
    ],
)
def test_what_is_a_number(text, value):
    parsed = parse_number(text)
    assert np.isnan(parsed) if value is None else parsed == value


def test_decimal_comma_only_where_asked():
    assert np.isnan(parse_number("1,5"))
    assert parse_number("1,5", decimal_comma=True) == 1.5


def test_numbers_with_missing_values():
    made = column("1", " 2.5 ", "", "NA", "?", "null", "-3")
    assert made.kind == "number"
    np.testing.assert_array_equal(made.numbers(), [1, 2.5, np.nan, np.nan, np.nan, np.nan, -3])


def test_one_text_among_a_hundred_numbers_is_garbled_and_two_make_categories():
    assert column(*map(str, range(99)), "oops").kind == "number"
    assert column(*map(str, range(99)), "oops").garbled == 1
    assert column(*map(str, range(98)), "oops", "no").kind == "category"


def test_empty_column():
    assert column("", "NA").kind == "empty"
    assert NumberColumn("c", [np.nan, np.nan]).kind == "empty"


def test_equal_texts_share_a_code_and_missing_has_none():
    assert texts(column("a", " a", "b", "", "a ")) == ["a", "a", "b", None, "a"]


def test_whole_numbers_as_categories_do_not_depend_on_how_they_were_written():
    assert texts(column("3", "3.0", "3.", "03")) == ["3", "3", "3", "03"]
    assert texts(NumberColumn("c", [3, np.nan, 2.5])) == ["3", None, "2.5"]
    assert canonical("1.50") == "1.50"


def test_infinity_counts_as_missing():
    made = NumberColumn("c", [1, np.inf, -np.inf])
    assert made.garbled == 2
    np.testing.assert_array_equal(made.numbers(), [1, np.nan, np.nan])


@pytest.mark.parametrize("made", [column("4", "x", "5"), NumberColumn("c", [4.0, 9.0, 5.0])])
def test_take(made):
    np.testing.assert_array_equal(made.take(np.array([2, 0])).numbers(), [5, 4])
