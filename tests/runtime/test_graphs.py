from __future__ import annotations

import numpy as np
import pytest

from openrpp.machine import LaunchError
from openrpp.runtime import Buffer, BufferFreed, CaptureError, Card, Event, Function

LAUNCH, NODE = 25e-6, 12e-6


def work(card: Card, add: Function, buffers: tuple[Buffer, Buffer, Buffer], host: np.ndarray, stream: object) -> None:
    """ddr -> sram, two launches, sram -> ddr, ddr -> host."""
    ddr, x, y = buffers
    stream.copy(x, ddr)  # type: ignore[attr-defined]
    add(4, 32, x, y, 5, stream=stream)  # type: ignore[arg-type]
    add(4, 32, y, x, 7, stream=stream)  # type: ignore[arg-type]
    stream.copy(ddr, x)  # type: ignore[attr-defined]
    stream.copy(host, ddr)  # type: ignore[attr-defined]


@pytest.fixture
def buffers(card: Card) -> tuple[Buffer, Buffer, Buffer]:
    ddr = card.array(np.arange(128, dtype=np.uint16))
    return ddr, card.empty(128, np.uint16, "sram"), card.empty(128, np.uint16, "sram")


def test_a_replay_equals_eager_work_but_for_the_launch_cost(
    card: Card, add: Function, buffers: tuple[Buffer, Buffer, Buffer]
) -> None:
    host, stream = np.zeros(128, np.uint16), card.stream()
    start = card.synchronize().nominal
    work(card, add, buffers, host, stream)
    eager = card.synchronize().nominal - start
    np.testing.assert_array_equal(host, np.arange(128) + 12)

    with card.capture(stream) as graph:
        work(card, add, buffers, host, stream)
    assert [(node.kind, node.name, node.after) for node in graph.nodes] == [
        ("copy", "copy ddr to sram", ()),
        ("kernel", "add", (0,)),
        ("kernel", "add", (1,)),
        ("copy", "copy sram to ddr", (2,)),
        ("copy", "copy ddr to host", (3,)),
    ]
    np.testing.assert_array_equal(host, np.arange(128) + 12)  # nothing ran
    start = card.synchronize().nominal
    reports = graph.launch(stream)
    assert [report.kernel for report in reports] == ["add", "add"]
    np.testing.assert_array_equal(host, np.arange(128) + 24)
    assert card.synchronize().nominal - start == pytest.approx(eager - 2 * (LAUNCH - NODE), rel=1e-9)


def test_scalar_arguments_of_a_node_can_be_updated(card: Card, add: Function) -> None:
    x = card.array(np.zeros(64, np.uint16), "sram")
    stream = card.stream()
    with card.capture(stream) as graph:
        add(1, 64, x, x, 1, stream=stream)
    (node,) = graph.nodes
    for value in (10, 20):
        node.update(n=value)
        graph.launch(stream)
    assert (x.numpy() == 30).all()
    with pytest.raises(LaunchError) as caught:
        node.update(m=1)
    assert str(caught.value) == "kernel add has no parameter m; there are src, dst, n"
    with pytest.raises(LaunchError) as caught:
        node.update(n=70000)
    assert str(caught.value) == "kernel add, parameter n (u16): 70000 does not fit 16 bits"


def test_events_draw_other_streams_into_the_capture(card: Card, add: Function) -> None:
    x = card.array(np.zeros(64, np.uint16), "sram")
    one, two, other = card.stream(), card.stream(), card.stream()
    with card.capture(one) as graph:
        add(1, 64, x, x, 1, stream=one)
        fork = one.record()
        two.wait(fork)
        add(1, 64, x, x, 10, stream=two)
        add(1, 64, x, x, 100, stream=one)
        one.wait(two.record())
        add(1, 64, x, x, 1000, stream=one)
        add(1, 64, x, x, 5000, stream=other)  # takes no part: runs at once
    assert [node.after for node in graph.nodes] == [(), (0,), (0,), (2, 1)]
    assert (x.numpy() == 5000).all()
    graph.launch()
    assert (x.numpy() == 6111).all()
    assert two.capture is None and one.capture is None


