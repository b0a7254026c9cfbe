"""Your own activations, losses, update rules and layers, as Python functions on NumPy arrays.

Each gets a name, under which it is found from then on: ``loss="my_loss"``, in configs and in model files.
A program that loads such a file registers the same names first. Gradients are compared with differences of
the function when it is registered (`deltarule.diagnostics.gradient_check`, float64); ``check=False`` leaves
that out.

Functions get arrays of the network's dtype, which are copies, and are called by any thread, one at a time. A
function that raises ends training or prediction with its exception; the weights are those of the last
finished step.

Objects keep their functions, and so do networks that hold them, copies and pickles within the process.
Registering a name again changes what the name means: in texts, in configs and in files loaded afterwards.
Without ``name`` the function's own name is taken, with a number if a different function has it already; a
definition at the top of a module or notebook that is run again keeps its name.

>>> import numpy as np
>>> import deltarule as dr
>>> cube = dr.custom.activation(lambda x: x**3, lambda x: 3 * x**2, name="cube")
>>> net = dr.Sequential([dr.Dense(8, cube), dr.Dense(1)])
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _kernels
from ._custom_layer import LayerAdapter, settings_of
from ._families import ActivationFunction, Layer, Loss, Optimizer
from ._native import core
from ._registered import choose_name, make, on_trial, remember
from ._types import Array, ArrayLike

__all__ = ["activation", "layer", "loss", "optimizer"]


def activation(
    function: Callable[[Array], Array],
    derivative: Callable[[Array], Array],
    *,
    name: str | None = None,
    check: bool = True,
) -> ActivationFunction:
    """Register an elementwise activation.

    Parameters
    ----------
    function, derivative : callable
        f(x) and f'(x) for an array of any length, of the same shape and dtype as x.
    name : str, optional
        Default: that of the function, with a number if another function has it.
    check : bool, default True
        Compare `derivative` with differences of `function`.

    Returns
    -------
    ActivationFunction
        For ``activation=`` of a layer, like those of `deltarule.activations`. A pair
        ``(function, derivative)`` may be given there directly.

    Raises
    ------
    TypeError, ValueError
        The functions do not fit each other or are not elementwise, or the name is one of the catalogue.
    """
    _callable(function, derivative, operation="custom.activation")
    functions = (function, derivative)
    key = choose_name(name, functions, "activation")

    def register(key: str) -> ActivationFunction:
        made: ActivationFunction = make(
            ActivationFunction,
            key,
            functions,
            lambda name: core.add_activation(name, function, derivative),
            _function=staticmethod(function),
            _derivative=staticmethod(derivative),
            __call__=_apply,
            backward=_backward,
        )()
        return made

    if check:
        x = np.array([-3.1, -1.3, -0.2, 0.4, 2.9])
        if np.shape(whole := function(x)) != x.shape or not np.allclose(whole[:1], function(x[:1])):
            raise ValueError(
                f"custom.activation: {key!r} is not elementwise: an element depends on the others"
            )
        from . import Activation, Dense

        with on_trial(register, "activation", key) as made:
            _check_gradients(f"activation {key!r}", [Dense(7), Activation(made), Dense(2)])
    registered: ActivationFunction = remember("activation", functions, register(key))
    return registered


def loss(
    function: Callable[[Array, Array], tuple[Any, Array]],
    *,
    name: str | None = None,
    targets: str = "values",
    from_logits: bool = False,
    example: tuple[ArrayLike, ArrayLike] | None = None,
    check: bool = True,
) -> Loss:
    """Register a loss.

    Parameters
    ----------
    function : callable
        ``function(outputs, targets) -> (loss, gradient)`` for a whole batch. `outputs` has shape
        (rows, outputs), and so has `gradient`. Either `loss` is one number per row, shape (rows,), and row i
        of the gradient is that of loss i: the library takes the mean and applies weights. Or it is one number
        for the batch and the gradient is that of this number: then rows cannot be weighted.
    name : str, optional
        Default: that of the function, with a number if another function has it.
    targets : {"values", "labels"}, default "values"
        Whether targets have the shape of the outputs or are integer classes, shape (rows,), int32.
    from_logits : bool, default False
        Whether outputs are logits: accuracy decides at 0 where there is one output, else at one half.
    example : (outputs, targets), optional
        Where to compare gradients. Default: random outputs (6, 3) and targets between 0.1 and 0.9, or
        classes.
    check : bool, default True
        Compare the gradient with differences of the loss.

    Returns
    -------
    Loss
        For `Sequential.compile`, which also takes the function itself.

    Raises
    ------
    TypeError, ValueError
        The gradient does not fit the loss, or the name is one of the catalogue.
    """
    _callable(function, operation="custom.loss")
    key = choose_name(name, (function,), "loss")
    if targets not in ("values", "labels"):
        raise ValueError(f"custom.loss: targets = {targets!r} is not allowed; allowed: 'values', 'labels'")

    def register(key: str) -> Loss:
        numbers = []

        def add(name: str) -> None:
            core.add_loss(name, function, targets == "labels", from_logits)
            numbers.append(core.find("loss", name))

        made = make(Loss, key, (function,), add)
        kernel = _kernels.loss(numbers[0], made.entry)
        made.kernel = staticmethod(lambda: kernel)
        new: Loss = made()
        return new

    if check:
        from . import Dense, Sequential

        rng = np.random.default_rng(0)
        if example is None:
            example = (
                rng.normal(size=(6, 3)),
                rng.integers(0, 3, 6) if targets == "labels" else rng.uniform(0.1, 0.9, (6, 3)),
            )
        outputs, target = np.asarray(example[0], dtype=np.float64), np.asarray(example[1])
        width = outputs.shape[1]
        net = Sequential([Dense(width)], dtype="float64")
        net.build(width)
        net.set_weights({"dense_1.weight": np.eye(width), "dense_1.bias": np.zeros(width)})
        with on_trial(register, "loss", key) as made:
            _check_network(f"loss {key!r}", net, made, outputs, target)
    registered: Loss = remember("loss", (function,), register(key))
    return registered


def optimizer(
    function: Callable[[Array, Array, float, int], Array | None],
    *,
    name: str | None = None,
    learning_rate: float = 1e-3,
) -> type[Optimizer]:
    """Register an update rule.

    Parameters
    ----------
    function : callable
        ``function(parameters, gradient, learning_rate, step)``: changes `parameters`, all of the network's in
        one flat array, in place, or returns the new ones. `gradient` is that of the batch's mean loss, `step`
        counts from 1. State is the function's own business: it is not saved, and not restored when a step
        fails.
    name : str, optional
        Default: that of the function, with a number if another function has it.
    learning_rate : float, default 1e-3
        Default of the rule's learning rate.

    Returns
    -------
    type
        A subclass of Optimizer with the arguments `learning_rate` and `schedule`. `Sequential.compile` also
        takes the function itself.
    """
    _callable(function, operation="custom.optimizer")
    key, rate = choose_name(name, (function,), "optimizer"), float(learning_rate)
    made: type[Optimizer] = make(
        Optimizer, key, (function,), lambda name: core.add_optimizer(name, function, rate)
    )
    return remember("optimizer", (function,), made)  # type: ignore[no-any-return]


def layer(
    made_of: type | None = None, *, name: str | None = None, check: bool = True, input_width: int = 5
) -> Any:
    """Register a class as a layer; a decorator.

    The class has

    - ``__init__`` with arguments that are numbers or booleans and have defaults: the layer's settings;
    - ``build(input_width) -> (output_width, {name: (shape, initializer)})``: the arrays it trains, of one or
      two dimensions, each with the name or config of an initializer;
    - ``forward(x, parameters, training) -> y``, shape (rows, output_width);
    - ``backward(x, y, dy, parameters) -> (dx, {name: gradient})``, summed over the rows.

    Both are called with all rows of a batch in training and with any number of rows in prediction. They may
    not keep anything from one call to the other.

    Parameters
    ----------
    made_of : type
        The class.
    name : str, optional
        Default: that of the class, with a number if another class has it.
    check : bool, default True
        Compare `backward` with differences, in a network between two dense layers.
    input_width : int, default 5
        Width of the input in this check.

    Returns
    -------
    type
        A subclass of Layer, to be put into a `Sequential`.

    Raises
    ------
    TypeError, ValueError
        A method is missing or its results do not fit, or the name is one of the catalogue.
    """
    if made_of is None:
        return lambda cls: layer(cls, name=name, check=check, input_width=input_width)
    key = choose_name(name, (made_of,), "layer")
    for method in ("build", "forward", "backward"):
        if not callable(getattr(made_of, method, None)):
            raise TypeError(f"custom.layer: {made_of.__name__} has no method {method}")
    summary = (inspect.getdoc(made_of) or "A layer written in Python.").split("\n\n")[0].replace("\n", " ")
    settings = settings_of(made_of)

    def register(name: str) -> type[Layer]:
        made: type[Layer] = make(
            Layer,
            name,
            (made_of,),
            lambda n: core.add_layer(n, summary, settings, lambda given: LayerAdapter(key, made_of(**given))),
        )
        return made

    if check:
        from . import Dense

        with on_trial(register, "layer", key) as made:
            _check_gradients(f"layer {key!r}", [Dense(input_width), made(), Dense(2)])
    return register(key)


def _apply(self: Any, x: ArrayLike, out: Array | None = None) -> Array:
    """Apply the function to an array."""
    y = np.asarray(self._function(np.asarray(x)))
    if out is None:
        return y
    out[...] = y
    return out


def _backward(self: Any, x: Array, y: Array, dy: Array) -> Array:  # noqa: ARG001
    """Gradient of x out of that of y."""
    dx: Array = dy * np.asarray(self._derivative(x))
    return dx


def _check_gradients(what: str, layers: list[Any]) -> None:
    from . import Sequential

    rng = np.random.default_rng(0)
    net = Sequential(layers, seed=1, dtype="float64")
    net.build(4)
    _check_network(what, net, "mse", rng.normal(size=(9, 4)), rng.normal(size=(9, 2)))


def _check_network(what: str, net: Any, loss: Any, X: Array, y: Array) -> None:
    from . import SGD
    from .diagnostics import gradient_check

    net.compile(SGD(), loss=loss)
    result = gradient_check(net, X, y)
    if not result.ok:
        raise ValueError(
            f"{what}: the gradient does not agree with differences of the function:\n{result}\n"
            "(check=False registers it all the same)"
        )


def _callable(*functions: Any, operation: str) -> None:
    for function in functions:
        if not callable(function):
            raise TypeError(f"{operation}: {function!r} is a {type(function).__name__}; allowed: a function")
