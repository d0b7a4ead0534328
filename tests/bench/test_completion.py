"""The meters of JAX and PyTorch on a clock of ours; `test_worker_backends` has them in real use."""

from __future__ import annotations

from collections.abc import Iterator

from bench.completion import Arrivals, CompletionMeter, EagerMeter, HandOverMeter, watched
from bench.schema import EpochRecord
from bench.timing import Clocks, EpochMeter

LOGS = {"loss": 0.5, "accuracy": 0.25}


class Hands:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_ns = 0

    def at(self, now_ns: int) -> None:
        self.now_ns = now_ns

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now_ns, lambda: 0)


def _ended(meter: EpochMeter) -> EpochRecord:
    meter.on_epoch_end(0, dict(LOGS))
    return meter.epochs[-1]


def test_on_jax_the_host_may_be_steps_ahead_of_the_device() -> None:
    """Two steps are begun and fetched before the first one is done."""
    hands = Hands()
    arrivals = Arrivals(hands.clocks)
    meter = CompletionMeter(arrivals, images=8, clocks=hands.clocks)
    batches = iter("ab")

    def fetch(step: int, begin_ns: int, ready_ns: int) -> None:
        hands.at(begin_ns)
        meter.on_train_batch_begin(step)
        hands.at(ready_ns)
        assert next(arrivals.watch(batches)) == "ab"[step]

    meter.fit_begins()
    hands.at(100)
    meter.on_epoch_begin(0)
    fetch(0, 110, 150)
    fetch(1, 160, 180)
    for step, done_ns in ((1, 700), (0, 400)):  # a thread that was held up comes last
        hands.at(done_ns)
        meter.on_train_batch_end(step)
    hands.at(720)
    epoch = _ended(meter)
    assert (epoch.head_ns, epoch.step_ns, epoch.tail_ns) == (110, (290, 300), 20)
    assert epoch.wait_ns == (40, 0)
    assert epoch.compute_ns == (250, 300)
    assert meter.first_batch_ns == 150


def test_keras_is_told_that_the_meters_which_run_ahead_need_no_waiting() -> None:
    assert CompletionMeter.async_safe
    assert HandOverMeter.async_safe
    assert not hasattr(EagerMeter, "async_safe")


def test_a_watched_model_fetches_through_the_arrivals_and_counts_traces() -> None:
    class Model:
        """What Keras' trainer on JAX does."""

        train_function = None

        def make_train_function(self, force: bool = False) -> None:
            if self.train_function is None or force:
                self.train_function = lambda state, batches: (state, next(batches))

        def train_step(self, state: str, data: str) -> str:
            return state + data

    hands = Hands()
    arrivals = Arrivals(hands.clocks)
    model = watched(arrivals, Model)()
    for _ in range(2):  # a second fit makes no second function, and must not watch twice
        model.make_train_function()
    batches: Iterator[str] = iter("xy")
    hands.at(5)
    assert model.train_function("s", batches) == ("s", "x")
    hands.at(9)
    assert model.train_function("s", batches) == ("s", "y")
    assert model.train_step("s", "x") == "sx"
    assert arrivals.take() == [5, 9]
    assert arrivals.traces == 1
    model.train_step("s", "x")
    assert arrivals.traces == 2


def test_on_pytorch_a_batch_is_fetched_before_its_step_begins() -> None:
    hands = Hands()
    meter = EagerMeter(images=8, clocks=hands.clocks)
    meter.fit_begins()
    hands.at(100)
    meter.on_epoch_begin(0)
    for step, (begin_ns, end_ns) in enumerate(((130, 200), (220, 300))):
        hands.at(begin_ns)
        meter.on_train_batch_begin(step)
        hands.at(end_ns)
        meter.on_train_batch_end(step)
    hands.at(310)
    epoch = _ended(meter)
    assert (epoch.head_ns, epoch.step_ns, epoch.tail_ns) == (100, (100, 100), 10)
    assert epoch.wait_ns == (30, 20)
    assert epoch.compute_ns == (70, 80)
    assert meter.first_batch_ns == 130


def test_on_a_gpu_pytorch_has_no_wait_rather_than_a_false_one() -> None:
    hands = Hands()
    meter = HandOverMeter(images=8, clocks=hands.clocks)
    meter.on_epoch_begin(0)
    for step, begin_ns in enumerate((10, 14)):
        hands.at(begin_ns)
        meter.on_train_batch_begin(step)
    for step, end_ns in enumerate((60, 110)):
        hands.at(end_ns)
        meter.on_train_batch_end(step)
    hands.at(115)
    epoch = _ended(meter)
    assert (epoch.head_ns, epoch.step_ns, epoch.tail_ns) == (10, (4, 96), 5)
    assert epoch.wait_ns is epoch.compute_ns is None
