"""Reshape, Conv2D and MaxPool2D: against PyTorch, ties, NaN, shapes that do not fit, threads, files.

Value and gradient of all settings are in test_gradients.py.
"""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def core_of(layers, shape, dtype="float64", seed=3):
    width = int(np.prod(shape))
    return dr.Sequential([dr.Reshape(shape), *layers], seed=seed, dtype=dtype).build(width)._network


def backward(net, x, dy):
    """(y, dx, gradients) of one hand-written step."""
    y = net.forward(x, True).copy()
    dx = net.backward(dy).copy()
    return y, dx, {k: v.copy() for k, v in net.gradients().items()}


def rows(image):
    """PyTorch's (N, channels, height, width) as rows of deltarule."""
    return np.ascontiguousarray(image.transpose(0, 2, 3, 1)).reshape(len(image), -1)


@TYPES
@pytest.mark.parametrize("kernel", [(3, 3), (5, 1)])
@pytest.mark.parametrize("channels", [1, 4, 70])
@pytest.mark.parametrize(("strides", "padding"), [((1, 1), "valid"), ((1, 1), "same"), ((2, 3), "valid")])
def test_convolution_against_torch(kernel, channels, strides, padding, dtype, rng):
    """3 x 3 x 70 x 60 are so many weights that their gradient is shared out by places."""
    torch = pytest.importorskip("torch")
    filters = 60 if channels == 70 else 8
    net = core_of(
        [dr.Conv2D(filters, kernel, "tanh", strides=strides, padding=padding)], (9, 8, channels), dtype
    )
    image = rng.normal(size=(6, channels, 9, 8)).astype(dtype)
    weight = net.parameters()["conv_2d_1.weight"].reshape(*kernel, channels, filters).transpose(3, 2, 0, 1)
    net.parameters()["conv_2d_1.bias"][...] = rng.normal(size=filters)
    x = torch.tensor(image, requires_grad=True)
    w = torch.tensor(np.ascontiguousarray(weight), requires_grad=True)
    b = torch.tensor(net.parameters()["conv_2d_1.bias"].copy(), requires_grad=True)
    z = torch.nn.functional.conv2d(x, w, b, strides, padding=padding)
    dy = rng.normal(size=tuple(z.shape)).astype(dtype)
    y = torch.tanh(z)
    y.backward(torch.tensor(dy))
    ours, dx, gradients = backward(net, rows(image), rows(dy))
    tolerance = 1e-12 if dtype == "float64" else 1e-5

    def compare(got, wanted, what):
        assert_near(got, wanted, tolerance, what, np.abs(wanted).max())

    compare(ours, rows(y.detach().numpy()), "y")
    compare(dx, rows(x.grad.numpy()), "dx")
    compare(
        gradients["conv_2d_1.weight"], w.grad.numpy().transpose(2, 3, 1, 0).reshape(-1, filters), "dweight"
    )
    compare(gradients["conv_2d_1.bias"], b.grad.numpy(), "dbias")


@TYPES
@pytest.mark.parametrize(("size", "strides"), [((2, 2), ()), ((3, 2), ()), ((3, 3), (1, 2))])
@pytest.mark.parametrize("channels", [1, 7, 33])
def test_pool_against_torch(size, strides, channels, dtype, rng):
    torch = pytest.importorskip("torch")
    image = rng.normal(size=(5, channels, 7, 8)).astype(dtype)
    x = torch.tensor(image, requires_grad=True)
    y = torch.nn.functional.max_pool2d(x, size, strides or None)
    dy = rng.normal(size=tuple(y.shape)).astype(dtype)
    y.backward(torch.tensor(dy))
    net = core_of([dr.MaxPool2D(size, strides=strides)], (7, 8, channels), dtype)
    ours, dx, _ = backward(net, rows(image), rows(dy))
    np.testing.assert_array_equal(ours, rows(y.detach().numpy()))
    assert_near(dx, rows(x.grad.numpy()), 1e-15 if dtype == "float64" else 1e-6, "dx", np.abs(dx).max())


