"""Derives every polynomial coefficient in cpp/include/deltarule/simd: coefficients.h and piece_tables.h.

Each row below states the function, the weight that turns an error of the polynomial into a relative error
of the finished result, the interval and the degrees. A Remez exchange in 60-digit arithmetic finds the
minimax polynomial.

    python tests/reference/fit_polynomials.py > cpp/include/deltarule/simd/coefficients.h
    clang-format -i cpp/include/deltarule/simd/coefficients.h
    python tests/reference/fit_polynomials.py pieces > cpp/include/deltarule/simd/piece_tables.h
"""

import sys

import numpy as np
from mpmath import mp, mpf

mp.dps = 60


def literal(value, type_name):
    text = f"{np.float32(float(value)):.9g}" if type_name == "float" else f"{float(value):.17g}"
    text += "" if "." in text or "e" in text else ".0"
    return text + ("f" if type_name == "float" else "")


def emit(name, meaning, function, weight, interval, type_name):
    coefficients, error = remez(function, weight, *interval)
    low, high, bits = float(interval[0]), float(interval[1]), float(mp.log(error, 2))
    print(f"// {meaning}, argument in [{low:.4g}, {high:.4g}], error 2^{bits:.1f}")
    values = ", ".join(literal(c, type_name) for c in coefficients)
    print(f"inline constexpr {type_name} {name}_{type_name}[] = {{{values}}};\n")


def remez(function, weight, low, high, degree, rounds=30):
    """Coefficients, constant first, that minimise max |weight (polynomial - function)|, and that maximum."""
    count = degree + 2
    angles = [mp.pi * (i + mpf(1) / 2) / (30 * count) for i in range(30 * count)]
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(angle) for angle in angles]
    f = [function(x) for x in grid]
    w = [weight(x) for x in grid]
    nodes = [int((i + 0.5) * 30) for i in range(count)]
    for _ in range(rounds):
        system = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for row, i in enumerate(nodes):
            for k in range(degree + 1):
                system[row, k] = w[i] * grid[i] ** k
            system[row, degree + 1] = (-1) ** row
            right[row] = w[i] * f[i]
        coefficients = list(mp.lu_solve(system, right))[:-1]
        error = [w[i] * (mp.polyval(coefficients[::-1], x) - f[i]) for i, x in enumerate(grid)]
        extrema = alternating_extrema(error)
        while len(extrema) > count:
            extrema.pop(0 if abs(error[extrema[0]]) < abs(error[extrema[-1]]) else -1)
        largest = max(abs(e) for e in error)
        if len(extrema) < count or largest < 1.001 * min(abs(error[i]) for i in extrema):
            break
        nodes = extrema
    return coefficients, largest


def alternating_extrema(error):
    """The index of the largest |error| in each run of equal sign."""
    extrema = []
    for i, e in enumerate(error):
        if extrema and (error[extrema[-1]] > 0) == (e > 0):
            if abs(e) > abs(error[extrema[-1]]):
                extrema[-1] = i
        else:
            extrema.append(i)
    return extrema


def series(function, near_zero):
    """The function, with its limit where the quotient is 0/0."""
    return lambda x: near_zero if abs(x) < mpf(10) ** -25 else function(x)


def atanh_rest(z):  # log(1+f) = 2 s + s R(s^2), s = f / (2 + f)
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / s / z


def erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def mills(x):  # Phi(-x) = e^(-x^2/2) mills(x)
    return mp.exp(x * x / 2) * mp.ncdf(-x)


