"""Joint Bayesian's EM in its fast form: one generalised eigendecomposition per iteration.

The model (Chen et al. 2012, Section 3): an image is ``x = mu + eps``, mu ~ N(0, S_mu) shared by an
identity's images, eps ~ N(0, S_eps). In a basis in which S_eps is the identity and S_mu diagonal,
the expectations of mu and eps are elementwise, and depend on an identity through its number of
images and its mean alone; so an iteration costs nothing per image.

The paper's update takes the expectations alone; here the posterior covariance is added, which makes
it EM proper (Dempster et al. 1977): only then does the likelihood never decrease.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from facebench.statistics.checks import FloatArray

_SMALLEST = 1e-10  # of S_eps' largest eigenvalue: below this it is singular
_ROUNDING = 1e-6  # share of the objective that rounding may take away


@dataclass(frozen=True, eq=False)
class Scatter:
    """All that the model needs of N images of I identities in K dimensions, zero mean overall.

    means: float64 I×K, not centred on anything; counts: int64 I, images per identity; within:
    float64 K×K, sum over images of the products of deviations from the identity's own mean.
    """

    means: FloatArray
    counts: NDArray[np.int64]
    within: FloatArray

    @property
    def images(self) -> int:
        """N."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Prior:
    """Inverse-Wishart priors with isotropic targets.

    They act as ``weight`` more identities of variance ``between`` and ``weight`` more images of
    variance ``within`` in every direction, seen without noise. weight 0: no prior.
    """

    weight: float
    between: float
    within: float


@dataclass(frozen=True, eq=False)
class Basis:
    """A basis that diagonalises both covariances.

    vectors: float64 K×K, ``V' S_eps V = 1``; ratios: float64 K, ``V' S_mu V = diag(ratios)``;
    log_determinant: of S_eps.
    """

    vectors: FloatArray
    ratios: FloatArray
    log_determinant: float


@dataclass(frozen=True, eq=False)
class Covariances:
    """The last iteration's matrices, never an earlier "best" one.

    log_likelihood: exact, of the training images in nats, at the start and after each iteration;
    objective: the same plus the prior's log density, up to a constant.
    """

    s_mu: FloatArray
    s_eps: FloatArray
    basis: Basis
    log_likelihood: tuple[float, ...]
    objective: tuple[float, ...]


def prior_of(data: Scatter, shrinkage: float) -> Prior:
    """Isotropic priors of the data's own total variances, as strong as ``shrinkage``·K identities.

    ValueError where no identity has a second image, or images of one identity do not differ.
    """
    identities, k = data.means.shape
    spare = data.images - identities
    within = float(np.trace(data.within)) / (k * spare) if spare else 0.0
    if not within > 0:
        raise ValueError("no identity has two images that differ")
    # The variance of means less what noise adds to it.
    noise = within * float(np.mean(1 / data.counts))
    between = float(np.mean(data.means**2)) - noise
    return Prior(shrinkage * k, max(between, 1e-3 * within), within)


def start(data: Scatter, prior: Prior) -> tuple[FloatArray, FloatArray]:
    """First S_mu and S_eps, float64 K×K: scatter of the means, and within identities."""
    identities, k = data.means.shape
    unit = np.eye(k)
    s_mu = data.means.T @ data.means + prior.weight * prior.between * unit
    s_eps = data.within + prior.weight * prior.within * unit
    return s_mu / (identities + prior.weight), s_eps / (data.images - identities + prior.weight)


def diagonalise(s_mu: FloatArray, s_eps: FloatArray) -> Basis:
    """The basis of two symmetric float64 K×K, S_eps positive definite.

    numpy.linalg.LinAlgError where S_eps is singular.
    """
    ratios, vectors = scipy.linalg.eigh(s_mu, s_eps)
    factor = np.diagonal(np.linalg.cholesky(s_eps))
    return Basis(vectors, np.maximum(ratios, 0.0), 2 * float(np.log(factor).sum()))


