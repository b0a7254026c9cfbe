"""Every activation of the catalogue, value and derivative, against its oracle and on awkward arrays."""

import itertools

import mpmath
import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core
from reference.activations import ORACLES, places
from reference.checking import assert_near, assert_ulp, cases, rounded, ulp_errors
from reference.wide import WIDE, wide

ENTRIES = core.catalog()["activation"]
CASES = cases(ENTRIES)
BY_NAME = [pytest.param(e, id=e["name"]) for e in ENTRIES]
FLOATS = [np.float32, np.float64]


def functions(entry):
    return getattr(dr.kernels, entry["name"]), getattr(dr.kernels, entry["name"] + "_backward")


def inputs(entry, dtype):
    """A grid, every magnitude the type has, the kinks and their neighbours, the ends of the range."""
    rng = np.random.default_rng(7)
    info = np.finfo(dtype)
    bits = rng.integers(0, 2 ** (8 * info.dtype.itemsize), 20_000, dtype=f"u{info.dtype.itemsize}")
    anything = bits.view(dtype)
    exponents = rng.uniform(np.log2(info.smallest_subnormal), np.log2(info.max), 3000)
    spread = (2.0**exponents * rng.choice([-1, 1], 3000)).astype(dtype)
    places = np.array([*entry["kinks"], 0, 1, -1], dtype)
    near = [places, np.nextafter(places, dtype(np.inf)), np.nextafter(places, dtype(-np.inf))]
    edges = np.array([info.max, info.tiny, info.smallest_subnormal, 1e30, np.inf, 88.7, 89, 104, 708, 746])
    parts = [np.linspace(-20, 20, 8001), np.linspace(-800, 800, 3001), rng.normal(size=4000), edges, -edges]
    x = np.concatenate([anything[np.isfinite(anything)], spread, *near, *[p.astype(dtype) for p in parts]])
    return np.concatenate([x, [dtype(-0.0)]])


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_value_is_the_oracles(entry, chosen, dtype):
    forward, _ = functions(entry)
    x = inputs(entry, dtype)
    y = forward(x, **chosen)
    with np.errstate(all="ignore"):
        expected = ORACLES[entry["name"]].forward(wide(x), **rounded(chosen, np.float64))
    keep = np.isfinite(x) | ~np.isnan(expected)  # 0 * infinity has no value
    check(y[keep], expected[keep], entry, {"x": x[keep]}, f"{entry['name']}({dtype.__name__}) {chosen}")


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_derivative_is_the_oracles(entry, chosen, dtype):
    """Where two terms of the derivative cancel, the unit is that of the larger one (see the oracle)."""
    forward, backward = functions(entry)
    x = inputs(entry, dtype)
    y = forward(x, **chosen)
    slope = backward(x, y, np.ones_like(x), **chosen)
    with np.errstate(all="ignore"):
        terms = ORACLES[entry["name"]].slopes(wide(x), wide(y), **rounded(chosen, np.float64))
        expected, size = sum(terms), np.max(np.abs(terms), axis=0)
    keep = np.isfinite(x) | ~np.isnan(expected)
    what = f"derivative of {entry['name']}({dtype.__name__}) {chosen}"
    check(slope[keep], expected[keep], entry, {"x": x[keep], "y": y[keep]}, what, size[keep])


def check(got, expected, entry, given, what, size=None):
    """float32: the entry's promise in ulp. float64: 1e-13 relative, subnormal results to their last bits."""
    if got.dtype == np.float32:
        assert_ulp(got, expected, entry["max_ulp"], given, what, size)
    else:
        assert_ulp(got, expected, 1e-13 / np.finfo(np.float64).eps, given, what, size)


@pytest.mark.parametrize(("entry", "chosen"), CASES)
def test_incoming_gradient_multiplies(entry, chosen, rng):
    forward, backward = functions(entry)
    x, dy = rng.normal(size=(2, 500)) * 3
    y = forward(x, **chosen)
    slope = backward(x, y, np.ones_like(x), **chosen)
    assert_near(backward(x, y, dy, **chosen), slope * dy, 4e-16, entry["name"])


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_finite_in_finite_out(entry, chosen, dtype):
    """No NaN for any finite input, and no infinity but where the exact value is too large for the type."""
    forward, backward = functions(entry)
    x = inputs(entry, dtype)
    x = x[np.isfinite(x)]
    y = forward(x, **chosen)
    assert not np.isnan(y).any(), f"{entry['name']} {chosen}: NaN for x = {x[np.isnan(y)][0]!r}"
    slope = backward(x, y, np.ones_like(x), **chosen)
    with np.errstate(all="ignore"):
        exact = sum(ORACLES[entry["name"]].slopes(wide(x), wide(y), **rounded(chosen, np.float64)))
        too_large = np.abs(exact).astype(dtype) == np.inf
    bad = ~np.isfinite(slope) & ~(too_large & np.isinf(slope))
    assert not bad.any(), f"{entry['name']}' {chosen}: {slope[bad][0]} for x = {x[bad][0]!r}"