class Tail:
    """function(x) = q (1 + P(t)), q = numerator / (x + shift), t = scale q - offset, about -1 to 1."""

    def __init__(self, function, low, high, shift):
        self.shift = mpf(shift)
        middle = mp.sqrt((low + shift) * (high + shift)) - shift
        # Few bits: products with half a mantissa are exact.
        self.numerator = mp.nint(64 * function(middle) * (middle + shift)) / 64
        near, far = self.numerator / (low + self.shift), self.numerator / (high + self.shift)
        self.scale = mp.nint(64 * 2 / (near - far)) / 64
        self.offset = mp.nint(64 * self.scale * (near + far) / 2) / 64
        self.range = self.scale * far - self.offset, self.scale * near - self.offset
        self.exact = function

    def function(self, t):
        d = self.scale * self.numerator / (t + self.offset)
        return self.exact(d - self.shift) * d / self.numerator - 1

    def fit(self, name, meaning, type_name, degree):
        fields = (self.shift, self.numerator, self.scale, self.offset)
        values = ", ".join(literal(v, type_name) for v in fields)
        print("// shift, numerator, scale, offset")
        print(f"inline constexpr {type_name} {name}_map_{type_name}[] = {{{values}}};")
        interval = *self.range, degree
        emit(name, meaning, self.function, lambda t: 1 / (1 + self.function(t)), interval, type_name)


ONE = mpf(1)
SWITCH = mpf(3) / 4  # between the polynomial of erf and that of erfc
CDF_SWITCH = mpf(17) / 16
DENSITY = 1 / mp.sqrt(2 * mp.pi)
HALF_LN2 = mp.log(2) / 2 * mpf("1.01")
QUARTER_PI = mp.pi / 4 * mpf("1.01")
LOG1P_TAIL = series(lambda f: (mp.log1p(f) - f) / f**2, -ONE / 2)
LOG1P_WEIGHT = series(lambda f: f * f / abs(mp.log1p(f)), ONE * 0)

# name, meaning, function, weight, low, high, degree for float and for double (None: not used by that type)
FITS = [
    ("exp_tail", "e^r = 1 + r + r^2 P(r)",
     series(lambda r: (mp.expm1(r) - r) / r**2, ONE / 2), series(lambda r: r * r / abs(mp.expm1(r)), ONE * 0),
     -HALF_LN2, HALF_LN2, 5, 10),
    ("log_tail", "log(1 + f) = f + f^2 P(f)",
     LOG1P_TAIL, LOG1P_WEIGHT, -ONE / 4, ONE / 2, 8, None),
    ("log1p_unit", "log(1 + e) = e + e^2 P(e)",
     LOG1P_TAIL, LOG1P_WEIGHT, ONE * 0, ONE, 9, 20),
    ("log_atanh", "log(1 + f) = 2 s + s z P(z), s = f / (2 + f), z = s^2",
     series(atanh_rest, 2 / mpf(3)), lambda z: z, ONE * 0, ONE / 25, None, 7),
    ("erf_small", "erf(x) = x + x P(x^2)",
     series(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, 2 / mp.sqrt(mp.pi) - 1),
     series(lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)), mp.sqrt(mp.pi) / 2), ONE * 0, SWITCH**2, 5, 10),
    ("log_erfc", "erf(x) = 1 - e^P(x)",
     lambda x: mp.log(mp.erfc(x)), lambda x: mp.erfc(x) / mp.erf(x), SWITCH, ONE * 4, 6, None),
    ("log_erfc", "erf(x) = 1 - e^P(x)",
     lambda x: mp.log(mp.erfc(x)), lambda x: mp.erfc(x) / mp.erf(x), SWITCH, ONE * 6, None, 20),
    ("normal_cdf_small", "Phi(x) = 1/2 + x / sqrt(2 pi) + x z P(z), z = x^2",
     series(lambda z: ((mp.ncdf(mp.sqrt(z)) - ONE / 2) / mp.sqrt(z) - DENSITY) / z, -DENSITY / 6),
     lambda z: mp.sqrt(z) * z / mp.ncdf(-mp.sqrt(z)), ONE * 0, CDF_SWITCH**2, 4, 9),
    ("sin_tail", "sin(r) = r + r z P(z), z = r^2",
     series(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, -ONE / 6),
     lambda z: z, ONE * 0, QUARTER_PI**2, 2, 5),
    ("cos_tail", "cos(r) = 1 - z / 2 + z^2 P(z), z = r^2",
     series(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, ONE / 24),
     lambda z: z * z, ONE * 0, QUARTER_PI**2, 2, 5),
    ("tanh_deficit", "tanh(x) = x - x z P(z), z = x^2",
     series(lambda z: (1 - mp.tanh(mp.sqrt(z)) / mp.sqrt(z)) / z, ONE / 3),
     lambda z: z / (1 - mp.tanh(mp.sqrt(z)) / mp.sqrt(z)), ONE * 0, ONE, 7, 14),
]  # fmt: skip

