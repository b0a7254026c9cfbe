"""What single layers promise beyond value and gradient."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def core_of(layers, width, dtype="float64", seed=3):
    return dr.Sequential(layers, seed=seed, dtype=dtype).build(width)._network


@TYPES
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
def test_alpha_dropout_keeps_mean_and_variance(rate, dtype, rng):
    x = rng.normal(size=(400, 1000)).astype(dtype)
    y = core_of([dr.AlphaDropout(rate)], 1000, dtype).forward(x, True)
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.01
    values, counts = np.unique(y, return_counts=True)
    assert abs(counts.max() / y.size - rate) < 0.005  # what was dropped lies at one number
    kept, limit = 1 - round(rate * 65536) / 65536, -1.7580993408473766
    dropped = kept * limit / np.sqrt(kept * (1 + limit**2 * (1 - kept)))
    assert values[counts.argmax()] == pytest.approx(dropped, rel=1e-6)


@TYPES
def test_gaussian_noise_is_normal(dtype):
    from scipy import stats

    noise = core_of([dr.GaussianNoise(2.0)], 300, dtype).forward(np.zeros((300, 300), dtype), True) / 2
    assert np.isfinite(noise).all()
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[:, ::2].ravel(), noise[:, 1::2].ravel())[0, 1]) < 0.015
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.015


@pytest.mark.parametrize("layer", [dr.Dropout(0.5), dr.AlphaDropout(0.5), dr.GaussianNoise(1.0)], ids=repr)
def test_random_layers_pass_through_at_inference(layer, rng):
    net = core_of([layer], 40)
    x = rng.normal(size=(7, 40))
    np.testing.assert_array_equal(net.forward(x, False), x)
    first, second = net.forward(x, True), net.forward(x, True)
    assert (first != second).any()  # each pass draws anew
    np.testing.assert_array_equal(core_of([layer], 40).forward(x, True), first)
    assert (core_of([layer], 40, seed=4).forward(x, True) != first).any()


@pytest.mark.parametrize("layer", [dr.Dropout(0.0), dr.AlphaDropout(0.0), dr.GaussianNoise(0.0)], ids=repr)
def test_rates_of_zero_change_nothing(layer, rng):
    x = rng.normal(size=(7, 40))
    np.testing.assert_array_equal(core_of([layer], 40).forward(x, True), x)


@pytest.mark.parametrize("layer", [dr.Dropout(0.5), dr.AlphaDropout(0.5)], ids=repr)
def test_what_is_dropped_leaves_no_trace(layer):
    y = core_of([layer], 200).forward(np.full((2, 200), np.nan), True)
    assert 0.3 < np.isnan(y).mean() < 0.7


@TYPES
def test_rms_norm_of_extreme_rows(dtype, rng):
    largest, tiny = np.finfo(dtype).max, np.finfo(dtype).tiny
    signs = np.where(rng.uniform(size=33) < 0.5, -1, 1)
    for size in (largest, largest / 7, largest**0.5 * 3, 1.0, 1e-3):
        y = core_of([dr.RMSNorm(epsilon=1e-30)], 33, dtype).forward((signs * size).astype(dtype)[None], False)
        assert_near(y[0], signs, 1e-6 if dtype == "float32" else 1e-13, f"rms of {size}")
    net = core_of([dr.RMSNorm()], 33, dtype)
    assert not net.forward(np.zeros((1, 33), dtype), False).any()
    assert np.isfinite(net.forward(np.full((1, 33), tiny, dtype), False)).all()
    x = np.ones((2, 33), dtype)
    x[0, 5] = np.nan
    y = net.forward(x, False)
    assert np.isnan(y[0]).all()
    assert np.isfinite(y[1]).all()