def expectation_maximisation(
    data: Scatter,
    prior: Prior,
    iterations: int,
    tolerance: float,
    watch: Callable[[int, float], None] | None = None,
) -> Covariances:
    """Maximise the likelihood (with a prior of weight > 0: the posterior density).

    Ends after ``iterations``, or when one gains less than ``tolerance`` nats per image. watch: is
    called with the number of each iteration and the log-likelihood per image. ValueError where the
    scatter within identities is singular and no prior mends that, or the objective falls.
    """
    s_mu, s_eps = start(data, prior)
    _require_regular(s_eps, prior)
    basis = diagonalise(s_mu, s_eps)
    likelihoods: list[float] = []
    objectives: list[float] = []

    def record() -> None:
        likelihoods.append(log_likelihood(data, basis))
        objectives.append(likelihoods[-1] + _log_prior(prior, basis))

    record()
    for number in range(1, iterations + 1):
        s_mu, s_eps = update(data, prior, s_eps, basis)
        basis = diagonalise(s_mu, s_eps)
        record()
        if watch is not None:
            watch(number, likelihoods[-1] / data.images)
        gain = objectives[-1] - objectives[-2]
        if not gain >= -_ROUNDING * (abs(objectives[-2]) + data.images):
            raise ValueError(
                f"the likelihood fell by {-gain:.3g} nats in iteration {number}, which EM cannot "
                "do: too ill-conditioned; use fewer components or more shrinkage"
            )
        if gain < tolerance * data.images:
            break
    return Covariances(s_mu, s_eps, basis, tuple(likelihoods), tuple(objectives))


def update(
    data: Scatter, prior: Prior, s_eps: FloatArray, basis: Basis
) -> tuple[FloatArray, FloatArray]:
    """One iteration: S_mu and S_eps float64 K×K from the expectations under basis and s_eps."""
    sizes, group = np.unique(data.counts, return_inverse=True)
    m = sizes[:, None]
    left = 1 / (1 + m * basis.ratios)  # what the expectation leaves of an identity's mean
    means = data.means @ basis.vectors
    rest = means * left[group]
    expected = means - rest
    rest *= np.sqrt(data.counts)[:, None]
    # Posterior variance of mu, which is that of every eps of the identity too.
    identities = np.bincount(group)[:, None]
    spread = basis.ratios * left * identities
    mu, eps = expected.T @ expected, rest.T @ rest
    mu[np.diag_indices_from(mu)] += spread.sum(axis=0)
    eps[np.diag_indices_from(eps)] += (m * spread).sum(axis=0)
    back = s_eps @ basis.vectors  # V' S_eps V = 1, so this is the transposed inverse of V
    diagonal = prior.weight * np.eye(len(s_eps))
    s_mu = back @ mu @ back.T + prior.between * diagonal
    s_eps = data.within + back @ eps @ back.T + prior.within * diagonal
    s_mu /= len(data.counts) + prior.weight
    s_eps /= data.images + prior.weight
    return (s_mu + s_mu.T) / 2, (s_eps + s_eps.T) / 2


def log_likelihood(data: Scatter, basis: Basis) -> float:
    """Exact log-likelihood in nats of all images, those of one identity jointly normal."""
    v, n = basis.vectors, data.images
    sizes, group = np.unique(data.counts, return_inverse=True)
    total = 1 + sizes[:, None] * basis.ratios
    shares = (sizes[:, None] / total)[group]
    quadratic = np.einsum("ij,ij->", data.within @ v, v)
    quadratic += np.einsum("ij,ij->", (data.means @ v) ** 2, shares)
    determinants = n * basis.log_determinant
    determinants += float(np.bincount(group) @ np.log(total).sum(axis=1))
    return -0.5 * float(n * len(v) * np.log(2 * np.pi) + determinants + quadratic)


def _log_prior(prior: Prior, basis: Basis) -> float:
    if not prior.weight:
        return 0.0
    squares = np.einsum("ij,ij->j", basis.vectors, basis.vectors)
    within = basis.log_determinant + prior.within * squares.sum()
    between = basis.log_determinant + np.log(basis.ratios).sum()
    between += prior.between * (squares / basis.ratios).sum()
    return -0.5 * prior.weight * float(within + between)


def _require_regular(s_eps: FloatArray, prior: Prior) -> None:
    values = scipy.linalg.eigvalsh(s_eps)
    if values[0] <= _SMALLEST * values[-1]:
        rank = int(np.count_nonzero(values > _SMALLEST * values[-1]))
        raise ValueError(
            f"the scatter within identities has rank {rank} of {len(values)}: reduce to at most "
            f"{rank} components, or use shrinkage"
        )