# name, meaning, function, low, then for float and for double: high, shift, degree
TAILS = [
    ("erfc_tail", "erfc(x) = e^(-x^2) q (1 + P(scale q - offset))",
     erfcx, SWITCH, ("10.3", 1, 9), ("27.4", 2, 22)),
    ("normal_cdf_tail", "Phi(-x) = e^(-x^2/2) q (1 + P(scale q - offset))",
     mills, CDF_SWITCH, ("14.5", 2.5, 9), ("38.7", 3, 22)),
]  # fmt: skip


def logistic(x):
    return 1 / (1 + mp.exp(-x))


def logistic_slope(x):
    return logistic(x) * logistic(-x)


# name, meaning, function of a, the term subtracted in it, step (a power of two), degree:
# 32 pieces around multiples of the step; float only
PIECES = [
    ("exp_minus", "e^-a", lambda a: mp.exp(-a), None, "0.25", 4),
    ("logistic", "1 / (1 + e^a)", lambda a: logistic(-a), None, "0.25", 4),
    ("logistic_slope", "s (1 - s), s = 1 / (1 + e^a)", logistic_slope, None, "0.25", 4),
    ("times_logistic_slope", "s - a s (1 - s), s = 1 / (1 + e^a)",
     lambda a: logistic(-a) - a * logistic_slope(a), lambda a: a * logistic_slope(a), "0.25", 5),
    ("normal_cdf", "Phi(-a)", lambda a: mp.ncdf(-a), None, "0.125", 5),
    ("times_normal_cdf_slope", "Phi(-a) - a phi(a)",
     lambda a: mp.ncdf(-a) - a * mp.npdf(a), lambda a: a * mp.npdf(a), "0.125", 5),
]  # fmt: skip


def pieces(name, meaning, function, subtracted, step, degree):
    """For each power of r the 32 coefficients; errors are relative to the function or what it subtracts."""

    def size(a):
        return max(abs(function(a)), abs(subtracted(a)) if subtracted else 0)

    step, columns, worst = mpf(step), [], ONE * 0
    for i in range(32):
        centre = i * step
        found, error = remez(
            lambda r, c=centre: function(c + r),
            lambda r, c=centre: 1 / size(c + r),
            -step / 2,
            step / 2,
            degree,
        )
        columns.append(found)
        worst = max(worst, error)
    bits = float(mp.log(worst, 2))
    print(f"// {meaning}, a = {float(step):g} i + r: sum of c[32 k + i] r^k, error 2^{bits:.1f}")
    print(f"inline constexpr float {name}_step = {literal(step, 'float')};")
    values = [literal(c[k], "float") for k in range(degree + 1) for c in columns]
    print(f"inline constexpr float {name}_pieces[] = {{")
    for i in range(0, len(values), 8):
        print("    " + " ".join(value + "," for value in values[i : i + 8]))
    print("};\n")


def main_of_pieces():
    print(
        "// Generated by tests/reference/fit_polynomials.py. 32 pieces each; 32 numbers for every power of r."
    )
    print("#pragma once\n\n// clang-format off\nnamespace deltarule::simd::coefficients {\n")
    for piece in PIECES:
        pieces(*piece)
    print("}  // namespace deltarule::simd::coefficients")


def main():
    print("// Generated by tests/reference/fit_polynomials.py. Constant term first.")
    print("#pragma once\n\nnamespace deltarule::simd::coefficients {\n")
    for name, meaning, function, weight, low, high, *degrees in FITS:
        for type_name, degree in zip(("float", "double"), degrees, strict=True):
            if degree is not None:
                emit(name, meaning, function, weight, (low, high, degree), type_name)
    for name, meaning, function, low, *choices in TAILS:
        for type_name, (high, shift, degree) in zip(("float", "double"), choices, strict=True):
            Tail(function, low, mpf(high), shift).fit(name, meaning, type_name, degree)
    print("}  // namespace deltarule::simd::coefficients")


if __name__ == "__main__":
    main_of_pieces() if "pieces" in sys.argv else main()
