from __future__ import annotations

import io
import pickle
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from leafmodel.errors import WeightsError
from leafmodel.models import torch_pickle
from leafmodel.models.torch_state import tensors
from tests.leafmodel.models import torch_files as made

SIX = {"0": np.arange(6, dtype="<f4")}
ONE_TENSOR = made.mapping({"a": made.tensor(made.storage("0", 6), (2, 3), (3, 1))})
VALID = made.file(ONE_TENSOR, SIX)


def refusal(content: bytes) -> str:
    with pytest.raises(WeightsError) as refused:
        tensors(content, "weights.pth")
    return str(refused.value)


def test_a_state_file_is_read() -> None:
    found = tensors(VALID, "weights.pth")
    assert list(found) == ["a"]
    assert found["a"].dtype == np.float32
    np.testing.assert_array_equal(found["a"], [[0, 1, 2], [3, 4, 5]])


def test_tensors_may_be_views_of_one_storage() -> None:
    shared = made.storage("0", 6)
    state = {
        "column": made.tensor(shared, (2,), (3,), offset=1),
        "turned": made.tensor(shared, (3, 2), (1, 3)),
        "one": made.tensor(shared, (1, 1), (999_999, 7), offset=5),  # one row: no stride is taken
        "scalar": made.tensor(shared, (), (), offset=2),
    }
    found = tensors(made.file(made.mapping(state), SIX), "weights.pth")
    np.testing.assert_array_equal(found["column"], [1, 4])
    np.testing.assert_array_equal(found["turned"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(found["one"], [[5]])
    assert found["scalar"] == 2


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.sampled_from(sorted(made.KINDS)).flatmap(
            lambda kind: arrays.arrays(kind, arrays.array_shapes(max_dims=4, max_side=4))
        ),
        max_size=4,
    )
)
def test_what_is_written_is_read(written: dict[str, np.ndarray[Any, Any]]) -> None:
    found = tensors(made.state_file(written), "weights.pth")
    assert found.keys() == written.keys()
    for name, array in written.items():
        np.testing.assert_array_equal(found[name], array)


def test_pytorch_writes_what_is_read() -> None:
    torch = pytest.importorskip("torch", reason="the extra `reference` is not installed")
    state = {
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "half": torch.ones(2, dtype=torch.float16),
        "count": torch.tensor(7),
    }
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=False)
    found = tensors(stream.getvalue(), "weights.pth")
    for name, expected in state.items():
        np.testing.assert_array_equal(found[name], np.array(expected.tolist()))


