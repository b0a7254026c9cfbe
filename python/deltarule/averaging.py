"""Averages of the weights over the course of training, for `Sequential.compile(average=...)`."""

from dataclasses import dataclass

from . import _check

__all__ = ["EMA", "SWA"]


@dataclass(frozen=True)
class EMA:
    r"""Exponential moving average of the weights, moved along with every optimizer step.

    .. math:: a \leftarrow d\,a + (1 - d)\,\theta

    The first step sets the average to the weights. It is updated in the same pass as the weights.

    Parameters
    ----------
    decay : float, default 0.999
        Share of the average that is kept.
    use_at_end : bool, default False
        Copy the average into the network when `fit` has done its last epoch.

    References
    ----------
    Polyak & Juditsky 1992
    """

    decay: float = 0.999
    use_at_end: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "decay", _check.real(self.decay, "EMA", "decay", 0, 1))
        object.__setattr__(self, "use_at_end", _check.flag(self.use_at_end, "EMA", "use_at_end"))


@dataclass(frozen=True)
class SWA:
    r"""Stochastic weight averaging: the mean of the weights at the ends of epochs.

    .. math:: a \leftarrow a + \frac{\theta - a}{n + 1}

    `Sequential.train_on_batch` knows no epochs and leaves the average alone.

    Parameters
    ----------
    start_epoch : int, default 0
        The first epoch, counted as `Sequential.epoch` does, whose end enters the mean.
    use_at_end : bool, default False
        Copy the average into the network when `fit` has done its last epoch.

    References
    ----------
    Izmailov et al. 2018
    """

    start_epoch: int = 0
    use_at_end: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "start_epoch", _check.whole(self.start_epoch, "SWA", "start_epoch", 0))
        object.__setattr__(self, "use_at_end", _check.flag(self.use_at_end, "SWA", "use_at_end"))
