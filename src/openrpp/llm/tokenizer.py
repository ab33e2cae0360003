"""Tokenizers from GGUF's metadata, carried out by the `tokenizers` library."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from openrpp.llm.errors import ModelError

CONTROL, USER = 3, 4
"""Kinds of tokens that are found in text as a whole: control tokens, and those that the user's text may hold."""
_STOPS: Final = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|end_of_text|>", "<|endoftext|>", "</s>")
_KEYS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")
_SPACE: Final = "▁"

_LETTERS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_REST: Final = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3: Final = rf"{_LETTERS}|\p{{N}}{{1,3}}|{_REST}"
_QWEN2: Final = rf"{_LETTERS}|\p{{N}}|{_REST}"
SPLITS: Final[Mapping[str, str]] = {
    "llama-bpe": _LLAMA3, "llama3": _LLAMA3, "llama-v3": _LLAMA3, "qwen2": _QWEN2, "default": "", "gpt-2": "",
    "smollm": "digits", "starcoder": "digits", "refact": "digits", "command-r": "digits",
}  # fmt: skip
"""`tokenizer.ggml.pre` -> how text is cut before byte pairs are merged: a pattern, "" for GPT-2's own, "digits" for
GPT-2's with every digit by itself."""


class Tokenizer:
    """Text to tokens and back.

    Attributes:
        bos, eos: tokens that begin and end a text, None if the model has none.
        pieces: how each token is written in the vocabulary.

    Raises ModelError for a kind of tokenizer that is not known.
    """

    def __init__(self, metadata: Mapping[str, Any], name: str = "the model") -> None:
        self._metadata = {key.removeprefix("tokenizer.ggml."): value for key, value in metadata.items()}
        self._name = name
        if not self._metadata.get("tokens"):
            raise ModelError(f"{name} has no tokenizer")
        self.pieces: list[str] = self._metadata["tokens"]
        self._kinds: list[int] = self._metadata.get("token_type") or [1] * len(self.pieces)
        if len(self._kinds) != len(self.pieces):
            raise ModelError(f"{name} has {len(self.pieces)} tokens and kinds of {len(self._kinds)}")
        self.model: str = self._metadata.get("model", "")
        self.bos = self._token("bos_token_id")
        self.eos = self._token("eos_token_id")
        self.template: str | None = metadata.get("tokenizer.chat_template")

    def _token(self, key: str) -> int | None:
        value = self._metadata.get(key)
        return value if isinstance(value, int) and 0 <= value < len(self.pieces) else None

    @cached_property
    def stops(self) -> frozenset[int]:
        """Tokens after which generation ends."""
        named = {token for key in _KEYS if (token := self._token(key)) is not None}
        special = set(self._special())
        return frozenset(named | {self._index[text] for text in _STOPS if text in special})

    @cached_property
    def _index(self) -> dict[str, int]:
        return {piece: token for token, piece in enumerate(self.pieces)}

    def _special(self) -> list[str]:
        return [piece for piece, kind in zip(self.pieces, self._kinds, strict=True) if kind == CONTROL]

    def encode(self, text: str, *, special: bool = True, begin: bool | None = None) -> list[int]:
        """Tokens of a text.

        Args:
            text: any text.
            special: whether control tokens that are written in the text are found.
            begin: whether the token that begins a text comes first; None for what the model's file says.
        """
        encoder = self._encoder if special else self._plain
        tokens: list[int] = encoder.encode(text, add_special_tokens=False).ids
        if begin is None:
            begin = bool(self._metadata.get("add_bos_token", self.model == "llama"))
        if begin and self.bos is not None and tokens[:1] != [self.bos]:
            tokens.insert(0, self.bos)
        return tokens

    def decode(self, tokens: Iterable[int]) -> str:
        """Text of tokens; control tokens have none, bytes that are no UTF-8 become U+FFFD."""
        text: str = self._encoder.decode(list(tokens), skip_special_tokens=True)
        return text

    @cached_property
    def _encoder(self) -> Any:
        encoder = self._bare()
        library = _library()
        for kind, special in ((USER, False), (CONTROL, True)):
            found = [piece for piece, own in zip(self.pieces, self._kinds, strict=True) if own == kind]
            tokens = [library.AddedToken(text, normalized=False, special=special) for text in found]
            (encoder.add_special_tokens if special else encoder.add_tokens)(tokens)
        return encoder

    @cached_property
    def _plain(self) -> Any:
        return self._bare()

    def _bare(self) -> Any:
        if self.model == "gpt2":
            return self._byte_pairs()
        if self.model == "llama":
            return self._sentence_pieces()
        raise ModelError(
            f"{self._name} has a tokenizer of kind {self.model}, which is not supported; gpt2 and llama are"
        )

    def _byte_pairs(self) -> Any:
        """Byte pairs over bytes that are written as letters, as GPT-2 has them."""
        library = _library()
        cut = self._metadata.get("pre", "default")
        if cut not in SPLITS:
            known = ", ".join(SPLITS)
            raise ModelError(f"{self._name} cuts text as {cut} does, which is not supported; known are {known}")
        merges = [tuple(merge.split(" ", 1)) for merge in self._metadata.get("merges", ())]
        encoder = library.Tokenizer(
            library.models.BPE(vocab=self._index, merges=merges, ignore_merges=SPLITS[cut] == _LLAMA3)
        )
        own = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=SPLITS[cut] in ("", "digits"))
        first = _first_cut(library, SPLITS[cut])
        encoder.pre_tokenizer = library.pre_tokenizers.Sequence([first, own]) if first else own
        if cut == "qwen2":
            encoder.normalizer = library.normalizers.NFC()
        encoder.decoder = library.decoders.ByteLevel()
        return encoder

    def _sentence_pieces(self) -> Any:
        """SentencePiece's byte pairs: the best piece that neighbours make comes first; unknown letters are bytes."""
        library = _library()
        unknown = self._token("unknown_token_id")
        encoder = library.Tokenizer(
            library.models.BPE(
                vocab=self._index,
                merges=merges_of(self.pieces, self._metadata.get("scores") or [0.0] * len(self.pieces)),
                unk_token=None if unknown is None else self.pieces[unknown],
                fuse_unk=True,
                byte_fallback=True,
            )
        )
        prefix = bool(self._metadata.get("add_space_prefix", True))
        normal = [library.normalizers.Prepend(_SPACE)] if prefix else []
        encoder.normalizer = library.normalizers.Sequence([*normal, library.normalizers.Replace(" ", _SPACE)])
        parts = [library.decoders.Replace(_SPACE, " "), library.decoders.ByteFallback(), library.decoders.Fuse()]
        strip = [library.decoders.Strip(" ", 1, 0)] if prefix else []
        encoder.decoder = library.decoders.Sequence([*parts, *strip])
        return encoder


