"""C files against the library: every activation and layer, other machines, what they cost, errors."""

import re
import subprocess

import numpy as np
import pytest

import deltarule as dr
from deltarule._from_catalog import CATALOG
from reference.c_programs import CXX, NATIVE, OTHERS, STRICT, C, outputs, program, run, targets
from reference.checking import settings, ulp_errors

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
GCC = NATIVE[0]

# Units in the last place by which an activation in C may differ from the library's, wherever the exponents in
# it are within REACH. The library promises up to 4 itself, the C library about as much.
ULP = 8
REACH = {"float32": 80.0, "float64": 700.0}
ROW_ULP = 16  # of rows of 12 numbers, where sums run in another order


def single(name, chosen, dtype, width=1):
    chosen = {k: v for k, v in chosen.items() if k != "straight_through"}
    function = dr.activations.ActivationFunction.find(name)(**chosen)
    return dr.Sequential([dr.Activation(function)], dtype=dtype).build(width)


def activation_cases(dtype):
    """(label, network, inputs) for every activation and setting."""
    rng = np.random.default_rng(5)
    for entry in CATALOG["activation"]:
        for chosen in settings(entry):
            if chosen.get("straight_through"):
                continue  # the same values
            factor = max([1.0, *(abs(v) for v in chosen.values() if isinstance(v, float))])
            if entry["name"] == "celu":
                factor = max(1.0, 1 / chosen["alpha"])
            reach = min(REACH[dtype] / factor, 60.0)
            if entry["name"] == "gelu":  # e^(-x^2 / 2), or about twice that
                reach = float(np.sqrt((2.0 if chosen["approximate"] == "none" else 1.0) * REACH[dtype]))
                if chosen["approximate"] == "tanh":
                    reach = np.cbrt(REACH[dtype] / 0.0714) * 0.8
            x = np.concatenate(
                [
                    np.linspace(-reach, reach, 1500),
                    rng.normal(size=400),
                    10.0 ** rng.uniform(-9, 0, 200) * rng.choice([-1, 1], 200),
                ]
            )
            edge = [0.0, -0.0, np.nan, 0.5, -0.5, 3, -3, 6, 1, -1]
            x = np.concatenate([np.where(np.abs(x) > reach, reach, x), edge]).astype(dtype)[:, None]
            yield f"{entry['name']} {chosen}", single(entry["name"], chosen, dtype), x


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE))
def test_activations(target, dtype, tmp_path):
    cases = list(activation_cases(dtype))
    results = outputs(tmp_path, target, [(net, x) for _, net, x in cases])
    wrong = []
    for (label, net, x), y in zip(cases, results, strict=True):
        expected = net.predict(x)
        errors = ulp_errors(y, expected.astype(np.longdouble))
        worst = int(errors.argmax())
        if errors[worst] > ULP:
            wrong.append(f"{label}: {errors[worst, 0]:.3g} ulp at {x[worst, 0]!r}: {y[worst, 0]!r}, library "
                         f"{expected[worst, 0]!r}")  # fmt: skip
    assert not wrong, "\n".join(wrong)


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE))
def test_infinite_and_huge_numbers(target, dtype, tmp_path):
    """Beyond the reach of exponents, where digits are few: the limits are the library's."""
    most = np.finfo(dtype).max / 4
    x = np.array([np.inf, -np.inf, most, -most, 1e10, -1e10], dtype)[:, None]
    names = [e["name"] for e in CATALOG["activation"] if e["name"] != "sin"]
    cases = [(single(name, {}, dtype), x) for name in names]
    for name, (net, _), y in zip(names, cases, outputs(tmp_path, target, cases), strict=True):
        expected = net.predict(x)
        assert (ulp_errors(y, expected.astype(np.longdouble)) <= ULP).all(), (name, y[:, 0], expected[:, 0])


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE[:2]))
def test_row_operations(target, dtype, tmp_path, rng):
    x = np.concatenate([rng.normal(size=(200, 12)), 20 * rng.normal(size=(200, 12))])
    x = np.clip(x, -12, 12).astype(dtype)  # gates whose exponents are within REACH
    x[5, 3] = np.nan
    names = [e["name"] for e in CATALOG["row_op"]]
    cases = [(dr.Sequential([dr.Activation(name)], dtype=dtype).build(12), x) for name in names]
    for name, (net, _), y in zip(names, cases, outputs(tmp_path, target, cases), strict=True):
        expected = net.predict(x)
        scale = np.abs(x).max(axis=1, keepdims=True) if name == "log_softmax" else None
        errors = ulp_errors(y, expected.astype(np.longdouble), scale)
        assert errors.max() <= ROW_ULP, (name, errors.max())