class Harm:
    """Pickled, an order to make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


@pytest.mark.parametrize("place", ["magic", "state", "tensor"])
def test_nothing_that_the_file_names_is_called(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "harm"
    order = pickle.dumps(Harm(folder), protocol=2)
    inner = order[2:-1]  # without its start and its stop
    content = {
        "magic": order + VALID,
        "state": made.file(inner),
        "tensor": made.file(made.mapping({"a": inner}), SIX),
    }[place]
    assert "the name" in refusal(content)
    assert not folder.exists()
    pickle.loads(order)
    assert folder.exists()  # Python's own unpickler would have done it


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_parameter"),
        ("collections", "OrderedDict.fromkeys"),
        ("collections", "defaultdict"),
    ],
)
def test_a_name_that_is_no_tensors_is_refused_by_name(module: str, name: str) -> None:
    message = refusal(made.file(made.named(module, name) + made.many(made.text("id")) + b"R"))
    assert f"'{module} {name}'" in message
    assert message.startswith("weights.pth: expected a PyTorch state file")


ORDERED = made.named("collections", "OrderedDict")
REBUILD = made.named("torch._utils", "_rebuild_tensor_v2")
FLOATS = made.named("torch", "FloatStorage")
SIX_FLOATS = made.storage("0", 6)
A_TENSOR = made.tensor(SIX_FLOATS, (1,), (1,))
STRANGE = {
    "a call that no state of tensors needs": {
        "OrderedDict of pairs": ORDERED + made.many(made.many(made.many(made.text("a")))) + b"R",
        "OrderedDict of a list": ORDERED + b"(]tR",
        "what a call gave, called": made.EMPTY_ORDERED + b")R",
        "a storage": FLOATS + made.many(made.number(2**40)) + b"R",
        "a text": made.text("OrderedDict") + b")R",
    },
    "a tensor of unknown parts": {
        "nothing": REBUILD + b")R",
        "a dict": REBUILD + b"}R",
        "a name": made.tensor(FLOATS, (1,), (1,)),
        "hooks": A_TENSOR.replace(made.EMPTY_ORDERED, made.mapping({"0": REBUILD})),
        "before its storage": made.tensor(SIX_FLOATS, (1,), (1,), offset=-1),
        "backwards": made.tensor(SIX_FLOATS, (2,), (-1,), offset=5),
        "a negative side": made.tensor(SIX_FLOATS, (-1,), (1,)),
        "too many axes": made.tensor(SIX_FLOATS, (1,) * 9, (1,) * 9),
        "unequal axes": made.tensor(SIX_FLOATS, (2, 3), (1,)),
        "True for a number": made.tensor(SIX_FLOATS, (), ()).replace(made.number(0), made.TRUE),
    },
    "in a storage of 6 numbers": {
        "longer": made.tensor(SIX_FLOATS, (7,), (1,)),
        "behind": made.tensor(SIX_FLOATS, (1,), (1,), offset=6),
        "strided out of it": made.tensor(SIX_FLOATS, (2,), (6,)),
        "one number, repeated": made.tensor(SIX_FLOATS, (2**40,), (0,)),
        "repeated in two directions": made.tensor(SIX_FLOATS, (2**31, 2**31), (0, 0)),
        "more than an integer": made.tensor(SIX_FLOATS, (2**62, 4), (1, 1)),
        "empty": made.tensor(SIX_FLOATS, (0,), (1,)),
    },
    "a storage of 6 numbers where 4611686018427387904": {
        "longer": made.mapping({"a": made.tensor(made.storage("0", 2**62), (1,), (1,))}),
    },
    "storages that its tensors do not name": {
        "another": made.mapping({"a": made.tensor(made.storage("1", 6), (1,), (1,))}),
        "none": b"}",
    },
    "two descriptions of storage '0'": {
        "kinds": made.many(SIX_FLOATS, made.storage("0", 6, "DoubleStorage")),
        "lengths": made.many(SIX_FLOATS, made.storage("0", 5)),
    },
    "an unknown kind of storage": {
        "of less than nothing": made.storage("0", -6),
        "of other words": made.many(*[made.text("module")] * 6) + b"Q",
        "of no numbers": SIX_FLOATS.replace(FLOATS, ORDERED),
        "a view": SIX_FLOATS.replace(b"Nt", b")t"),
    },
    "an unknown reference": {
        "a number": made.number(1) + b"Q",
        "a pair": made.many(made.text("storage"), FLOATS) + b"Q",
    },
    "attributes set on an object": {
        "a dict": made.EMPTY_ORDERED + made.mapping({"__class__": REBUILD}) + b"b",
        "a name": ORDERED + made.mapping({"_metadata": made.NONE}) + b"b",
        "a tensor": A_TENSOR + made.mapping({"_metadata": made.NONE}) + b"b",
        "slots": made.EMPTY_ORDERED + made.many(b"}", b"}") + b"b",
    },
    "something else than tensors by name": {
        "a name": ORDERED,
        "a list": b"]",
        "a number by a name": made.mapping({"a": made.number(1)}),
        "itself by a name": b"}q\x00" + made.text("a") + b"h\x00s",
    },
    "something filed under what is no name": {
        "a number": b"}" + made.number(1) + made.number(1) + b"s",
        "a tuple too deep to hash": b"})" + b"\x85" * 100_000 + made.number(1) + b"s",
        "no value": b"}(" + made.text("a") + b"u",
        "into a tuple": b")" + made.text("a") + made.number(1) + b"s",
    },
    "the name 'a' twice": {"two": b"}(" + 2 * (made.text("a") + A_TENSOR) + b"u"},
    "an addition to what is no list": {"a tuple": b")" + made.number(1) + b"a"},
    "a pickle that leaves something behind": {"two values": b"}}"},
    "a broken pickle": {
        "a tuple of what is not there": b"\x87",
        "a tuple without its start": b"t",
        "a start without its tuple": b"(",
    },
    "a reference to nothing": {"seven": b"h\x07"},
    "the instruction": {
        "INST": b"(iposix\nsystem\n",
        "OBJ": b"(" + ORDERED + b"o",
        "NEWOBJ": ORDERED + b")\x81",
        "EXT1": b"\x82\x01",
        "STACK_GLOBAL": made.text("posix") + made.text("system") + b"\x93",
        "PERSID": b"Pstorage\n",
    },
}


@pytest.mark.parametrize(
    ("found", "part"),
    [(found, part) for found, parts in STRANGE.items() for part in parts],
)
def test_what_no_state_of_tensors_says_is_refused_without_memory_for_it(
    found: str, part: str
) -> None:
    content = made.file(STRANGE[found][part], SIX)
    tracemalloc.start()
    message = refusal(content)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found in message
    assert most_bytes < 64 * len(content) + 2**20


def test_lengths_in_the_pickle_itself_take_no_memory() -> None:
    tracemalloc.start()
    refusal(made.header() + b"\x80\x02X\xff\xff\xff\xffabc.")
    far_memo = made.file(b"}r\xff\xff\xff\xff")
    assert tensors(far_memo, "weights.pth") == {}
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 2**20


def test_instructions_are_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_pickle, "_MOST_STEPS", 1000)
    assert "more than 1,000 instructions" in refusal(made.file(b"N" * 1001))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04" + VALID, "the zip format of later versions"),
        (b"\x89HDF\r\n\x1a\n" + VALID, "a broken or foreign file"),
        (b"<html>Not found</html>", "a broken or foreign file"),
        (made.file(ONE_TENSOR, SIX, made.header(magic=made.VERSION)), "another number"),
        (made.file(ONE_TENSOR, SIX, made.header(version=made.MAGIC)), "another version than 1001"),
        (made.file(ONE_TENSOR, SIX, made.header(little_endian=made.FALSE)), "not little-endian"),
        (VALID + b"\0", "more behind its last tensor"),
        (made.file(ONE_TENSOR, {"0": np.zeros(5, "<f4")}), "a storage of 5 numbers where 6"),
        (made.file(ONE_TENSOR, SIX | {"1": np.zeros(2, "<f4")}), "storages that its tensors"),
    ],
)
def test_another_file_is_refused_with_what_it_is(content: bytes, found: str) -> None:
    assert found in refusal(content)


def test_a_file_cut_anywhere_is_refused() -> None:
    for length in range(len(VALID)):
        refusal(VALID[:length])


@given(st.data())
def test_a_spoilt_file_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    spoilt = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    with suppress(WeightsError):
        found = tensors(bytes(spoilt), "weights.pth")
        assert all(array.nbytes <= len(spoilt) for array in found.values())
