"""Conversations as prompts: the model's own template, carried out by jinja2 without access to anything else."""

from __future__ import annotations

import datetime
import importlib
import json
from collections.abc import Sequence
from typing import Any, Literal, NoReturn, TypedDict

from openrpp.llm.errors import ModelError
from openrpp.llm.tokenizer import Tokenizer


class Message(TypedDict):
    """Something that was said."""

    role: Literal["system", "user", "assistant"]
    content: str


def prompt_tokens(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Tokens of a conversation, up to where the model's answer begins.

    A model without a template goes on with the text of all messages. Raises ModelError for a template that fails.
    """
    if tokenizer.template is None:
        return tokenizer.encode("\n".join(message["content"] for message in messages))
    # A template writes the token that begins a text by itself.
    return tokenizer.encode(rendered(tokenizer, messages), begin=False)


def rendered(tokenizer: Tokenizer, messages: Sequence[Message]) -> str:
    """The text that a model's template makes of a conversation. Raises ModelError."""
    jinja: Any = _library("jinja2")
    sandbox: Any = _library("jinja2.sandbox")
    environment = sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = _as_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
    pieces = tokenizer.pieces
    try:
        text: str = environment.from_string(tokenizer.template or "").render(
            messages=list(messages),
            add_generation_prompt=True,
            bos_token="" if tokenizer.bos is None else pieces[tokenizer.bos],
            eos_token="" if tokenizer.eos is None else pieces[tokenizer.eos],
        )
    except jinja.TemplateError as error:
        raise ModelError(f"the model's chat template fails: {error}") from None
    return text


def _as_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _now(form: str) -> str:
    return datetime.datetime.now().strftime(form)


def _refuse(sentence: str) -> NoReturn:
    raise ModelError(f"the model's chat template refuses: {sentence}")


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ModelError("jinja2 is not installed; pip install 'openrpp[llm]'") from None
