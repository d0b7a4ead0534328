"""The fourteen species: the course's numbers, and ranges that overlap."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import pytest

from leafmodel.data.leaf_traits import Disease, Range, Shape, Surface, Veins
from leafmodel.data.species import COURSE_IMAGES, SPECIES, Species

COURSE = {
    "Apple": 988, "Blueberry": 467, "Cherry": 583, "Corn": 1206, "Grape": 1458, "Orange": 1748,
    "Peach": 977, "Pepper": 765, "Potato": 716, "Raspberry": 264, "Soybean": 1616, "Squash": 574,
    "Strawberry": 673, "Tomato": 5693,
}  # fmt: skip


Traits = Shape | Veins | Surface | Disease


def ranges(traits: Traits) -> dict[str, Range]:
    values = dataclasses.asdict(traits)
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, tuple) and len(value) == 2
    }


def test_counts_are_those_of_the_course() -> None:
    assert {species.name: species.course_images for species in SPECIES} == COURSE
    assert COURSE_IMAGES == 17_728


def test_names_are_sorted_so_that_a_class_index_is_the_same_everywhere() -> None:
    names = [species.name for species in SPECIES]
    assert names == sorted(names)


@pytest.mark.parametrize("species", SPECIES, ids=lambda species: species.name)
def test_every_range_runs_upwards(species: Species) -> None:
    diseases = [disease for disease, _ in species.diseases]
    parts: list[Traits] = [species.shape, species.veins, species.surface, *diseases]
    for part in parts:
        assert not [name for name, (low, high) in ranges(part).items() if low > high]


@pytest.mark.parametrize("species", SPECIES, ids=lambda species: species.name)
def test_some_leaves_of_every_species_are_healthy(species: Species) -> None:
    assert sum(probability for _, probability in species.diseases) < 1.0


@pytest.mark.parametrize("trait", ["hue_degrees", "saturation", "brightness", "mottle"])
def test_no_colour_trait_separates_two_species(trait: str) -> None:
    for one, other in combinations(SPECIES, 2):
        (low, high), (other_low, other_high) = (
            getattr(kind.surface, trait) for kind in (one, other)
        )
        assert max(low, other_low) <= min(high, other_high), (one.name, other.name)


def test_traits_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPECIES[0].course_images = 1  # type: ignore[misc]
