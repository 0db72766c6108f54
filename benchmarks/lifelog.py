"""Embeddings shaped like a life: days of one frame a second, in places that come back, in episodes that do not.

A frame is what all frames have in common, its place, its episode, what drifts within an episode, and noise, in such
shares that two random frames have a cosine of .37 and two successive ones of .98. Queries are a third each noisy
revisits, mixtures of two moments, and text-like: the content of a moment, off by what separates texts from pictures.
The same seed makes the same life. This file does not know stores or indexes.
"""

import math
from collections.abc import Iterable

import numpy as np

FRAMES_A_DAY = 57_600
PLACES, PLACES_A_DAY = 600, 25
EPISODE_S = (20, 25 * 60)
LATENT = 192
COMMON, PLACE, EPISODE, DRIFT, NOISE, FINE_NOISE = 0.37, 0.22, 0.195, 0.2, 0.01, 0.005  # shares of the energy
STAYS, BLOCK = 0.98, 500  # of the drift from one second to the next; seconds that are drifted at once
ASKED_DAYS = 12
QUERY_NOISE, TEXT_CONTENT, TEXT_GAP, TEXT_NOISE = 0.35, 0.5, 0.8, 0.2


class Lifelog:
    """The frames of any day, and queries about some of the days, as unit vectors of some width."""

    def __init__(self, width: int, seed: int = 0) -> None:
        self.width, self._seed = width, seed
        rng = np.random.default_rng(seed)
        self._mix = np.linalg.qr(rng.standard_normal((width, LATENT)))[0].T.astype(np.float32)
        self._common = _directions(rng, 1, LATENT)
        self._places = _directions(rng, PLACES, LATENT)
        self._gap = _directions(rng, 1, width)

    def day(self, number: int) -> np.ndarray:
        """(FRAMES_A_DAY, width) float32."""
        rng = np.random.default_rng((self._seed, number))
        seconds = np.exp(rng.uniform(*np.log(EPISODE_S), FRAMES_A_DAY // EPISODE_S[0])).astype(int)
        episode = np.repeat(np.arange(len(seconds)), seconds)[:FRAMES_A_DAY]
        places = self._places[rng.choice(PLACES, PLACES_A_DAY, replace=False)]
        place = places[rng.integers(0, PLACES_A_DAY, len(seconds))][episode]
        latent = math.sqrt(COMMON) * self._common + math.sqrt(PLACE) * place
        latent += math.sqrt(EPISODE) * _directions(rng, len(seconds), LATENT)[episode]
        latent += math.sqrt(DRIFT) * _drift(rng) + math.sqrt(NOISE / LATENT) * _noise(rng, LATENT)
        return _unit(latent @ self._mix + math.sqrt(FINE_NOISE / self.width) * _noise(rng, self.width))

    def queries(self, count: int, days: int) -> np.ndarray:
        """(count, width) float32 about moments of some of the first `days`: revisits, then mixtures, then texts."""
        rng = np.random.default_rng((self._seed, days, count))
        asked = rng.choice(days, min(days, ASKED_DAYS), replace=False)
        moments = np.concatenate([self.day(each)[rng.choice(FRAMES_A_DAY, count)] for each in asked])
        one, other = moments[rng.permutation(len(moments))[: 2 * count]].reshape(2, count, -1)
        noise, third = _directions(rng, count, self.width), count // 3
        content = _unit(one - moments.mean(axis=0))
        revisits, mixtures = one + QUERY_NOISE * noise, one + other
        texts = TEXT_CONTENT * content + TEXT_GAP * self._gap + TEXT_NOISE * noise
        return _unit(np.concatenate([revisits[:third], mixtures[third : 2 * third], texts[2 * third :]]))


class Nearest:
    """The exact nearest neighbours of queries (q, width), while frames go by as they are stored: in float16."""

    def __init__(self, queries: np.ndarray, limit: int) -> None:
        self._queries, self._limit = queries, limit
        self._ids = np.empty((len(queries), 0), np.int64)
        self._scores = np.empty((len(queries), 0), np.float32)

    def see(self, ids: np.ndarray, rows: np.ndarray) -> None:
        scores = self._queries @ rows.astype(np.float16).astype(np.float32).T
        self._scores = np.concatenate([self._scores, scores], axis=1)
        self._ids = np.concatenate([self._ids, np.broadcast_to(ids, scores.shape)], axis=1)
        if self._scores.shape[1] > self._limit:
            best = np.argpartition(-self._scores, self._limit, axis=1)[:, : self._limit]
            self._scores = np.take_along_axis(self._scores, best, axis=1)
            self._ids = np.take_along_axis(self._ids, best, axis=1)

    def recall(self, found: Iterable[np.ndarray]) -> np.ndarray:
        """(q,) the shares of the true neighbours that were found."""
        return np.array([np.isin(true, ids).mean() for true, ids in zip(self._ids, found, strict=True)])


def _noise(rng: np.random.Generator, width: int) -> np.ndarray:
    return rng.standard_normal((FRAMES_A_DAY, width), dtype=np.float32)


def _drift(rng: np.random.Generator) -> np.ndarray:
    """(FRAMES_A_DAY, LATENT) of unit energy; a frame keeps STAYS of the one before."""
    steps = math.sqrt((1 - STAYS**2) / LATENT) * _noise(rng, LATENT)
    fading = (STAYS ** np.arange(1, BLOCK + 1)).astype(np.float32)[:, None]
    last, drift = _noise(rng, LATENT)[0] / math.sqrt(LATENT), np.empty_like(steps)
    for start in range(0, FRAMES_A_DAY, BLOCK):
        block = steps[start : start + BLOCK]
        faded = fading[: len(block)]
        drift[start : start + BLOCK] = faded * (last + np.cumsum(block / faded, axis=0))
        last = drift[min(start + BLOCK, FRAMES_A_DAY) - 1]
    return drift


def _directions(rng: np.random.Generator, count: int, width: int) -> np.ndarray:
    return _unit(rng.standard_normal((count, width), dtype=np.float32))


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