@TYPES
def test_the_first_of_equal_maxima_gets_the_gradient(dtype):
    net = core_of([dr.MaxPool2D(2)], (2, 4, 1), dtype)
    x = np.array([[3, 1, -0.0, 0, 3, 3, 0, -0.0]], dtype)  # two windows, side by side
    y, dx, _ = backward(net, x, np.array([[5, 7]], dtype))
    np.testing.assert_array_equal(y, [[3, 0]])
    np.testing.assert_array_equal(dx, [[5, 0, 7, 0, 0, 0, 0, 0]])


@TYPES
def test_overlapping_windows_add_up(dtype):
    net = core_of([dr.MaxPool2D(2, strides=1)], (3, 3, 1), dtype)
    x = np.array([[0, 0, 0, 0, 9, 0, 0, 0, 0]], dtype)
    y, dx, _ = backward(net, x, np.array([[1, 2, 3, 4]], dtype))
    np.testing.assert_array_equal(y, [[9, 9, 9, 9]])
    np.testing.assert_array_equal(dx, [[0, 0, 0, 0, 10, 0, 0, 0, 0]])


@TYPES
@pytest.mark.parametrize("channels", [1, 5, 40])
def test_nan_and_infinity_in_windows(channels, dtype):
    net = core_of([dr.MaxPool2D(2)], (2, 2, channels), dtype)
    low = -np.inf
    pixels = np.array([[1, np.nan, 2, 3], [low, low, low, low], [np.inf, 0, np.nan, np.inf]], dtype)
    x = np.repeat(pixels[:, :, None], channels, axis=2).reshape(3, -1)
    y, dx, _ = backward(net, x, np.full((3, channels), 2.0, dtype))
    np.testing.assert_array_equal(y, np.repeat([[np.nan], [low], [np.nan]], channels, axis=1))
    wanted = np.array([[0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0]])
    np.testing.assert_array_equal(dx.reshape(3, 4, channels), np.repeat(wanted[:, :, None], channels, axis=2))


@TYPES
def test_a_nan_spoils_the_windows_that_see_it(dtype, rng):
    net = core_of([dr.Conv2D(9, 3, "relu")], (5, 6, 2), dtype)
    x = rng.normal(size=(2, 60)).astype(dtype)
    clean = net.forward(x, False).reshape(2, 3, 4, 9)
    x.reshape(2, 5, 6, 2)[1, 0, 1, 0] = np.nan
    y = net.forward(x, False).reshape(2, 3, 4, 9)
    assert np.isnan(y[1, 0, :2]).all()
    y[1, 0, :2] = clean[1, 0, :2]
    np.testing.assert_array_equal(y, clean)


def test_padding_follows_keras(rng):
    """Of an odd number of missing pixels the larger half lies below and at the right."""
    x = rng.normal(size=(1, 16))
    net = core_of([dr.Conv2D(1, 2, padding="same", use_bias=False)], (4, 4, 1))
    net.parameters()["conv_2d_1.weight"][:, 0] = [1, 10, 100, 1000]
    padded = np.pad(x.reshape(4, 4), ((0, 1), (0, 1)))
    wanted = padded[:-1, :-1] + 10 * padded[:-1, 1:] + 100 * padded[1:, :-1] + 1000 * padded[1:, 1:]
    np.testing.assert_allclose(net.forward(x, False).reshape(4, 4), wanted, rtol=1e-14)
    net = core_of([dr.Conv2D(1, 2, padding="same", strides=2, use_bias=False)], (4, 4, 1))
    assert net.output_width == 4  # nothing is missing


def test_one_pixel_windows_are_a_dense_layer(rng):
    net = core_of([dr.Conv2D(6, 1, "gelu")], (3, 5, 4))
    dense = dr.Sequential([dr.Dense(6, "gelu")], dtype="float64").build(4)._network
    dense.parameters()["dense_1.weight"][...] = net.parameters()["conv_2d_1.weight"]
    x, dy = rng.normal(size=(7, 60)), rng.normal(size=(7, 90))
    y, dx, gradients = backward(net, x, dy)
    wanted = backward(dense, x.reshape(-1, 4), dy.reshape(-1, 6))
    np.testing.assert_allclose(y, wanted[0].reshape(7, -1), rtol=0, atol=1e-13)
    np.testing.assert_allclose(dx, wanted[1].reshape(7, -1), rtol=0, atol=1e-13)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, wanted[2][name.replace("conv_2d", "dense")], rtol=0, atol=1e-12)