@pytest.mark.parametrize("entry", BY_NAME)
@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_goes_through(entry, dtype):
    """In every place, the tail too. A derivative that is one of two constants may pass dy on instead."""
    forward, backward = functions(entry)
    for n, place in itertools.product((1, 7, 16, 33), (0, -1)):
        x = np.ones(n, dtype)
        x[place] = np.nan
        y = forward(x)
        assert np.isnan(y[place]), f"f(NaN) = {y[place]}"
        assert np.isfinite(np.delete(y, place)).all()
        constant = entry["kinks"] or entry["name"] == "identity"
        slope = backward(x, y, np.full_like(x, 2))
        assert np.isnan(slope[place]) or (constant and slope[place] != 0), f"f'(NaN) = {slope[place] / 2}"
        gradient = backward(np.ones_like(x), forward(np.ones_like(x)), x)
        assert np.isnan(gradient[place]), "a NaN gradient was lost"


@pytest.mark.parametrize(("entry", "chosen"), cases([e for e in ENTRIES if e["kinks"]]))
@pytest.mark.parametrize("dtype", FLOATS)
def test_left_hand_derivative_at_kinks(entry, chosen, dtype):
    forward, backward = functions(entry)
    for kink in entry["kinks"]:
        x = np.array([kink, np.nextafter(dtype(kink), dtype(-np.inf))], dtype)
        at, left = backward(x, forward(x, **chosen), np.ones_like(x), **chosen)
        tolerance = 4 * float(np.finfo(dtype).eps)
        assert float(at) == pytest.approx(
            float(left), rel=tolerance
        )  # one step away where f' is not constant


def second(entry, x, chosen):
    return core.activation_second(ENTRIES.index(entry), chosen, x)


@pytest.mark.parametrize(("entry", "chosen"), CASES)
def test_second_derivative_is_the_derivative_of_the_first(entry, chosen, rng):
    """Against a fourth-order difference of the oracle's slope, away from kinks."""
    x = np.concatenate([rng.uniform(-7, 7, 400), rng.normal(size=200)])
    for place in places(entry["name"], chosen):
        x = x[np.abs(x - place) > 1e-2]
    h = WIDE(1e-4)

    def slope(at):
        oracle, given = ORACLES[entry["name"]], rounded(chosen, np.float64)
        return sum(oracle.slopes(at, oracle.forward(at, **given), **given))

    d = [slope(wide(x) + k * h) for k in (1, -1, 2, -2)]
    numeric = (8 * (d[0] - d[1]) - (d[2] - d[3])) / (12 * h)
    size = max(1e-3, float(np.abs(numeric).max()))
    assert_near(second(entry, x, chosen), numeric, 1e-8, f"second derivative of {entry['name']}", size)


@pytest.mark.parametrize(("entry", "chosen"), CASES)
def test_second_derivative_far_out_and_at_kinks(entry, chosen):
    """Finite for every finite input, NaN for NaN; at a kink that of the left-hand branch."""
    x = inputs(entry, np.float64)
    x = x[np.isfinite(x)]
    assert np.isfinite(second(entry, x, chosen)).all()
    assert np.isnan(second(entry, np.array([np.nan]), chosen)).all()
    for kink in places(entry["name"], chosen):
        at, left = second(entry, np.array([kink, np.nextafter(kink, -np.inf)]), chosen)
        assert at == pytest.approx(left, rel=1e-12)


EXACT_SECOND = {
    "sigmoid": lambda x: mpmath.diff(lambda t: 1 / (1 + mpmath.exp(-t)), x, 2),
    "tanh": lambda x: mpmath.diff(mpmath.tanh, x, 2),
    "gelu": lambda x: mpmath.diff(lambda t: t * mpmath.ncdf(t), x, 2),
    "swish": lambda x: mpmath.diff(lambda t: t / (1 + mpmath.exp(-t)), x, 2),
    "mish": lambda x: mpmath.diff(lambda t: t * mpmath.tanh(mpmath.log1p(mpmath.exp(t))), x, 2),
    "softplus": lambda x: mpmath.diff(lambda t: mpmath.log1p(mpmath.exp(t)), x, 2),
    "tanhshrink": lambda x: mpmath.diff(lambda t: t - mpmath.tanh(t), x, 2),
}