def test_branches_of_a_graph_overlap(card: Card) -> None:
    size = 1_000_000
    one, two = card.stream(), card.stream()
    buffers = [card.empty(size, np.uint8) for _ in range(2)]
    with card.capture(one) as graph:
        two.wait(one.record())
        one.copy(buffers[0], np.zeros(size, np.uint8))
        two.copy(np.zeros(size, np.uint8), buffers[1])
    start = card.synchronize().nominal
    graph.launch(one)
    assert one.synchronize().nominal - start == pytest.approx(2e-6 + size / (3.94e9 * 0.85), rel=1e-9)


def test_a_graph_keeps_its_buffers_alive_but_not_freed_ones(card: Card, add: Function) -> None:
    x = card.array(np.zeros(64, np.uint16), "sram")
    stream = card.stream()
    with card.capture(stream) as graph:
        add(1, 64, x, x, 1, stream=stream)
    graph.launch(stream)
    x.free()
    with pytest.raises(BufferFreed):
        graph.launch(stream)


def test_an_error_inside_the_block_leaves_no_graph(card: Card, add: Function) -> None:
    stream = card.stream()
    with pytest.raises(LaunchError), card.capture(stream) as graph:
        add(1, 64, 0, 0, 70000, stream=stream)
    assert stream.capture is None
    with pytest.raises(CaptureError) as caught:
        graph.launch(stream)
    assert str(caught.value) == "the graph's capture has not ended, or ended with an error"


def test_what_cannot_be_captured_is_refused(card: Card, add: Function) -> None:
    stream, other = card.stream("s"), card.stream()
    outside = other.record()
    buffer = card.empty(4, "uint8")
    with card.capture(stream) as graph:
        refused = [
            (buffer.numpy, "a copy that waits cannot be captured; do it before or after the capture"),
            (card.synchronize, "waiting for the card cannot be captured; do it before or after the capture"),
            (stream.synchronize, "stream s is being captured; nothing runs that could be waited for"),
            (
                lambda: stream.wait(outside),
                "a captured stream cannot wait for an event that was recorded outside of the capture",
            ),
            (graph.launch, "the graph's capture has not ended, or ended with an error"),
            (
                lambda: stream.record().synchronize(),
                "the event was recorded in a capture; it has no time of its own",
            ),
        ]
        for use, said in refused:
            with pytest.raises(CaptureError) as caught:
                use()
            assert str(caught.value) == said
        with pytest.raises(CaptureError) as caught, card.capture(stream):
            pass
        assert str(caught.value) == "stream s is being captured already"
        inside = Event().record(stream)
    with pytest.raises(CaptureError) as caught:
        other.wait(inside)
    assert str(caught.value) == "the event was recorded in a capture that is over"


def test_a_graph_cannot_be_launched_into_a_capture_or_on_another_card(card: Card) -> None:
    stream = card.stream("s")
    with card.capture(card.stream()) as graph:
        pass
    with card.capture(stream), pytest.raises(CaptureError) as caught:
        graph.launch(stream)
    assert str(caught.value) == "stream s is being captured; a graph cannot be a node of a graph"
    with pytest.raises(CaptureError) as caught:
        graph.launch(Card().stream())
    assert str(caught.value) == "the stream belongs to another card than the graph"
    assert graph.launch() == ()


def test_a_copy_node_has_no_arguments(card: Card) -> None:
    stream = card.stream()
    with card.capture(stream) as graph:
        stream.copy(card.empty(4, "uint8"), np.zeros(4, np.uint8))
    with pytest.raises(CaptureError) as caught:
        graph.nodes[0].update(n=1)
    assert str(caught.value) == "node 0 (copy host to ddr) is a copy and has no arguments"
