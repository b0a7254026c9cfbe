"""Numbers as text."""


def figure(value: float) -> str:
    """Three significant digits, no exponent."""
    if value >= 999.5:
        return f"{value:,.0f}"
    if value >= 99.5:
        return f"{value:.0f}"
    return f"{value:.3g}"


def spread(low: float, high: float) -> str:
    return f"{figure(low)}..{figure(high)}"


def ratio(value: float) -> str:
    return f"{value:.0f}x" if value >= 99.5 else f"{value:.1f}x" if value >= 9.95 else f"{value:.2f}x"
