"""Medians and quartiles of what a few rounds gave."""
import statistics


def spread(values):
    """(first quartile, median, third quartile); None of nothing."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    if len(values) == 1:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def median(values):
    """None of nothing."""
    found = spread(values)
    return found[1] if found else None


def ratios(values, reference):
    """Round by round, where both were measured."""
    return [v / r if v is not None and r else None for v, r in zip(values, reference)]
