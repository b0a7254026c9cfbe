"""Networks to be exported to C: every layer of the catalogue."""

import numpy as np

import deltarule as dr


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