def layer_cases():
    """Networks by the layer of the catalogue that they are about."""
    image = dr.Reshape((5, 4, 2))
    return {
        "dense": [
            [dr.Dense(19, "tanh"), dr.Dense(8, use_bias=False), dr.Dense(3, "softmax")],
            [dr.Dense(1), dr.Dense(900, "relu"), dr.Dense(2)],  # sums of more than 384 terms
        ],
        "activation": [[dr.Activation("swiglu"), dr.Activation("sigmoid"), dr.Activation("softmax")]],
        "dropout": [[dr.Dropout()], [dr.Dense(4), dr.Dropout(0.3), dr.Activation("relu")]],
        "alpha_dropout": [[dr.Dense(4, "selu"), dr.AlphaDropout(0.2), dr.Dense(2)]],
        "gaussian_noise": [[dr.GaussianNoise(0.2), dr.Dense(2)]],
        "batch_norm": [[dr.Dense(7), dr.BatchNorm(), dr.Activation("relu")], [dr.BatchNorm(epsilon=0.01)]],
        "layer_norm": [[dr.LayerNorm(), dr.Dense(5), dr.LayerNorm(epsilon=0.1)]],
        "rms_norm": [[dr.RMSNorm(), dr.Dense(5), dr.RMSNorm(epsilon=0.1)]],
        "standardize": [[dr.Standardize(), dr.Dense(3)]],
        "embedding": [
            [dr.Embedding((1, 4), (7, 3), dimension=5), dr.Dense(3)],
            [dr.Embedding(tuple(range(40)), (3,) * 40, dimension=2)],  # no column passes
        ],
        "periodic_embedding": [
            [dr.PeriodicEmbedding(6, deviation=0.5, columns=(2, 0)), dr.Dense(3)],
            [dr.PeriodicEmbedding(3)],
        ],
        "rbf": [[dr.RBF(5, width=2.0)], [dr.RBF(9, use_bias=False), dr.Dense(3)]],
        "prelu": [[dr.Dense(6), dr.PReLU()], [dr.PReLU(0.1, shared=True)]],
        "adaptive_relu": [[dr.Dense(6), dr.AdaptiveReLU(0.3)]],
        "learned_swish": [[dr.Dense(6), dr.LearnedSwish(1.3)], [dr.LearnedSwish(shared=True)]],
        "residual": [
            [dr.Residual([dr.Dense(9, "tanh"), dr.Dense(40)]), dr.Activation("relu")],
            [dr.Residual([dr.Dropout()])],
            [dr.Dense(6), dr.Residual([dr.Activation("tanh"), dr.Residual([dr.Activation("relu")])])],
        ],
        "branches": [
            [dr.Branches([[dr.Dense(5, "relu")], [dr.Dense(5)], [dr.Dense(9), dr.Dense(5)]], "mean")],
            [dr.Branches([[dr.Activation("tanh")], [], [dr.Dense(3)]], "concat"), dr.Dense(4)],
            [dr.Dense(6), dr.Branches([[], [dr.Activation("gelu")], []]), dr.Activation("tanh")],
        ],
        "weight_norm": [[dr.WeightNorm(dr.Dense(11, "gelu")), dr.WeightNorm(dr.Dense(3, use_bias=False))]],
        "reshape": [[image, dr.Dense(3)], [image]],
        "conv_2d": [
            [image, dr.Conv2D(9, 3, "relu", padding="same"), dr.Conv2D(4, (2, 3), strides=(2, 1))],
            [image, dr.Conv2D(3, (4, 2), strides=3, padding="same", use_bias=False), dr.Dense(2)],
        ],
        "max_pool_2d": [
            [image, dr.MaxPool2D(), dr.Dense(3)],
            [image, dr.MaxPool2D((3, 2), strides=1, padding="same")],
        ],
    }