@pytest.mark.parametrize("name", EXACT_SECOND)
def test_second_derivative_by_mpmath(name):
    entry = next(e for e in ENTRIES if e["name"] == name)
    chosen = {p["name"]: p["default"] for p in entry["parameters"]}
    x = np.concatenate([np.linspace(-30, 30, 31), np.linspace(-2.95, 2.95, 20)])
    x = x[x != 0]
    with mpmath.workdps(60):
        exact = np.array([WIDE(mpmath.nstr(EXACT_SECOND[name](mpmath.mpf(float(v))), 25)) for v in x])
    size = np.maximum(np.abs(exact), 0.1 * np.exp(-np.abs(x)))  # near a root of f'' terms cancel
    assert_near(second(entry, x, chosen), exact, 1e-13, name, size)


@pytest.mark.parametrize("name", ["binary_step", "sign"])
def test_steps_cannot_be_trained_through(name, rng):
    """Refused before anything changes, unless gradients go straight through; inference works."""
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))

    def net(activation):
        made = dr.Sequential([dr.Dense(4, "tanh"), dr.Dense(5, activation), dr.Dense(1)], seed=1)
        return made.build(3)

    stuck = net(name)
    before = stuck.get_weights()
    assert set(np.unique(dr.Sequential([dr.Activation(name)]).build(3).predict(x))) <= {-1.0, 0.0, 1.0}
    assert np.isfinite(stuck.predict(x)).all()
    stuck.compile("sgd", loss="mse")
    with pytest.raises(
        ValueError, match=f"'dense_2' has the activation '{name}', whose derivative is 0 every"
    ):
        stuck.fit(x, y, epochs=1, verbose=0)
    for key, value in stuck.get_weights().items():
        assert np.array_equal(value, before[key])
    through = net({"name": name, "straight_through": True})
    through.compile("sgd", loss="mse")
    through.fit(x, y, epochs=1, verbose=0)
    moved = through.get_weights()
    assert not np.array_equal(moved["dense_1.weight"], before["dense_1.weight"])


@pytest.mark.parametrize("entry", BY_NAME)
@pytest.mark.parametrize("dtype", FLOATS)
def test_zero_keeps_its_sign_where_the_function_is_odd(entry, dtype):
    zeros = np.array([0.0, -0.0], dtype)
    y = functions(entry)[0](zeros)
    odd_at_0 = (
        "identity tanh leaky_relu elu celu selu gelu swish mish hard_swish hard_tanh softsign sin tanhshrink"
    )
    if entry["name"] in odd_at_0.split():
        assert list(np.signbit(y)) == [False, True], y
    assert y[0] == y[1]


@pytest.mark.parametrize("entry", BY_NAME)
@pytest.mark.parametrize("dtype", FLOATS)
def test_bits_do_not_depend_on_the_place(entry, dtype, rng):
    forward, backward = functions(entry)
    x = np.concatenate([rng.normal(size=140) * 4, [-90.5, 90.5, 1e-40, -1e30]]).astype(dtype)
    x = rng.permutation(x)
    dy = rng.normal(size=x.size).astype(dtype)
    y = forward(x)
    dx = backward(x, y, dy)
    for n in range(1, 71):
        for offset in (0, 1, 3, 5, 37):
            part = slice(offset, offset + n)
            assert forward(x[part]).tobytes() == y[part].tobytes(), (n, offset)
            assert backward(x[part], y[part], dy[part]).tobytes() == dx[part].tobytes(), (n, offset)


@pytest.mark.parametrize("entry", BY_NAME)
def test_bits_do_not_depend_on_threads(entry, rng):
    forward, backward = functions(entry)
    x = rng.normal(size=200_003).astype(np.float32)
    results = []
    try:
        for threads in (1, 2, 3):
            dr.set_num_threads(threads)
            y = forward(x)
            results.append(y.tobytes() + backward(x, y, x).tobytes())
    finally:
        dr.set_num_threads(0)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("entry", BY_NAME)
