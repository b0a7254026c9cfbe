"""Column names of data sets whose files have none."""

DIGITS = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
MNIST = [f"pixel_{row}_{column}" for row in range(28) for column in range(28)]
IRIS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
WINE = (
    "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols "
    "proanthocyanins color_intensity hue od280_od315 proline"
).split()
DIABETES = "age sex bmi bp s1 s2 s3 s4 s5 s6".split()
BREAST_CANCER = [
    f"{kind}_{measure}"
    for kind in ("mean", "error", "worst")
    for measure in (
        "radius texture perimeter area smoothness compactness concavity concave_points symmetry "
        "fractal_dimension"
    ).split()
]
LETTER = (
    "x-box y-box width high onpix x-bar y-bar x2bar y2bar xybar x2ybr xy2br x-ege xegvy y-ege yegvx".split()
)
MAGIC = "fLength fWidth fSize fConc fConc1 fAsym fM3Long fM3Trans fAlpha fDist".split()


def numbered(count: int) -> list[str]:
    """Name columns ``x1``, ``x2`` ..."""
    return [f"x{number}" for number in range(1, count + 1)]
