"""The training loop written out: forward, loss, backward, update, with deltarule's kernels."""

import numpy as np

import deltarule as dr


def main() -> None:
    random = np.random.default_rng(0)
    X = random.uniform(-3, 3, (512, 1)).astype(np.float32)
    t = np.sin(2 * X) + 0.1 * X**2

    net = dr.Sequential(
        [dr.Dense(64, activation="tanh"), dr.Dense(64, activation="tanh"), dr.Dense(1)], seed=0
    )
    net.build(1)
    parameters = net.parameters()  # views: what is written here is what the network uses
    state = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in parameters.items()}

    for step in range(1, 2001):
        rows = random.integers(0, len(X), 64)
        prediction = net.forward(X[rows])
        loss, gradient = dr.kernels.mse(prediction, t[rows])
        net.backward(gradient)
        for name, g in net.gradients().items():
            dr.kernels.adam_update(parameters[name], g, *state[name], step=step, learning_rate=2e-3)
        if step % 500 == 0:
            print(f"step {step}: loss {float(loss):.5f}")
    worst = float(np.abs(net.predict(X) - t).max())
    print(f"largest error on the data: {worst:.3f}")


if __name__ == "__main__":
    main()