def test_any_layout_and_type(entry, rng):
    forward, backward = functions(entry)
    x = rng.normal(size=(6, 8))
    y = forward(x)
    dy = rng.normal(size=x.shape)
    dx = backward(x, y, dy)
    big = rng.normal(size=(12, 24))
    big[::2, ::3] = x
    for layout in (big[::2, ::3], np.asfortranarray(x), x.tolist(), x[::-1][::-1]):
        assert np.array_equal(forward(layout), y)
        assert np.array_equal(backward(layout, np.asfortranarray(y), dy), dx)
    whole = np.array([[-3, 0], [2, 5]])
    for kind in (np.int8, np.int64):
        assert np.array_equal(forward(whole.astype(kind)), forward(whole.astype(np.float64)))
    assert forward(x.astype(np.float32)).dtype == np.float32
    assert forward(whole).dtype == np.float64
    for shape in ((), (0,), (3, 0), (1,), (2, 3, 4)):
        assert forward(np.zeros(shape)).shape == shape
        assert backward(np.zeros(shape), np.zeros(shape), np.zeros(shape)).shape == shape


@pytest.mark.parametrize("entry", BY_NAME)
def test_out(entry, rng):
    forward, backward = functions(entry)
    x = rng.normal(size=(5, 9))
    y, dx = np.empty_like(x), np.empty_like(x)
    assert forward(x, out=y) is y
    assert np.array_equal(y, forward(x))
    assert backward(x, y, x, out=dx) is dx
    assert np.array_equal(dx, backward(x, y, x))
    own = x.copy()
    forward(own, out=own)  # in place is allowed
    assert np.array_equal(own, y)
    gradient = x.copy()
    backward(x, y, gradient, out=gradient)  # dx may be dy
    assert np.array_equal(gradient, dx)
    with pytest.raises(TypeError, match=rf"{entry['name']}: out has dtype float32; allowed: float64"):
        forward(x, out=np.empty(x.shape, np.float32))
    with pytest.raises(ValueError, match=rf"{entry['name']}: out has shape \(5, 8\); allowed: \(5, 9\)"):
        forward(x, out=np.empty((5, 8)))
    with pytest.raises(ValueError, match="out must be C-contiguous and writable"):
        forward(x, out=np.empty((9, 5)).T)


@pytest.mark.parametrize("entry", BY_NAME)
def test_wrong_arrays(entry):
    forward, backward = functions(entry)
    for wrong in (["a", "b"], [1j, 2j], [None, 1.0]):
        with pytest.raises(TypeError, match=rf"{entry['name']}: x has dtype"):
            forward(wrong)
    if entry["reads"] != "nothing":
        with pytest.raises(
            ValueError, match=rf"{entry['name']}_backward: [xy] has shape \(3,\); allowed: \(4,\)"
        ):
            backward(np.zeros(3), np.zeros(3), np.zeros(4))
        with pytest.raises(TypeError, match=r"is None, but the derivative is computed from it"):
            backward(None, None, np.zeros(4))
    with pytest.raises(ValueError, match=rf"{entry['name']}: unknown parameter 'nonsense'"):
        forward(np.zeros(3), nonsense=1)


@pytest.mark.parametrize(
    ("entry", "parameter"),
    [pytest.param(e, p, id=f"{e['name']}-{p['name']}") for e in ENTRIES for p in e["parameters"]],
)
def test_parameter_out_of_range(entry, parameter):
    """The message names function, parameter, what was given and what is allowed; nothing is written."""
    forward, _ = functions(entry)
    name = parameter["name"]
    wrong = ["nonsense"] if parameter["kind"] == "choice" else [np.nan, np.inf, -np.inf]
    if parameter["kind"] != "choice" and parameter["low"] is not None:
        wrong += [parameter["low"] - 1] + ([parameter["low"]] if parameter["low_open"] else [])
    for value in wrong:
        out = np.full(3, 5.0)
        with pytest.raises(
            ValueError, match=rf"^{entry['name']}: {name} = .* is not allowed; allowed: "
        ) as raised:
            forward(np.zeros(3), out=out, **{name: value})
        assert parameter["range"] in str(raised.value)
        assert (out == 5).all()


def test_a_wrong_result_is_noticed():
    """The yardstick itself: an error of 5 ulp, a lost NaN and a wrong infinity must not pass."""
    x = np.float32([1.0, 2.0])
    assert ulp_errors(np.nextafter(x, np.float32(9)), wide(x)).tolist() == [1, 1]
    with pytest.raises(AssertionError, match="5 ulp, promised 4"):
        assert_ulp(x + np.float32([0, 5 * 2**-22]), wide(x), 4, {"x": x}, "f")
    for got, expected in ((np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (1.0, np.inf), (-np.inf, np.inf)):
        assert ulp_errors(np.float32([got]), wide([expected]))[0] == np.inf
