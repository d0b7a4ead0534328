"""Photographs of one leaf, found by hash and proved by points.

A perceptual hash of 64 bits (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash
Functions, section 3.2.1) sees little more of a leaf on a plain ground than its outline. Among
2,520 and 560 leaf photographs, photographs of *different classes* came as close as 4 bits, while
second photographs of one leaf lay up to 20 bits apart: no threshold parts them. So the hash only
names candidates, and ORB points (Rublee et al. 2011, doi:10.1109/ICCV.2011.6126544) decide: how
many of them one shift, turn and scale carries from the one image to the other (RANSAC).

Of some 10,000 candidate pairs of different classes none shared more than 9 such points, and of
14,000 pairs of generated leaves of one species, never the same leaf, none more than 16; second
photographs of one leaf share up to 60. Hence `POINTS`; by eye, the faintest 17 pairs found with it
show one leaf each. Copies too smooth for points are known by their hash alone, within `COPY_BITS`,
closer than any different pair came.

What is found is a lower bound: half as many candidates again showed a tenth more, and a copy that
was mirrored, or turned by more than a little, never becomes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

POINTS = 18
COPY_BITS = 2
CANDIDATES = 10  # of any class
OWN_CANDIDATES = 40  # of the same class, where second photographs are
SIDE_PIXELS = 256
MOST_POINTS = 250
SHARP = 5  # FAST threshold: leaves have soft edges
MATCH_BITS = 64  # of 256 that two ORB descriptors may differ in
REACH_PIXELS = 5.0


@dataclass(frozen=True, eq=False)
class Print:
    """What is kept of an image: its hash, and points (n, 2) with descriptors (n, 32)."""

    hash: np.uint64
    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


@dataclass(frozen=True)
class Match:
    """The known image that an asked one repeats: its index, bits that differ, points shared."""

    known: int
    bits: int
    points: int


def fingerprint(image: Image.Image) -> Print:
    """The print of an RGB image."""
    bits = imagehash.phash(image).hash.ravel()
    grey = image.convert("L").resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BILINEAR)
    orb = cv2.ORB.create(MOST_POINTS, fastThreshold=SHARP)
    keypoints, descriptors = orb.detectAndCompute(np.asarray(grey), None)
    return Print(
        hash=np.packbits(bits).view(np.uint64)[0],
        points=np.array([point.pt for point in keypoints], dtype=np.float32).reshape(-1, 2),
        descriptors=np.zeros((0, 32), np.uint8) if descriptors is None else descriptors,
    )


def distances(asked: Sequence[Print], known: Sequence[Print]) -> NDArray[np.uint8]:
    """Bits in which the hashes differ: (asked, known)."""
    left = np.array([item.hash for item in asked], dtype=np.uint64)
    right = np.array([item.hash for item in known], dtype=np.uint64)
    bits: NDArray[np.uint8] = np.bitwise_count(left[:, None] ^ right[None])
    return bits


def repeated(asked: Print, known: Sequence[Print], is_own: NDArray[np.bool_]) -> Match | None:
    """The known image that `asked` repeats beyond doubt, or None.

    Args:
        is_own: which of `known` are of the same class.
    """
    bits = distances([asked], known)[0]
    order = np.argsort(bits, kind="stable")
    candidates = {*order[:CANDIDATES].tolist(), *order[is_own[order]][:OWN_CANDIDATES].tolist()}
    found = [Match(at, int(bits[at]), shared_points(asked, known[at])) for at in sorted(candidates)]
    proved = [item for item in found if item.points >= POINTS or item.bits <= COPY_BITS]
    return max(proved, key=lambda item: (item.points, -item.bits), default=None)


def shared_points(one: Print, other: Print) -> int:
    """How many points a single shift, turn and scale carries from one image to the other."""
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    pairs = matcher.match(one.descriptors, other.descriptors)
    close = [(pair.queryIdx, pair.trainIdx) for pair in pairs if pair.distance <= MATCH_BITS]
    if len(close) < POINTS:
        return len(close)
    left, right = np.array(close).T
    _, inside = cv2.estimateAffinePartial2D(
        one.points[left], other.points[right], ransacReprojThreshold=REACH_PIXELS
    )
    return 0 if inside is None else int(inside.sum())
