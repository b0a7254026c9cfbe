"""Oracles of the initializers: name -> f(fan_in, fan_out, u, **parameters), u uniform numbers on (0, 1).

The random numbers are written a second time here: Philox 4x32-10 in Python integers.
"""

import mpmath
import numpy as np

INITIALIZE = 1  # deltarule::engine::Stream::initialize
_32, _64 = (1 << 32) - 1, (1 << 64) - 1


def philox_4x32(counter, key):
    """Salmon et al. 2011, figure 2 and table 2: ten rounds on four words."""
    x, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(b >> 32) ^ x[1] ^ k[0], b & _32, (a >> 32) ^ x[3] ^ k[1], a & _32]
        k = [(k[0] + 0x9E3779B9) & _32, (k[1] + 0xBB67AE85) & _32]
    return x


def philox_key(seed, stream, layer):
    """Finaliser of splitmix64 over seed, stream and layer."""
    z = (seed + 0x9E3779B97F4A7C15 * (1 + stream + (layer << 8))) & _64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _64
    z ^= z >> 31
    return z & _32, z >> 32


def uniform(seed, tensor, count):
    """(k + 1/2) / 2^53 with 53 random bits k; two numbers from every block."""
    key = philox_key(seed, INITIALIZE, tensor)
    result = []
    for block in range((count + 1) // 2):
        x = philox_4x32((block & _32, block >> 32, 0, 0), key)
        result += [((x[i] << 21 ^ x[i + 1] >> 11) + 0.5) * 2.0**-53 for i in (0, 2)]
    return np.array(result[:count])


def normal_quantile(u):
    """Inverse of the normal distribution function, correctly rounded to double."""
    with mpmath.workdps(40):
        half = mpmath.mpf(1) / 2
        return np.array(
            [float(mpmath.sqrt(2) * mpmath.erfinv(2 * (mpmath.mpf(p) - half))) for p in np.atleast_1d(u)]
        )


def _between(limit, u):
    return limit * (2 * u - 1)


def zeros(fan_in, fan_out, u):
    return 0 * u


def ones(fan_in, fan_out, u):
    return 0 * u + 1


def glorot_uniform(fan_in, fan_out, u):
    return _between(np.sqrt(6 / (fan_in + fan_out)), u)


def glorot_normal(fan_in, fan_out, u):
    return np.sqrt(2 / (fan_in + fan_out)) * normal_quantile(u)


def he_uniform(fan_in, fan_out, u):
    return _between(np.sqrt(6 / fan_in), u)


def he_normal(fan_in, fan_out, u):
    return np.sqrt(2 / fan_in) * normal_quantile(u)


def lecun_uniform(fan_in, fan_out, u):
    return _between(np.sqrt(3 / fan_in), u)


def lecun_normal(fan_in, fan_out, u):
    return np.sqrt(1 / fan_in) * normal_quantile(u)


def constant(fan_in, fan_out, u, value):
    return 0 * u + value


# "uniform" is the name of the random numbers here, so these carry the entry's name in ORACLES only.
def uniform_fill(fan_in, fan_out, u, limit):
    return _between(limit, u)


def normal(fan_in, fan_out, u, deviation):
    return deviation * normal_quantile(u)


def truncated_normal(fan_in, fan_out, u, deviation):
    """Quantile of the normal distribution between -2 and 2."""
    with mpmath.workdps(40):
        tail = mpmath.erfc(mpmath.sqrt(2)) / 2
        inner = [tail + mpmath.mpf(p) * (1 - 2 * tail) for p in u]
        return np.array([float(deviation * mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)) for p in inner])


def xavier_uniform(fan_in, fan_out, u):
    return _between(1 / np.sqrt(fan_in), u)


def siren(fan_in, fan_out, u, omega, first):
    return _between(1 / fan_in if first else np.sqrt(6 / fan_in) / omega, u)


def orthogonal(fan_in, fan_out, u, gain):
    """QR of normal numbers with a positive diagonal of R (Mezzadri 2007), flat."""
    vectors = normal_quantile(u).reshape(min(fan_in, fan_out), -1)
    q, r = np.linalg.qr(vectors.T)
    q *= np.sign(np.diag(r))
    return gain * (q if fan_in >= fan_out else q.T).ravel()


def lsuv(fan_in, fan_out, u, tolerance, max_passes):
    """Orthogonal; the data scale it later."""
    return orthogonal(fan_in, fan_out, u, 1.0)


ORACLES = {"uniform": uniform_fill} | {
    f.__name__: f
    for f in (
        zeros,
        ones,
        glorot_uniform,
        glorot_normal,
        he_uniform,
        he_normal,
        lecun_uniform,
        lecun_normal,
        constant,
        normal,
        truncated_normal,
        xavier_uniform,
        siren,
        orthogonal,
        lsuv,
    )
}