def test_the_bits_of_an_image_do_not_depend_on_the_images_around_it(rng):
    net = dr.Sequential([dr.Reshape((6, 6, 3)), dr.Conv2D(5, 3, "swish"), dr.MaxPool2D(2), dr.Dense(2)])
    x = rng.normal(size=(70, 108)).astype(np.float32)
    net.build(108)
    together = net.predict(x)
    for i in (0, 1, 63, 69):
        np.testing.assert_array_equal(net.predict(x[i : i + 1])[0], together[i])


@TYPES
@pytest.mark.parametrize("batch", [9, 200])
def test_same_bytes_for_any_number_of_threads(batch, dtype, rng):
    x, y = rng.normal(size=(300, 243)).astype(dtype), rng.integers(0, 4, 300)
    results = set()
    try:
        for threads in (1, 2, 3, 4):
            dr.set_num_threads(threads)
            net = dr.Sequential(
                [
                    dr.Reshape((9, 9, 3)),
                    dr.Conv2D(40, 3, "relu", padding="same"),
                    dr.MaxPool2D(3, strides=2),
                    dr.BatchNorm(),
                    dr.Conv2D(100, 3, "gelu"),  # so many weights that they are shared out
                    dr.MaxPool2D(2),
                    dr.Dense(4),
                ],
                dtype=dtype,
            )
            net.compile("adam", "sparse_softmax_cross_entropy")
            net.fit(x, y, epochs=2, batch_size=batch, verbose=0)
            results.add(b"".join(a.tobytes() for a in net.get_weights().values()))
    finally:
        dr.set_num_threads(None)
    assert len(results) == 1


@pytest.mark.parametrize(
    "rule", [dr.SGD(0.05, momentum=0.9), dr.Adam(0.01), dr.AdamW(0.01, weight_decay=0.1)], ids=repr
)
@pytest.mark.parametrize("filters", [4, 90])
def test_updates_while_in_the_cache_are_updates(rule, filters, rng):
    """A clipping norm that never clips writes the gradients out; the weights must not see a difference."""
    x, y = rng.normal(size=(40, 5 * 5 * 41)), rng.normal(size=(40, 2))
    results = []
    for clip in ({}, {"clip_norm": 1e30}):
        net = dr.Sequential(
            [dr.Reshape((5, 5, 41)), dr.Conv2D(filters, 3, "tanh"), dr.Conv2D(3, 2), dr.Dense(2)],
            dtype="float64",
        )
        net.compile(rule, "mse", **clip)
        net.fit(x, y, epochs=3, batch_size=20, verbose=0)
        results.append(net.get_weights())
    for name, array in results[0].items():
        np.testing.assert_array_equal(array, results[1][name])