def test_every_layer_has_a_case():
    assert set(layer_cases()) == {e["name"] for e in CATALOG["layer"]}


def prepared(layers, dtype, rng):
    """A network of 40 inputs whose arrays are none of their simple first values, and rows for it."""
    x = rng.normal(size=(60, 40))
    first = layers[0]
    if isinstance(first, dr.Embedding):
        for column, most in zip(first.columns, first.cardinalities, strict=True):
            x[:, column] = rng.integers(0, most, len(x))
    net = dr.Sequential(layers, dtype=dtype, seed=3).build(40)
    for array in (net.parameters() | net.states()).values():
        array[...] += (0.2 * rng.normal(size=array.shape)).astype(dtype)
    for name, array in net.states().items():
        if name.endswith(("variance", "deviation")):
            array[...] = np.abs(array) + 0.1
    return net, x.astype(dtype)


# Sums run in the same order as in the library, or one as good; what is left are roundings, in units in the
# last place of the largest output of a row (of a tenth of all rows' largest, where little is left of it).
LAYER_ULP = 24


def layer_errors(y, expected):
    largest = np.abs(expected).max(axis=1, keepdims=True)
    scale = np.broadcast_to(np.maximum(largest, 0.1 * largest.max()), expected.shape)
    return ulp_errors(y, expected.astype(np.longdouble), scale)


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE))
def test_layers(target, dtype, tmp_path, rng):
    cases = [(name, *prepared(layers, dtype, rng)) for name, all_ in layer_cases().items() for layers in all_]
    results = outputs(tmp_path, target, [(net, x) for _, net, x in cases])
    for (name, net, x), y in zip(cases, results, strict=True):
        errors = layer_errors(y, net.predict(x))
        assert errors.max() <= LAYER_ULP, (name, float(errors.max()))
        assert y.any(), name


@pytest.mark.parametrize("target", targets(OTHERS))
def test_other_machines(target, tmp_path, rng):
    """A 32-bit machine and ARM: all layers and activations at once, in both types."""
    for dtype in ("float32", "float64"):
        cases = [prepared(layers, dtype, rng) for all_ in layer_cases().values() for layers in all_]
        for (net, x), y in zip(cases, outputs(tmp_path, target, cases), strict=True):
            assert layer_errors(y, net.predict(x)).max() <= LAYER_ULP
        functions = [(net, x) for _, net, x in activation_cases(dtype)]
        for (net, x), y in zip(functions, outputs(tmp_path, target, functions), strict=True):
            assert ulp_errors(y, net.predict(x).astype(np.longdouble)).max() <= ULP


def test_nan_stays_and_a_wrong_index_becomes_nan(tmp_path, rng):
    net, x = prepared([dr.Embedding((1,), (7,), dimension=3), dr.MaxPool2D(1)][:1], "float32", rng)
    x = x[:5].copy()
    x[:, 1] = [3, 7, -1, 2.5, np.nan]
    image, rows = prepared([dr.Reshape((5, 4, 2)), dr.MaxPool2D((2, 2))], "float32", rng)
    rows[0, 7] = np.nan
    table, pooled = outputs(tmp_path, GCC, [(net, x), (image, rows)])
    assert np.isnan(table[1:, -3:]).all()
    assert not np.isnan(table[0]).any()
    np.testing.assert_array_equal(np.isnan(pooled), np.isnan(image.predict(rows)))
    assert np.isnan(pooled[0]).sum() == 1


def digits_like(dtype="float32"):
    net = dr.Sequential(
        [dr.Standardize(), dr.Dense(24, "relu"), dr.BatchNorm(), dr.Dense(10)], seed=2, dtype=dtype
    )
    rng = np.random.default_rng(1)
    X, y = 30 + 500 * rng.normal(size=(400, 16)), rng.integers(0, 10, 400)
    net.compile("adam", "sparse_softmax_cross_entropy")
    net.fit(X, y, epochs=2, verbose=0)
    return net, X.astype(dtype)


