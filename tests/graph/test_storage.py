"""Which values share slabs."""

from __future__ import annotations

import onnx_ir as ir

from openrpp.graph.storage import Form, Storage, View


def values(*names: str) -> list[ir.Value]:
    return [ir.Value(name=name) for name in names]


def concat(whole: ir.Value, parts: list[ir.Value], counts: list[int]) -> list[View]:
    starts = [sum(counts[:index]) for index in range(len(counts))]
    return [View(part, whole, start, whole) for part, start in zip(parts, starts, strict=True)]


def test_a_split_and_a_concat_of_its_parts_are_one_storage() -> None:
    whole, a, b, more, joined = values("whole", "a", "b", "more", "joined")
    storage = Storage()
    for value, count in ((whole, 32), (a, 16), (b, 16), (more, 16)):
        storage.add(value, count, Form(1, loose=True))
    storage.add(joined, 48, Form(loose=True), (16, 16, 16))
    storage.share([View(a, whole, 0, a), View(b, whole, 16, b)])
    views = concat(joined, [a, b, more], [16, 16, 16])
    storage.share(views)
    assert all(view in storage.granted for view in views)
    assert len({storage.pool(value) for value in (whole, a, b, more, joined)}) == 1
    assert [storage.first(value) for value in (whole, a, b, more, joined)] == [0, 0, 16, 32, 0]
    assert storage.border(joined) == 1
    assert [storage.last(value) for value in (b, more)] == [False, True]


def test_two_concats_do_not_write_to_one_place() -> None:
    x, y, z, one, other = values("x", "y", "z", "one", "other")
    storage = Storage()
    for value in (x, y, z):
        storage.add(value, 32, Form())
    for value in (one, other):
        storage.add(value, 64, Form(), (32, 32))
    first, second = concat(one, [x, y], [32, 32]), concat(other, [x, z], [32, 32])
    storage.share(first)
    storage.share(second)
    assert [view in storage.granted for view in (*first, *second)] == [True, True, False, True]
    assert storage.pool(one) != storage.pool(other)


def test_parts_begin_at_slabs_unless_all_allow_otherwise() -> None:
    for loose in (False, True):
        x, y, joined = values("x", "y", "joined")
        storage = Storage()
        storage.add(x, 8, Form(loose=loose))
        storage.add(y, 8, Form(loose=True))
        storage.add(joined, 16, Form(loose=True), (8, 8))
        views = concat(joined, [x, y], [8, 8])
        storage.share(views)
        assert [view in storage.granted for view in views] == [loose, True]


def test_another_shape_needs_storage_without_a_border() -> None:
    for border in (0, 1):
        x, y = values("x", "y")
        storage = Storage()
        storage.add(x, 32, Form(border))
        storage.add(y, 32, Form())
        storage.share([View(y, x, 0, y, relabel=True)])
        assert (storage.pool(x) == storage.pool(y)) is (border == 0)
