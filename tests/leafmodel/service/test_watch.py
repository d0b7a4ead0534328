"""When a service that is used is given up."""

from __future__ import annotations

from leafmodel.errors import ServiceError
from leafmodel.service.watch import Watch


def test_a_service_is_lost_when_it_failed_often_enough_in_a_row() -> None:
    answers = [False, False, True, False, False, False]

    def look() -> None:
        if not answers.pop(0):
            raise ServiceError("it is gone")

    watch = Watch(look, patience=3)
    assert [watch.lost() for _ in range(6)] == ["", "", "", "", "", "it is gone"]


def test_without_patience_it_is_lost_at_once() -> None:
    def look() -> None:
        raise ServiceError("it is gone")

    assert Watch(look, patience=1).lost() == "it is gone"