@TYPES
def test_self_test_can_fail(tmp_path, dtype):
    """It passes as written; with a weight off by a thousandth, or other outputs, it counts them."""
    net, X = digits_like(dtype)
    path = tmp_path / "model.h"
    net.export_c(path, test_inputs=X[:3])
    text = path.read_text()
    main = '#include "model.h"\nint main(void) { return model_self_test(); }\n'

    def failing(changed):
        path.write_text(changed)
        out = program(tmp_path, GCC, main, "-I", str(tmp_path))
        return subprocess.run([str(out)], check=False).returncode

    assert failing(text) == 0
    weight = re.search(r"model_dense_2_weight\[\d+\] = \{\s+(-?[\d.]+)", text)
    altered = text[: weight.start(1)] + repr(float(weight[1]) * 1.001) + text[weight.end(1) :]
    assert 0 < failing(altered) <= 3  # output 0 of some of three rows
    last = text.index("model_test_output")
    value = re.search(r"\{\s+(-?[\d.]+)", text[last:])
    at = last + value.start(1)
    assert failing(text[:at] + "1e6" + text[at + len(value[1]) :]) == 1
    rows = re.search(r"model_test_input\[(\d+)\]", text)
    assert int(rows[1]) == 3 * 16


COUNTED = """
#include <cmath>
#include <cstdio>
#include <cstdlib>
static long additions, products, divisions;
struct Counted {
  float v;
  constexpr Counted() : v(0) {}
  constexpr Counted(double x) : v(static_cast<float>(x)) {}
  explicit operator size_t() const { return static_cast<size_t>(v); }
  Counted operator-() const { return Counted(-v); }
  Counted& operator+=(Counted b) { return ++additions, v += b.v, *this; }
  Counted& operator/=(Counted b) { return ++divisions, v /= b.v, *this; }
};
#define OPERATION(sign, count) \\
  inline Counted operator sign(Counted a, Counted b) { return ++count, Counted(a.v sign b.v); }
OPERATION(+, additions)
OPERATION(-, additions)
OPERATION(*, products)
OPERATION(/, divisions)
#define COMPARISON(sign) inline bool operator sign(Counted a, Counted b) { return a.v sign b.v; }
COMPARISON(<)
COMPARISON(>)
COMPARISON(<=)
COMPARISON(>=)
COMPARISON(==)
COMPARISON(!=)
inline Counted sqrtf(Counted x) { return std::sqrt(x.v); }
inline Counted expf(Counted x) { return std::exp(x.v); }
inline Counted sinf(Counted x) { return std::sin(x.v); }
inline Counted cosf(Counted x) { return std::cos(x.v); }
inline Counted fabsf(Counted x) { return std::fabs(x.v); }
inline Counted nearbyintf(Counted x) { return std::nearbyint(x.v); }
#define float Counted
#include "model.h"
int main() {
  Counted x[MODEL_INPUTS], y[MODEL_OUTPUTS];
  for (int i = 0; i < MODEL_INPUTS; ++i) x[i] = Counted(i % 2);
  model_predict(x, y);
  std::printf("%ld %ld %ld", additions, products, divisions);
}
"""


def figures(text):
    """What the comment says: bytes of constants, bytes of memory, additions, multiplications, divisions."""
    head = text[: text.index("*/")].replace(",", "")
    found = re.search(
        r"flash +(\d+) bytes.*RAM +(\d+) bytes.*FLOP +(\d+) a run: (\d+) additions and subtractions (\d+) "
        r"multiplications (\d+) divisions",
        head,
        re.DOTALL,
    )
    flash, ram, total, *parts = map(int, found.groups())
    assert total == sum(parts)
    return flash, ram, parts


