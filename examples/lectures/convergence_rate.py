"""Gradient descent on a quadratic cost: rate against condition number, and the limit 2/λ_max."""

import lecture
import numpy as np

import deltarule as dr

CONDITIONS = (2, 5, 10, 20, 50, 100)


def errors(eigenvalues: lecture.Array, rate: float, steps: int) -> lecture.Array:
    """Distance of the weights from the minimum at 0 after every step of full-batch descent."""
    width = len(eigenvalues)
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(width, width)))[0]
    X = np.sqrt(width * eigenvalues)[:, None] * axes  # the cost 1/(2N) |Xw|² has the Hessian XᵀX / N
    net = dr.Sequential([dr.Dense(1, use_bias=False)], dtype="float64").build(width)
    (weight,) = net.parameters().values()
    weight[:, 0] = axes.T @ np.ones(width)  # every direction takes part equally
    net.compile(dr.SGD(learning_rate=rate), loss="quadratic")
    distance = [np.linalg.norm(weight)]
    for _ in range(steps):
        net.train_on_batch(X, np.zeros((width, 1)))
        distance.append(np.linalg.norm(weight))
    return np.array(distance)


def measured_rate(condition: float, times: float) -> float:
    """Return the factor by which a late step shrinks the error, with the learning rate times / λ_max."""
    distance = errors(np.geomspace(1, condition, 8), times / condition, 200)
    used = distance[distance > 1e-12]
    return float((used[-1] / used[len(used) // 2]) ** (1 / (len(used) - 1 - len(used) // 2)))


def main() -> None:
    figure, (left, right) = lecture.panels("Rate of convergence", "Condition number 10, after 100 steps")
    rows = []
    for condition in CONDITIONS:
        best = 2 * condition / (condition + 1)  # 2 / (λ_max + λ_min), in units of 1 / λ_max
        at_one, at_best = measured_rate(condition, 1), measured_rate(condition, best)
        ideal = (1 - 1 / condition, (condition - 1) / (condition + 1))
        rows.append([condition, *(f"{r:.6f}" for r in (at_one, ideal[0], at_best, ideal[1]))])
        for colour, rate in zip(lecture.COLOURS, (at_one, at_best), strict=False):
            left.loglog(condition, 1 - rate, "o", color=colour)
    kappa = np.geomspace(2, 100)
    left.loglog(kappa, 1 / kappa, label="η = 1/λ_max: 1/κ")
    left.loglog(kappa, 2 / (kappa + 1), label="η = 2/(λ_max + λ_min): 2/(κ+1)")
    left.set(xlabel="condition number κ", ylabel="1 - rate (dots: measured)")
    head = ["κ", "rate at 1/λ_max", "1 - 1/κ", "rate at 2/(λ_max + λ_min)", "(κ - 1)/(κ + 1)"]
    lecture.table(head, rows)

    times = np.linspace(0.05, 2.1, 83)
    ends = [errors(np.geomspace(1, 10, 8), t / 10, 100)[-1] / np.sqrt(8) for t in times]
    right.semilogy(times, ends, ".-")
    right.axvline(2, color=lecture.COLOURS[1], linestyle="--", label="2/λ_max")
    right.axvline(1, color=lecture.COLOURS[5], linestyle=":", label="1/λ_max")
    right.set(xlabel="learning rate x λ_max", ylabel="error / error at the start")
    near = (1.0, 2 * 10 / 11, 1.98, 2.0, 2.02)
    final = [errors(np.geomspace(1, 10, 8), t / 10, 1000)[-1] / np.sqrt(8) for t in near]
    lecture.table(
        ["learning rate x λ_max", *(f"{t:.3f}" for t in near)],
        [["error after 1000 steps", *(f"{e:.1e}" for e in final)]],
    )
    lecture.save(figure, "convergence_rate.svg")


if __name__ == "__main__":
    main()
