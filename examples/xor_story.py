"""Why networks have hidden layers: what a perceptron learns, what it cannot, and two ways round."""

import warnings

import numpy as np

import deltarule as dr

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
GATES = {"AND": [0, 0, 0, 1], "NAND": [1, 1, 1, 0], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}


def main() -> None:
    for name, y in GATES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # XOR does not converge: that is the point
            unit = dr.historical.Perceptron(max_iter=100).fit(X, y)
        verdict = "learned" if unit.linearly_separable_ else "not learned"
        print(
            f"{name:>4}: {verdict} in {unit.n_iter_} epochs, {unit.n_updates_[0]} mistakes, "
            f"answers {unit.predict(X)}"
        )
    bound = dr.historical.Perceptron().mistake_bound([3, -2, -2], X, GATES["NAND"])
    print(f"NAND = -2 x1 - 2 x2 + 3 > 0 bounds the mistakes of its perceptron by {bound:g}")

    circuit = dr.historical.NandCircuit.of("xor")
    print(f"XOR of {len(circuit.gates)} NAND gates, wired by hand: {circuit.predict(X)}")

    net = dr.Sequential([dr.Dense(4, activation="tanh"), dr.Dense(1)], seed=0)
    net.compile(optimizer=dr.Adam(learning_rate=0.05), loss="sigmoid_cross_entropy")
    net.fit(X, GATES["XOR"], batch_size=None, epochs=200, verbose=0)
    print(f"XOR learned by two layers: {net.predict_classes(X)}")
    if list(net.predict_classes(X)) != GATES["XOR"] or list(circuit.predict(X)) != GATES["XOR"]:
        raise SystemExit("XOR was not learned")


if __name__ == "__main__":
    main()
