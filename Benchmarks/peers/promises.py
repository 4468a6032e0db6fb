"""What Bifrons promises in comparison with its peers, and whether a run kept it."""

from dataclasses import dataclass

from figures import ALONE, BESIDE, Measurement, Rounds, Spread, median_ms, rate, ratio, tail

CROP_CENTRE = ("mosec", "litserve")
LOCATES = "mosec-locating"


@dataclass(frozen=True)
class Promise:
    text: str
    measured: Spread
    bound: float
    at_least: bool

    @property
    def kept(self) -> bool:
        median = self.measured.median
        return median >= self.bound if self.at_least else median <= self.bound


def promises(rounds: Rounds, scene: str = "portrait") -> list[Promise]:
    """Returns the promises whose systems were all measured."""

    def peers(names: tuple[str, ...], in_flight: int) -> list[dict[int, Measurement]]:
        return [rounds.of(name, "HTTP", scene, in_flight) for name in names]

    def ours(precision: str, in_flight: int) -> dict[int, Measurement]:
        return rounds.of(f"bifrons-{precision}", "ZeroMQ", scene, in_flight)

    found = [
        (
            "verdicts a second at 32 in flight, f32, against the faster of mosec and LitServe",
            ratio(ours("f32", 32), peers(CROP_CENTRE, 32), rate, max),
            1.0,
            True,
        ),
        (
            "the same against the peer that finds faces too",
            ratio(ours("f32", 32), peers((LOCATES,), 32), rate, max),
            1.25,
            True,
        ),
        (
            "the same in int8, against the faster of mosec and LitServe in f32",
            ratio(ours("int8", 32), peers(CROP_CENTRE, 32), rate, max),
            2.0,
            True,
        ),
        (
            "p50 at one in flight, f32, against the quicker of mosec and LitServe",
            ratio(ours("f32", 1), peers(CROP_CENTRE, 1), median_ms, min),
            1.05,
            False,
        ),
    ]
    for setting in (ALONE, BESIDE):
        measured = tail(rounds.of("bifrons-f32", "ZeroMQ", "tails", 1, setting))
        found.append((f"p99 against p50 at one in flight, {setting}", measured, 1.5, False))
    return [Promise(text, measured, bound, at_least) for text, measured, bound, at_least in found if measured]