LINEAR = [  # no activation but relu, whose comparisons are not counted
    [dr.Dense(24, "relu"), dr.Dense(11, use_bias=False), dr.Dense(10)],
    [dr.Dense(800), dr.Dense(3)],
    [dr.Standardize(), dr.BatchNorm(), dr.Dense(4), dr.LayerNorm(), dr.RMSNorm()],
    [dr.RBF(5), dr.PeriodicEmbedding(3)],
    [dr.Embedding((0, 1), (2, 2), dimension=3), dr.Dense(2)],
    [dr.Residual([dr.Dense(40)]), dr.Branches([[dr.Dense(3)], [dr.Dense(3)], [dr.Dense(3)]], "mean")],
    [
        dr.Reshape((5, 4, 2)),
        dr.Conv2D(3, 3, "relu", padding="same"),
        dr.MaxPool2D(),
        dr.Conv2D(2, 2, strides=2),
    ],
]


@pytest.mark.parametrize("layers", LINEAR)
def test_operations_are_exact(layers, tmp_path):
    """The file is compiled with a number type that counts what is done with it."""
    net = dr.Sequential(layers).build(40)
    net.export_c(tmp_path / "model.h")
    counting = tmp_path / "count.cpp"
    counting.write_text(COUNTED)
    subprocess.run(["g++", "-std=c++17", str(counting), "-o", str(tmp_path / "count")], check=True)
    counted = subprocess.run([str(tmp_path / "count")], capture_output=True, text=True, check=True)
    assert list(map(int, counted.stdout.split())) == figures((tmp_path / "model.h").read_text())[2]


@TYPES
def test_memory_is_exact(dtype, tmp_path, rng):
    """Under the address sanitizer, with working memory of exactly the size that the file says."""
    bytes_ = np.dtype(dtype).itemsize
    for layers in (layers for all_ in layer_cases().values() for layers in all_):
        net, _ = prepared(layers, dtype, rng)
        net.export_c(tmp_path / "model.h")
        flash, ram, _ = figures((tmp_path / "model.h").read_text())
        net_bytes = bytes_ * sum(a.size for a in net.get_weights().values())
        if {type(layer) for layer in layers} <= {dr.Dense, dr.Activation, dr.Dropout}:
            assert flash == net_bytes
        real = "float" if dtype == "float32" else "double"
        source = (
            '#include <stdlib.h>\n#include "model.h"\nint main(void) {\n'
            f"  {real} x[MODEL_INPUTS] = {{0}}, y[MODEL_OUTPUTS];\n"
            f"  {real} *work = ({real} *)malloc({ram} + 0u);\n"
            f"  model_run(x, y, work);\n  free(work);\n  return MODEL_CONSTANT_BYTES != {flash};\n}}\n"
        )
        out = program(tmp_path, GCC, source, "-I", str(tmp_path), "-fsanitize=address,undefined", "-g")
        run(out, GCC)


def test_memory_is_shared(tmp_path):
    """Values that are not alive together share their place: two buffers for a chain of any length."""
    dr.Sequential([dr.Dense(50, "tanh") for _ in range(9)]).build(8).export_c(tmp_path / "model.h")
    assert figures((tmp_path / "model.h").read_text())[1] == 2 * 50 * 4


def test_two_networks_and_several_files(tmp_path, rng):
    """Prefixes keep them apart, and a file may be included from several sources."""
    small, big = dr.Sequential([dr.Dense(2)]).build(3), dr.Sequential([dr.Dense(5, "tanh")]).build(4)
    small.export_c(tmp_path / "a.h", prefix="a_1")
    big.export_c(tmp_path / "b.h", prefix="Net")
    other = (
        '#include "a.h"\n#include "b.h"\nint other(void);\n'
        "int other(void) { return a_1_self_test() + Net_self_test(); }\n"
    )
    main = (
        other.replace("other(void)", "mine(void)")
        + "int other(void);\nint main(void) { return mine() + other(); }\n"
    )
    (tmp_path / "other.c").write_text(other)
    (tmp_path / "main.c").write_text(main)
    files = [str(tmp_path / "main.c"), str(tmp_path / "other.c")]
    subprocess.run(["gcc", "-std=c99", *STRICT, *files, "-o", str(tmp_path / "both"), "-lm"], check=True)
    subprocess.run([str(tmp_path / "both")], check=True)


