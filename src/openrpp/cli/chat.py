"""`rpp chat`: a language model answers."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    from openrpp.llm.checkpoint import Checkpoint
    from openrpp.llm.conversation import Answer, Conversation
    from openrpp.llm.generate import CardRate, Model, Phase

DEFAULT = "smollm2-135m-instruct"
EPILOG = """\b
MODEL is a name from the catalogue (rpp pull), a GGUF file of architecture llama, or a checkpoint of llama2.c (.bin with
its tokenizer beside it). Weights that are missing are pulled. Without --prompt, what you type is answered until you end
the input (Ctrl-D); from a pipe, all of it is one prompt.

\b
Examples:
  rpp chat
  rpp chat --prompt "What is the capital of France?" --tokens 40
  rpp chat model-q4_0.gguf --temperature 0.7 --seed 1
  rpp chat stories260K.bin --prompt "Once upon a time" --dtype f32 --json
"""


@click.command("chat", epilog=EPILOG, short_help="Talk to a language model on the card.")
@click.argument("name", metavar="[MODEL|FILE]", default=DEFAULT)
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="Answer this; several are a conversation.")
@click.option("--interactive", "-i", is_flag=True, help="Go on with what you type after --prompt, on a terminal.")
@click.option("--system", metavar="TEXT", help="What the model is told before the conversation.")
@click.option("--tokens", type=click.IntRange(1), default=256, show_default=True, help="Most tokens of an answer.")
@click.option("--temperature", type=float, default=0.0, show_default=True, help="0 takes the best token each time.")
@click.option("--top-k", type=int, default=0, help="Choose from so many of the best tokens.")
@click.option("--top-p", type=float, default=1.0, help="Choose from the best tokens with this share of probability.")
@click.option("--seed", type=int, help="Of the random numbers; the same seed gives the same answer.")
@click.option("--context", type=click.IntRange(1), metavar="TOKENS", help="Room for prompt and answers.")
@click.option("--dtype", type=click.Choice(["bf16", "f32"]), default="bf16", show_default=True, help="Of activations.")
@click.option("--engine", type=click.Choice(["native", "reference"]), default="native", show_default=True)
@click.option("--arch", default="ae7100", show_default=True, help="Preset name or architecture file.")
@json_option
def command(name: str, prompts: tuple[str, ...], interactive: bool, as_json: bool, **options: Any) -> None:
    """Answer prompts with a language model on the virtual card; show tokens per second, of card time and host time."""
    if as_json and (interactive or not prompts):
        raise InputError("--json needs --prompt and no --interactive")
    from openrpp.llm.checkpoint import open_checkpoint

    begun = time.perf_counter()
    checkpoint = open_checkpoint(_file(name))
    model, conversation = _opened(checkpoint, options)
    ready = time.perf_counter() - begun
    answers = [_answered(conversation, prompt, options["tokens"], quiet=as_json) for prompt in prompts]
    if as_json:
        emit(_document(checkpoint, model, options, prompts, answers, ready))
        return
    if not prompts or (interactive and sys.stdin.isatty()):
        answers += [_answered(conversation, text, options["tokens"], quiet=False) for text in _typed()]
    if answers:
        _show(checkpoint, model, options, answers, ready)


def _file(model: str) -> Path:
    """The model's file, pulled if need be."""
    from openrpp.cli.downloads import Download
    from openrpp.weights import entries, find, is_here, pull

    path = Path(model)
    if path.is_file():
        return path
    if path.suffix in (".gguf", ".bin") or len(path.parts) > 1:
        raise InputError(f"{model}: no such file")
    known = entries()
    if model in known and known[model].kind != "llm":
        raise InputError(f"{model} is a {known[model].kind}, not a language model")
    if model in known and is_here(known[model]):
        return find(model)
    with Download(model) as progress:
        return pull(model, progress.reach)


def _opened(checkpoint: Checkpoint, options: dict[str, Any]) -> tuple[Model, Conversation]:
    from openrpp.llm.conversation import Conversation
    from openrpp.llm.model import open_model
    from openrpp.llm.sampling import Sampling
    from openrpp.llm.tokenizer import Tokenizer

    sampling = Sampling(options["temperature"], options["top_k"], options["top_p"], options["seed"])
    tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.path.name)
    model = open_model(
        checkpoint,
        context=options["context"],
        card=options["arch"],
        engine=options["engine"],
        dtype=options["dtype"],
    )
    return model, Conversation(model, tokenizer, sampling, options["system"])


