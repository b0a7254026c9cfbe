"""Every loss of the catalogue, value and gradient, against its oracle."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core
from reference.checking import assert_near, cases, rounded
from reference.losses import ORACLES
from reference.wide import logistic, softmax, wide

ENTRIES = core.catalog()["loss"]
CASES = cases(ENTRIES)
BY_NAME = [pytest.param(e, id=e["name"]) for e in ENTRIES]
CLASSES = [pytest.param(e, id=e["name"]) for e in ENTRIES if e["target"] != "values"]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
PROBABILITIES = ("binary_cross_entropy", "categorical_cross_entropy", "log_likelihood")
# The largest magnitude whose loss the type can hold, as a power of its largest number.
REACH = {"cubed_hinge": 0.3, "squared_hinge": 0.45, "squared_log": 0.45, "gaussian_nll": 0.3}


def function(entry):
    return getattr(dr.kernels, entry["name"])


def targets(entry, rows, outputs, rng, soft=False):
    """Targets a loss takes: labels, one-hot or soft distributions, values between its bounds."""
    outputs //= entry["outputs_per_target"]
    if entry["target"] == "label":
        return rng.integers(0, outputs, rows)
    if entry["target"] == "label_or_distribution":
        one_hot = np.eye(outputs)[rng.integers(0, outputs, rows)]
        return rng.dirichlet(np.ones(outputs), rows) if soft else one_hot
    low, high = entry["target_low"], entry["target_high"]
    if high is not None:
        ends = np.where(rng.integers(0, 2, (rows, outputs)), high, low)
        return rng.uniform(low, high, (rows, outputs)) if soft else ends
    if low is not None:
        return rng.gamma(2, 2, (rows, outputs)) if soft else rng.poisson(2, (rows, outputs)) * 1.0
    return rng.normal(size=(rows, outputs))


def legal(entry, chosen, z):
    """Predictions that the loss is made for, from any numbers: probabilities, rates, what exp can take."""
    name = entry["name"]
    if name in PROBABILITIES or not chosen.get("log_probabilities", True):
        return (logistic(wide(z)) if z.shape[1] == 1 else softmax(wide(z))).astype(z.dtype)
    if name == "poisson_nll":
        z = np.minimum(z, z.dtype.type(80))
        return z if chosen.get("log_input", True) else np.exp(np.maximum(z, z.dtype.type(-80)))
    if name == "gaussian_nll" and not chosen.get("log_variance", True):
        half = z.shape[1] // 2
        return np.hstack([z[:, :half], np.exp(np.clip(z[:, half:], -80, 80))]).astype(z.dtype)
    if name == "alpha_loss" and chosen.get("alpha", 1) < 1:  # e^(z (1 / alpha - 1)) grows out of the type
        return np.clip(z, -10, 10)
    return z


def check(entry, chosen, prediction, target, tolerance):
    """Losses and gradients row by row."""
    dtype = prediction.dtype
    prediction = legal(entry, chosen, prediction)
    loss, gradient = function(entry)(prediction, target, reduction="none", **chosen)
    exact = target if entry["target"] == "label" else wide(target.astype(dtype))
    value, slope, size, *value_size = ORACLES[entry["name"]](
        wide(prediction), exact, **rounded(chosen, dtype)
    )
    what = f"{entry['name']}({dtype}) {chosen}"
    assert loss.shape == value.shape
    assert_near(loss, value, tolerance, what, *value_size)
    assert gradient.dtype == dtype
    assert_near(gradient, slope, tolerance, "gradient of " + what, size)


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("outputs", [1, 2, 10, 17, 1000])
@pytest.mark.parametrize("soft", [False, True])
@TYPES
def test_value_and_gradient(entry, chosen, outputs, soft, dtype, rng):
    outputs *= entry["outputs_per_target"]
    for rows, spread in ((1, 1), (20, 1e-3), (20, 2)):
        prediction = (rng.normal(size=(rows, outputs)) * spread).astype(dtype)
        check(entry, chosen, prediction, targets(entry, rows, outputs, rng, soft), TOLERANCE[dtype])


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("scale", [30, 100, 1e4])
@TYPES
def test_saturated(entry, chosen, scale, dtype, rng):
    """Large logits, right and wrong ones: losses near zero and their gradients keep their digits."""
    for outputs in np.multiply((1, 2, 10), entry["outputs_per_target"]):
        target = targets(entry, 40, outputs, rng)
        prediction = rng.uniform(-1, 1, (40, outputs)) * scale
        check(entry, chosen, prediction.astype(dtype), target, TOLERANCE[dtype])
        if entry["target"] != "values" and outputs > 1:
            label = target if target.ndim == 1 else target.argmax(axis=1)
            prediction = rng.uniform(-1, 0, (40, outputs))
            prediction[np.arange(40), label] += scale
            check(entry, chosen, prediction.astype(dtype), target, TOLERANCE[dtype])


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@TYPES
def test_finite_for_finite_input(entry, chosen, dtype, rng):
    """Up to the largest logits whose distances and squares the type can hold."""
    largest = np.finfo(dtype).max ** REACH.get(entry["name"], 0.45)
    if entry["from_logits"] and entry["name"] not in REACH:
        largest = np.finfo(dtype).max / 100
    for outputs in np.multiply((1, 3, 20), entry["outputs_per_target"]):
        prediction = rng.choice([-largest, largest, 0, np.finfo(dtype).tiny], (30, outputs)).astype(dtype)
        prediction = legal(entry, chosen, prediction)
        target = targets(entry, 30, outputs, rng)
        loss, gradient = function(entry)(prediction, target, reduction="none", **chosen)
        assert np.isfinite(loss).all()
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_nan_prediction_gives_nan(entry, dtype, rng):
    for outputs in np.multiply((1, 19), entry["outputs_per_target"]):
        for place in (0, outputs - 1):
            prediction = np.zeros((4, outputs), dtype)
            prediction[2, place] = np.nan
            loss, gradient = function(entry)(prediction, targets(entry, 4, outputs, rng), reduction="none")
            assert np.isnan(loss).tolist() == [False, False, True, False]
            assert np.isnan(gradient[2, place])
            assert np.isfinite(np.delete(gradient, 2, axis=0)).all()
            assert np.isnan(function(entry)(prediction, targets(entry, 4, outputs, rng))[0])


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@TYPES
def test_reductions(entry, chosen, dtype, rng):
    prediction = legal(entry, chosen, rng.normal(size=(9, 4)).astype(dtype))
    target = targets(entry, 9, 4, rng)
    weight = rng.uniform(0.1, 3, 9).astype(dtype)
    f = function(entry)
    each, gradient = f(prediction, target, reduction="none", **chosen)
    near = TOLERANCE[dtype]
    size = np.abs(gradient).max()
    counts = np.ones(9) if "ignore_index" not in chosen else (target != chosen["ignore_index"]).astype(float)
    for given, w in ((None, counts), (weight, counts * weight)):
        loss, g = f(prediction, target, given, "sum", **chosen)
        assert_near(loss, (w * each).sum(), near, "sum")
        assert_near(g, w[:, None] * gradient, near, "gradient of the sum", size)
        loss, g = f(prediction, target, given, **chosen)
        assert isinstance(loss, float)
        assert_near(loss, (w * each).sum() / w.sum(), near, "mean")
        assert_near(g, w[:, None] * gradient / w.sum(), near, "gradient of the mean", size)
        loss, g = f(prediction, target, given, "none", **chosen)
        assert_near(loss, w * each, near, "none")
        assert_near(g, w[:, None] * gradient, near, "gradient per row", size)


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_weights_mean_rows(entry, dtype, rng):
    """Weight 0 is an absent row, even one whose loss is not finite; weight 2 the row twice."""
    prediction = rng.normal(size=(6, 4)).astype(dtype)
    target = targets(entry, 6, 4, rng)
    f = function(entry)
    for reduction in ("mean", "sum"):
        present = [0, 1, 3, 4, 5]
        expected, slope = f(prediction[present], target[present], reduction=reduction)
        broken = prediction.copy()
        broken[2] = np.nan
        loss, gradient = f(broken, target, [1, 1, 0, 1, 1, 1], reduction)
        assert loss == pytest.approx(expected, rel=1e-6)
        assert_near(gradient[present], slope, TOLERANCE[dtype], "gradient", np.abs(slope).max())
        assert (gradient[2] == 0).all()
        twice = [0, 1, 2, 2, 3, 4, 5]
        expected, slope = f(prediction[twice], target[twice], reduction=reduction)
        loss, gradient = f(prediction, target, [1, 1, 2, 1, 1, 1], reduction)
        assert loss == pytest.approx(expected, rel=1e-6)
        slope = np.vstack([slope[:2], slope[2:4].sum(axis=0), slope[4:]])
        assert_near(gradient, slope, TOLERANCE[dtype], "gradient", np.abs(slope).max())


@pytest.mark.parametrize(("entry", "chosen"), CASES)
def test_gradient_by_central_differences(entry, chosen, rng):
    f = function(entry)
    prediction = legal(entry, chosen, rng.normal(size=(3, 6)))
    target = targets(entry, 3, 6, rng, soft=True)
    weight = np.array([0.5, 2, 1])
    _, gradient = f(prediction, target, weight, **chosen)
    numeric = np.empty_like(gradient)
    for at in np.ndindex(prediction.shape):
        step = np.zeros_like(prediction)
        step[at] = 1e-4
        values = [f(prediction + s * step, target, weight, **chosen)[0] for s in (1, -1, 2, -2)]
        numeric[at] = (8 * (values[0] - values[1]) - (values[2] - values[3])) / 12e-4
    assert_near(gradient, numeric, 1e-8, entry["name"], np.abs(numeric).max())


@pytest.mark.parametrize("entry", CLASSES)
def test_labels_of_every_integer_type(entry, rng):
    prediction = rng.normal(size=(8, 5))
    labels = rng.integers(0, 5, 8)
    loss, gradient = function(entry)(prediction, labels)
    for kind in "int8 uint8 int16 uint16 int32 uint32 int64 uint64".split():
        again, slope = function(entry)(prediction, labels.astype(kind))
        assert again == loss
        assert np.array_equal(slope, gradient)
    again, slope = function(entry)(prediction, labels[::-1][::-1].tolist())
    assert again == loss
    assert np.array_equal(slope, gradient)


@pytest.mark.parametrize("entry", CLASSES)
@pytest.mark.parametrize("label", [-1, 5, 2**31 - 1])
def test_class_out_of_range(entry, label):
    with pytest.raises(
        ValueError, match=rf"{entry['name']}: target\[2\] = {label} is not a class; allowed: 0 to 4"
    ):
        function(entry)(np.zeros((4, 5)), np.array([0, 1, label, 2]))


@pytest.mark.parametrize("entry", BY_NAME)
def test_wrong_arrays(entry, rng):
    f, name = function(entry), entry["name"]
    prediction, target = np.zeros((4, 6)), targets(entry, 4, 6, rng)
    with pytest.raises(ValueError, match=rf"{name}: prediction has shape \(6,\); allowed: two dimensions"):
        f(prediction[0], target)
    with pytest.raises((ValueError, TypeError), match=rf"{name}: target has"):
        f(prediction, target[:3])
    with pytest.raises(ValueError, match=rf"{name}: sample_weight has shape \(3,\); allowed: \(4,\)"):
        f(prediction, target, np.ones(3))
    with pytest.raises(ValueError, match=rf"{name}: reduction = 'average' is not allowed; allowed: 'mean'"):
        f(prediction, target, reduction="average")
    with pytest.raises(TypeError, match=rf"{name}: out has dtype float32; allowed: float64"):
        f(prediction, target, out=np.empty((4, 6), np.float32))
    for parameter in entry["parameters"]:
        for value in (np.nan, np.inf, -1):
            if parameter["name"] == "ignore_index" and value == -1:  # any whole number
                continue
            if parameter["name"] == "alpha" and value == np.inf:  # its upper end
                continue
            with pytest.raises(
                ValueError, match=rf"^{name}: {parameter['name']} = .* is not allowed; allowed: "
            ):
                f(prediction, target, **{parameter["name"]: value})


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_layouts_out_and_empty(entry, dtype, rng):
    f = function(entry)
    prediction, target = rng.normal(size=(40, 14)).astype(dtype), targets(entry, 40, 14, rng)
    loss, gradient = f(prediction, target)
    again, slope = f(np.asfortranarray(prediction), np.asfortranarray(target))
    assert again == loss
    assert np.array_equal(slope, gradient)
    own = prediction.copy()
    out = np.empty_like(own)
    assert f(own, target, out=out)[1] is out
    assert np.array_equal(out, gradient)
    assert np.array_equal(own, prediction), "the prediction was changed"
    each, slope = f(prediction[:0], target[:0], reduction="none")
    assert each.shape == (0,)
    assert slope.shape == (0, 14)


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_bits_do_not_depend_on_other_rows_or_threads(entry, dtype, rng):
    f = function(entry)
    prediction = rng.normal(size=(9000, 14)).astype(dtype)
    target = targets(entry, 9000, 14, rng)
    results = []
    try:
        for threads in (1, 2, 3):
            dr.set_num_threads(threads)
            loss, gradient = f(prediction, target)
            results.append((loss, gradient.tobytes()))
    finally:
        dr.set_num_threads(0)
    assert results[0] == results[1] == results[2]
    each, gradient = f(prediction, target, reduction="none")
    for i in (0, 1, 17, 8999):
        one, slope = f(prediction[i : i + 1], target[i : i + 1], reduction="none")
        assert one[0] == each[i]
        assert slope[0].tobytes() == gradient[i].tobytes()


@TYPES
@pytest.mark.parametrize("columns", [2, 3, 8, 10, 15, 16, 17])
def test_narrow_rows_of_labels_have_the_same_bits_alone(columns, dtype, rng):
    """Beside rows that are absent, equal, far apart or infinite."""
    f = dr.kernels.sparse_softmax_cross_entropy
    logits = (rng.choice([0.01, 1, 30], size=(77, 1)) * rng.normal(size=(77, columns))).astype(dtype)
    labels = rng.integers(0, columns, 77).astype(np.int32)
    logits[3], logits[5], logits[6, 0], logits[7] = logits[3, 0], -0.0, 1000, -np.inf
    logits[7, labels[7]], logits[8, labels[8]] = 1, -200
    weight = rng.random(77).astype(dtype)
    weight[70], labels[[20, 40]] = 0, -100
    each, gradient = f(logits, labels, weight, reduction="none")
    for i in range(77):
        one, slope = f(logits[i : i + 1], labels[i : i + 1], weight[i : i + 1], reduction="none")
        assert one[0] == each[i]
        assert slope[0].tobytes() == gradient[i].tobytes()


@pytest.mark.parametrize(("entry", "chosen"), CASES)
def test_hessian_times_vector(entry, chosen, rng):
    """Differences of the gradient along the vector."""
    f, index = function(entry), core.find("loss", entry["name"])
    prediction = legal(entry, chosen, rng.normal(size=(4, 6)))
    target = targets(entry, 4, 6, rng, soft=True)
    weight, v = np.array([0.5, 2, 0, 1]), rng.normal(size=(4, 6))
    product = np.empty_like(v)
    goal = target.astype(np.int32) if target.ndim == 1 else target
    core.loss_hessian(index, chosen, prediction, goal, weight, v, product)
    slopes = [f(prediction + h * 1e-4 * v, target, weight, "sum", **chosen)[1] for h in (1, -1, 2, -2)]
    numeric = (8 * (slopes[0] - slopes[1]) - (slopes[2] - slopes[3])) / 12e-4
    assert_near(product, numeric, 1e-7, entry["name"], max(np.abs(numeric).max(), 1e-3))
    assert (product[2] == 0).all()