@pytest.mark.parametrize("level", ["-O0", "-O3"])
@pytest.mark.parametrize("language", [C, CXX], ids=["C", "C++"])
def test_alone_and_unused(level, language, tmp_path):
    """The header by itself, none of its functions called, raises no warning."""
    digits_like()[0].export_c(tmp_path / "model.h")
    (tmp_path / "alone.c").write_text('#include "model.h"\nint main(void) { return 0; }\n')
    compiler = "gcc" if language is C else "g++"
    command = [
        compiler,
        *language,
        level,
        *STRICT,
        "-Wshadow",
        "-Wdouble-promotion",
        str(tmp_path / "alone.c"),
    ]
    subprocess.run([*command, "-o", str(tmp_path / "alone"), "-lm"], check=True)


def test_comment_cannot_end_the_comment(tmp_path):
    net = dr.Sequential([dr.Dense(2, name="*/ int x; /*")]).build(2)
    for comment in ["*/ #error", "a\\\nb", "??/\nint", "tab\t\x01", "größer", "/*", "**/"]:
        net.export_c(tmp_path / "model.h", comment=comment)
        program(tmp_path, GCC, '#include "model.h"\nint main(void) { return model_self_test(); }\n')
    assert "größer" not in (tmp_path / "model.h").read_text()


def own_layer():
    class Twice:
        def build(self, input_width):
            return input_width, {}

        def forward(self, x, parameters, training):
            return 2 * x

        def backward(self, x, y, dy, parameters):
            return 2 * dy, {}

    return dr.custom.layer(Twice, name="twice_for_c")()


def broken(value):
    net = dr.Sequential([dr.Dense(2)]).build(2)
    net.parameters()["dense_1.weight"][0, 0] = value
    return net


REFUSED = {
    "layer": (
        lambda: dr.Sequential([dr.Dense(2), own_layer()]).build(3),
        {},
        r"export_c: layer 'twice_for_c_1' \(twice_for_c\) is not of the catalogue and cannot be written as C",
    ),
    "activation": (
        lambda: dr.Sequential(
            [dr.Dense(2, dr.custom.activation(lambda x: x * x, lambda x: 2 * x, name="square_for_c"))]
        ).build(3),
        {},
        "export_c: activation 'square_for_c' is not of the catalogue",
    ),
    "nan": (lambda: broken(np.nan), {}, "export_c: array 'dense_1.weight' holds a number that is not finite"),
    "prefix": (
        lambda: broken(1),
        {"prefix": "2x"},
        "export_c: prefix = '2x' is not allowed; allowed: a name",
    ),
    "keyword": (lambda: broken(1), {"prefix": "double"}, "export_c: prefix = 'double' is not allowed"),
    "rows": (
        lambda: broken(1),
        {"test_inputs": np.ones((3, 5))},
        r"Sequential\.export_c: test_inputs has shape \(3, 5\); allowed: \(N, 2\)",
    ),
    "huge": (
        lambda: dr.Sequential([dr.Activation({"name": "leaky_relu", "alpha": 1e300})]).build(1),
        {},
        "export_c: leaky_relu: alpha = .* is beyond float32",
    ),
    "index": (
        lambda: dr.Sequential([dr.Embedding((0,), (3,), dimension=2)]).build(1),
        {"test_inputs": [[3.0]]},
        "column 0 of row 0 holds 3, which is no index",
    ),
    "overflow": (
        lambda: broken(1),
        {"test_inputs": [[3e38, 3e38]]},
        "export_c: test_inputs: row 0 has outputs that are not finite",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_a_file_is_written(case, tmp_path):
    make, options, message = REFUSED[case]
    if case == "overflow":
        net = dr.Sequential([dr.Dense(2)]).build(2)
        net.parameters()["dense_1.weight"][...] = 1
    else:
        net = make()
    path = tmp_path / "model.h"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        net.export_c(path, **options)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_refused_without_network_or_folder(tmp_path):
    with pytest.raises(RuntimeError, match=r"Sequential\.export_c: the network is not built"):
        dr.Sequential([dr.Dense(2)]).export_c(tmp_path / "model.h")
    with pytest.raises(OSError, match="cannot write"):
        broken(1).export_c(tmp_path / "no folder" / "model.h")