def test_shapes_pass_through_what_works_element_by_element():
    between = [
        dr.Dropout(0.1),
        dr.AlphaDropout(0.1),
        dr.GaussianNoise(0.1),
        dr.BatchNorm(),
        dr.LayerNorm(),
        dr.RMSNorm(),
        dr.Standardize(),
        dr.Activation("softplus"),
        dr.Activation("softmax"),
        dr.Reshape((4, 6, 1)),
    ]
    net = core_of([dr.Conv2D(2, 3), *between, dr.MaxPool2D(2)], (6, 5, 1))
    assert net.output_width == 6
    with pytest.raises(ValueError, match="the shape of its input is not known"):
        core_of([dr.Activation("glu"), dr.MaxPool2D(1)], (2, 2, 2))


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([dr.Conv2D(2, 3)], r"layer 'conv_2d_1': the shape of its input is not known; put Reshape\("),
        ([dr.Dense(12), dr.MaxPool2D(2)], "layer 'max_pool_2d_1': the shape of its input is not known"),
        (
            [dr.Reshape((3, 5, 1))],
            "layer 'reshape_1': an image of 3 x 5 x 1 does not fit the 12 columns .* channels = 12",
        ),
        ([dr.Reshape((2**24, 2**24, 2**24))], "an image of 16777216 x 16777216 x 16777216 does not fit"),
        (
            [dr.Reshape((3, 4, 1)), dr.Conv2D(2, (4, 3), name="first")],
            "layer 'first': a window of 4 x 3 does not fit .* 3 x 4 x 1; allowed: at most 3 x 4, or padding",
        ),
        (
            [dr.Reshape((3, 4, 1)), dr.Conv2D(2, 2), dr.MaxPool2D(3)],
            "a window of 3 x 3 does not fit into its input, an image of 2 x 3 x 2",
        ),
        ([dr.Reshape((3, 4, 1)), dr.Conv2D(2, 2, "softmax")], "'softmax' works on whole rows, not on pixels"),
    ],
)
def test_shapes_that_do_not_fit(layers, text):
    with pytest.raises(ValueError, match=text):
        dr.Sequential(layers).build(12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: dr.Reshape((28, 28)),
            "reshape: shape = .* is not allowed; allowed: a list of 3 whole numbers",
        ),
        (lambda: dr.Conv2D(2, (3, 3, 3)), "kernel_size = .* is not allowed; allowed: a list of 1 to 2 whole"),
        (lambda: dr.Conv2D(2, 0), "kernel_size = .* is not allowed"),
        (lambda: dr.Conv2D(2, 3, padding="full"), "padding = 'full' is not allowed; allowed: one of 'valid'"),
        (lambda: dr.MaxPool2D(2, strides=0), "strides = .* is not allowed"),
        (lambda: dr.Conv2D(0), "filters = 0 is not allowed; allowed: a whole number with 1 <= filters"),
    ],
)
def test_settings_that_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_numbers_stand_for_both_sides():
    assert dr.Conv2D(4, 3).kernel_size == (3,)
    pairs = core_of([dr.Conv2D(4, (3, 3), strides=(2, 2)), dr.MaxPool2D((2, 2))], (9, 9, 1))
    single = core_of([dr.Conv2D(4, 3, strides=2), dr.MaxPool2D(2)], (9, 9, 1))
    x = np.random.default_rng(0).normal(size=(2, 81))
    np.testing.assert_array_equal(pairs.forward(x, False), single.forward(x, False))


@TYPES
def test_networks_on_images_come_back_from_a_file(dtype, tmp_path, rng):
    net = dr.Sequential(
        [dr.Reshape((6, 5, 2)), dr.Conv2D(3, (3, 2), "elu", padding="same"), dr.MaxPool2D(2, strides=1)],
        dtype=dtype,
    )
    net.build(60).save(tmp_path / "net.safetensors")
    twin = dr.load(tmp_path / "net.safetensors")
    assert [layer.config() | {"name": None} for layer in twin.layers] == [
        layer.config() | {"name": None} for layer in net.layers
    ]
    x = rng.normal(size=(9, 60)).astype(dtype)
    np.testing.assert_array_equal(twin.predict(x), net.predict(x))


@pytest.mark.parametrize(("activation", "initializer"), [("relu", "he_normal"), ("selu", "lecun_normal")])
def test_auto_initializers_count_what_a_window_sees(activation, initializer):
    for layers in (
        [dr.Conv2D(50, 3, activation)],
        [dr.Conv2D(50, 3), dr.MaxPool2D(2), dr.Activation(activation)],
    ):
        weight = core_of(layers, (6, 6, 40)).parameters()["conv_2d_1.weight"]
        given = core_of([dr.Conv2D(50, 3, initializer=initializer)], (6, 6, 40))
        np.testing.assert_array_equal(weight, given.parameters()["conv_2d_1.weight"])
        gain = 2 if activation == "relu" else 1
        assert weight.var() == pytest.approx(gain / (9 * 40), rel=0.05)


def test_diagnostics_see_the_layers(rng):
    net = dr.Sequential(
        [dr.Reshape((6, 6, 1)), dr.Conv2D(3, 3, "relu"), dr.MaxPool2D(2), dr.Dense(2)], seed=1
    )
    net.compile("adam", "sparse_softmax_cross_entropy")
    x, y = rng.normal(size=(20, 36)), rng.integers(0, 2, 20)
    net.fit(x, y, epochs=1, verbose=0)
    assert dr.diagnostics.gradient_check(net, x, y).ok
    plan = net.explain_plan(20)
    assert "conv_2d 3 x 3, 6 x 6 x 1 -> 4 x 4 x 3 + bias + relu" in plan
    assert "max_pool_2d 2 x 2, 4 x 4 x 3 -> 2 x 2" in plan
