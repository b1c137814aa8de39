"""How well a professional fits a request: a score from 0 to 100 with named terms, and what each is worth."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from services.reviews.models import Professional, ReviewRequest

WEIGHTS = {"industry": 35, "level": 15, "sooner": 20, "load": 15, "rating": 15}
# What a professional without any rating counts as: neither praised nor blamed.
UNRATED = 3.5
# Words that mean the same trade.
TRADES = (
    frozenset({"software", "technology", "tech", "it", "engineering", "computing", "data", "developer"}),
    frozenset({"finance", "banking", "investment", "accounting", "fintech"}),
    frozenset({"consulting", "strategy", "advisory", "management"}),
    frozenset({"healthcare", "health", "medical", "pharma", "biotech"}),
    frozenset({"marketing", "advertising", "media", "communications"}),
    frozenset({"education", "teaching", "academia", "research"}),
)
NEAR = 0.8


@dataclass(frozen=True)
class Score:
    """The terms of a score, each already weighted, and their sum."""

    terms: dict[str, float]

    @property
    def total(self) -> float:
        """0 to 100."""
        return round(sum(self.terms.values()), 2)

    def reason(self) -> str:
        """The terms in words, the weightiest first."""
        order = sorted(self.terms, key=lambda name: -self.terms[name] / WEIGHTS[name])
        return ", ".join(f"{name} {self.terms[name]:.0f} of {WEIGHTS[name]}" for name in order)


@lru_cache(maxsize=65536)
def industry_fit(wanted: str, offered: tuple[str, ...]) -> float:
    """From 0 to 1: how near an industry is to the nearest specialty. "software" fits "Technology/Software"."""
    mine = _words(wanted)
    if not mine or not offered:
        return 0.5
    return max((_fit(mine, _words(one)) for one in offered), default=0.0)


def _fit(mine: frozenset[str], theirs: frozenset[str]) -> float:
    if "any" in theirs:
        return 0.7
    if mine & theirs:
        return 1.0
    if any(mine & trade and theirs & trade for trade in TRADES):
        return 0.8
    near = max((SequenceMatcher(None, one, other).ratio() for one in mine for other in theirs), default=0.0)
    return near if near >= NEAR else 0.0


def _words(text: str) -> frozenset[str]:
    plain = "".join(character if character.isalnum() else " " for character in text.casefold())
    return frozenset(word for word in plain.split() if word not in ("and", "the", "of", "industry"))


def level_fit(request: ReviewRequest, reviewer: Professional) -> float:
    """1 for the very level, less for one who takes any."""
    named = {level.casefold() for level in reviewer.experience_levels}
    return 1.0 if request.experience_level.casefold() in named else 0.7


def fixed_terms(request: ReviewRequest, reviewer: Professional, rating: float | None) -> dict[str, float]:
    """The terms of a pair that do not depend on the time of the session, weighted."""
    parts = {
        "industry": industry_fit(request.target_industry, tuple(reviewer.specialties)),
        "level": level_fit(request, reviewer),
        "rating": (UNRATED if rating is None else rating) / 5,
    }
    return {name: round(WEIGHTS[name] * part, 2) for name, part in parts.items()}


def timed_terms(passed: float, booked: int, most: int) -> dict[str, float]:
    """The terms of a time: how much of the bookable time has passed by then (0 to 1), and how full that week is."""
    sooner = 1.0 - min(max(passed, 0.0), 1.0)
    return {
        "sooner": round(WEIGHTS["sooner"] * sooner, 2),
        "load": round(WEIGHTS["load"] * (1.0 - min(booked / most, 1.0)), 2),
    }