def _typed() -> Iterator[str]:
    """What is typed line by line, or all of a pipe."""
    if not sys.stdin.isatty():
        text = sys.stdin.read()
        if text.strip():
            yield text
        return
    while True:
        try:
            text = click.prompt(click.style("you", bold=True), prompt_suffix=": ")
        except click.Abort:
            click.echo()
            return
        if text.strip():
            yield text


def _answered(conversation: Conversation, prompt: str, count: int, quiet: bool) -> Answer:
    """One turn, shown as it comes."""
    if not quiet and not sys.stdin.isatty():
        click.echo(f"{click.style('you', bold=True)}: {prompt.strip()}")
    if not quiet:
        click.echo(f"{click.style('model', bold=True)}: ", nl=False)
    for piece in conversation.ask(prompt, count):
        if not quiet:
            click.echo(piece, nl=False)
            sys.stdout.flush()
    if not quiet:
        click.echo()
    assert conversation.last is not None
    return conversation.last


def _phases(answers: list[Answer]) -> tuple[Phase, Phase]:
    """All prompts, all answers."""
    from openrpp.llm.generate import Phase

    prompt, decode = Phase(), Phase()
    for answer in answers:
        prompt.join(answer.prompt)
        decode.join(answer.decode)
    return prompt, decode


def _rate(found: CardRate | None) -> str:
    from openrpp.report.figures import significant

    if found is None:
        return "not known"
    rate = found.rate
    ends = " / ".join(significant(end) for end in (rate.low, rate.nominal, rate.high))
    return f"{ends} tokens/s (low / nominal / high; behind {found.past} tokens)"


def _show(checkpoint: Checkpoint, model: Model, options: dict[str, Any], answers: list[Answer], ready: float) -> None:
    from openrpp.llm.generate import card_rate
    from openrpp.report.figures import duration, significant
    from openrpp.report.tables import pairs, show

    prompt, decode = _phases(answers)

    def host(phase: Phase) -> str:
        return f"{significant(phase.host_rate)} tokens/s" if phase.host_rate else "none"

    endings = {"stop": "the model ended it", "length": "as many as asked for", "context": "the context is full"}
    first = duration(ready + answers[0].first)
    rows = [
        ("model", f"{checkpoint.name}, {checkpoint.bytes / 1e6:.0f} MB, {options['dtype']} on {options['arch']}"),
        ("tokens", f"{prompt.tokens} read, {sum(len(answer.tokens) for answer in answers)} made"),
        ("ended", endings[answers[-1].reason]),
        ("card time", f"decode {_rate(card_rate(model, decode))}"),
        ("", f"prompt {_rate(card_rate(model, prompt))}"),
        ("host time", f"decode {host(decode)}, prompt {host(prompt)}, first token after {first} ({options['engine']})"),
    ]
    click.echo()
    show(pairs("rpp chat", rows))


def _document(
    checkpoint: Checkpoint,
    model: Model,
    options: dict[str, Any],
    prompts: tuple[str, ...],
    answers: list[Answer],
    ready: float,
) -> dict[str, Any]:
    return {
        "model": checkpoint.name,
        "file": str(checkpoint.path),
        "weight_bytes": checkpoint.bytes,
        **{key: options[key] for key in ("dtype", "engine", "temperature", "top_k", "top_p", "seed")},
        "card": options["arch"],
        "ready_host_seconds": ready,
        "turns": [_turn(model, prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)],
    }


def _turn(model: Model, prompt: str, answer: Answer) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "answer": answer.text,
        "tokens": list(answer.tokens),
        "ended": answer.reason,
        "first_token_host_seconds": answer.first,
        "prompt_tokens_reused": answer.reused,
        "prefill": _figures(model, answer.prompt),
        "decode": _figures(model, answer.decode),
    }


def _figures(model: Model, phase: Phase) -> dict[str, Any]:
    from dataclasses import asdict

    from openrpp.llm.generate import card_rate

    found = card_rate(model, phase)
    return {
        "tokens": phase.tokens,
        "host_seconds": phase.host,
        "host_tokens_per_second": phase.host_rate,
        "card_tokens_per_second": None if found is None else {**asdict(found.rate), "behind_tokens": found.past},
    }
