#!/usr/bin/env python3
"""Writes lasso.h: LASSO solutions by scikit-learn on rows that the C test makes again, bit by bit, from the same integers.

Rows are multiples of powers of two with few bits, so that every product and sum below is exact in float64.
Usage: make_lasso.py > lasso.h    (needs numpy and scikit-learn)
"""
import numpy as np
import sklearn
from sklearn.linear_model import Lasso

PROBLEMS = [(1, 8, 1, 3, 120), (2, 14, 4, 5, 150), (3, 24, 9, 4, 400)]      # seed, c, taps, n, rows
LAMBDAS = 20


class Draw:
    """Knuth's 64-bit linear congruential generator: 16-bit numbers in [0, 1)."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 48) / 65536


def problem(seed, c, taps, n, rows):
    draw, p = Draw(seed), c * taps
    w = np.array([draw() - 0.5 for _ in range(n * p)]).reshape(n, p)
    x, y = np.zeros((rows, p)), np.zeros((rows, n))
    for r in range(rows):
        shared = [draw() for _ in range(3)]
        for i in range(p):
            x[r, i] = max(0.0, shared[i // taps % 3] + draw() - 0.75)
        for f in range(n):
            y[r, f] = np.floor((w[f] @ x[r] + draw()) * 4096) / 4096
    return x, y, w


def solutions(seed, c, taps, n, rows):
    x, y, w = problem(seed, c, taps, n, rows)
    x, y = x - x.mean(0), y - y.mean(0)
    z = np.stack([(x[:, i * taps:(i + 1) * taps] @ w[:, i * taps:(i + 1) * taps].T).ravel() for i in range(c)], 1)
    scale = np.sqrt((z * z).sum(0) / rows)
    z /= scale
    top = np.abs(z.T @ y.ravel()).max() / rows
    for k in range(LAMBDAS):
        lam = top * 0.95 * 0.75 ** k
        fit = Lasso(alpha=lam / n, fit_intercept=False, tol=1e-14, max_iter=1000000).fit(z, y.ravel())
        yield lam, fit.coef_ / scale


print("/* tests/golden/lasso.h - made by make_lasso.py with scikit-learn %s: lambda, then beta, of each problem. */" % sklearn.__version__)
for number, spec in enumerate(PROBLEMS):
    print("static const double lasso_%d[%d][%d] = {" % (number, LAMBDAS, spec[1] + 1))
    for lam, beta in solutions(*spec):
        print("    {" + ",\n     ".join(", ".join("%.15g" % v for v in row) for row in
              [([lam] + list(beta))[i:i + 6] for i in range(0, spec[1] + 1, 6)]) + "},")
    print("};")