def merges_of(pieces: Sequence[str], scores: Sequence[float]) -> list[tuple[str, str]]:
    """The merges of a vocabulary with scores: every way to cut a piece into two pieces, the best piece's first."""
    index = {piece: token for token, piece in enumerate(pieces)}
    found: list[tuple[float, int, int, tuple[str, str]]] = []
    for token, piece in enumerate(pieces):
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in index and right in index:
                found.append((-scores[token], index[left], index[right], (left, right)))
    found.sort(key=lambda item: item[:3])
    return [merge for *_, merge in found]


class TextStream:
    """Text of tokens that come one by one; a letter of several tokens is given out when it is whole."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._shown = ""

    def add(self, token: int) -> str:
        """What the token adds to the text."""
        self._tokens.append(token)
        return self._grown(self._tokenizer.decode(self._tokens), whole=False)

    def end(self) -> str:
        """What was held back."""
        return self._grown(self._tokenizer.decode(self._tokens), whole=True)

    def _grown(self, text: str, whole: bool) -> str:
        if text.endswith("\ufffd") and not whole:
            return ""
        more, self._shown = text[len(self._shown) :], text
        # From a line's end on, a new start keeps the cost of a long text linear.
        if more.endswith("\n"):
            self._tokens, self._shown = [], ""
        return more


def _first_cut(library: Any, split: str) -> Any:
    if split == "digits":
        return library.pre_tokenizers.Digits(individual_digits=True)
    if split:
        return library.pre_tokenizers.Split(library.Regex(split), "isolated")
    return None


def _library() -> Any:
    try:
        return importlib.import_module("tokenizers")
    except ImportError:
        raise ModelError("tokenizers is not installed; pip install 'openrpp[llm]'") from None
