"""Where words are needed, which become one, where they live, and what loops keep adding up."""

from __future__ import annotations

from openrpp.codegen.card.coalesce import coalesced
from openrpp.codegen.card.flow import Assign, Begin, End, Item, Jump, Label
from openrpp.codegen.card.homes import homes_of
from openrpp.codegen.card.liveness import Liveness, runs_of
from openrpp.codegen.card.scalar_registers import scalar_places
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scheduling import scheduled
from openrpp.codegen.card.steps import Part, Pe, Read, Source, Word
from openrpp.codegen.card.strength import reduced
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.parser import parse_module


def loop() -> Loop:
    text = 'module "m"\nkernel @k() {\n^e:\n  br ^l\n^l:\n  %t = tid axis=x : i32\n  %c = icmp pred=eq %t, 0:i32 : i1\n'
    kernel = parse_module(text + "  cbr %c, ^l, ^x\n^x:\n  ret\n}").kernels["k"]
    return Loops(Cfg(kernel)).loops[0]


def pe(result: Word, *reads: Word) -> Pe:
    return Pe("ADD.U32", tuple(Read(word) for word in reads), result)


def add(result: Word, a: Source, b: Source) -> ScalarOp:
    return ScalarOp("ADD.U32", ((a, Part.PAIR), (b, Part.PAIR)), result)


def test_a_word_is_needed_round_a_loop_and_not_before_it_is_written() -> None:
    around = loop()
    total, one, again = Word("total"), Word("one"), Word("again")
    items: list[Item] = [pe(one, one), Assign(total, one), Begin(around), Label("$h"), pe(total, total, one)]
    items += [Jump("$h", again), End(around), pe(one, total)]
    known = Liveness(items)
    assert runs_of(known.needed(total)) == [(2, 8)]
    assert runs_of(known.needed(one)) == [(1, 6)]


def test_source_and_target_of_a_loop_carried_assignment_become_one() -> None:
    around = loop()
    total, following, again = Word("total"), Word("next"), Word("again")
    items: list[Item] = [Assign(total, 0), Begin(around), Label("$h"), pe(following, total), Assign(total, following)]
    items += [Jump("$h", again), End(around), pe(Word(), following)]
    found = coalesced(items, {again})
    assert len(found) == len(items) - 1
    (made,) = (item for item in found[3:4] if isinstance(item, Pe))
    assert made.result is made.reads[0].source


def test_words_that_differ_where_both_are_needed_stay_two() -> None:
    old, new = Word("old"), Word("new")
    items: list[Item] = [pe(old, old), Assign(new, old), pe(old, old), pe(Word(), old, new)]
    assert len(coalesced(items, set())) == len(items)


def test_the_most_used_word_gets_the_pair_and_the_other_keeps_to_its_plane() -> None:
    around = loop()
    often, seldom, again = Word("often"), Word("seldom"), Word("again")
    items: list[Item] = [pe(often), pe(seldom), Begin(around), Label("$h"), pe(often, often)]
    items += [Jump("$h", again), End(around), pe(Word(), often, seldom)]
    words, homes = homes_of(items, Liveness(items), {again}, ("IAB", "ICD", "IEF"), 2)
    assert set(words) == {often, seldom}
    assert homes.at_place(often, 4) == "IAB"
    assert homes.at_place(seldom, 4) is None


def test_scalars_without_a_pair_lie_in_spare_words() -> None:
    many = [Word(str(index)) for index in range(11)]
    items: list[Item] = [add(word, index, 1) for index, word in enumerate(many)]
    items += [add(Word(), word, 1) for word in many]
    scalars = {item.result for item in items if isinstance(item, ScalarOp)}
    places = scalar_places(scalars, Liveness(items), 12)
    assert len(places.spare) >= 3
    assert not places.spare.keys() & places.pairs.keys()
    assert len({places.pairs[word] for word in many if word in places.pairs}) == 11 - len(places.spare)


def test_a_product_of_the_counter_becomes_a_running_sum() -> None:
    around = loop()
    i, scaled, place, stride, base, flag = (Word(name) for name in ("i", "scaled", "place", "stride", "base", "flag"))
    items: list[Item] = [add(stride, 3, 1), add(base, 5, 1), Assign(i, 0), Begin(around), Label("$h")]
    items.append(ScalarOp("MUL.U32.LOW", ((i, Part.PAIR), (stride, Part.PAIR)), scaled))
    items += [add(place, base, scaled), pe(Word(), place), add(i, i, 1)]
    items += [ScalarOp("CMP.U32.LT", ((i, Part.PAIR), (9, Part.PAIR)), flag, Part.LOW), Jump("$h", flag), End(around)]
    found = reduced(items, {i, scaled, place, stride, base, flag})
    start = next(index for index, item in enumerate(found) if isinstance(item, Label))
    body = [item for item in found[start:] if isinstance(item, ScalarOp) and item.result is place]
    assert [(item.text, {source for source, _ in item.reads}) for item in body] == [("ADD.U32", {place, stride})]
    assert any(isinstance(item, Assign) and item.target is place for item in found[:start])


def test_a_schedule_takes_the_longest_chain_first() -> None:
    """Two chains that meet: the operations of the shorter one fill in behind the start of the longer."""
    x, y = Word("x"), Word("y")
    long = [Word(f"long {index}") for index in range(4)]
    short = Word("short")
    items: list[Item] = [Label("$a"), pe(short, y), pe(long[0], x)]
    items += [pe(long[index + 1], long[index]) for index in range(3)]
    items += [pe(Word(), short, long[3]), Label("$b")]
    found = scheduled(items, set(), Liveness(items), 8)
    made = [item.result.name for item in found if isinstance(item, Pe)]
    assert made.index("long 0") < made.index("short")
    assert [name for name in made if name.startswith("long")] == [word.name for word in long]
