"""Writes language.json: `python -m conformance.slice.language_oracle MODEL.gguf`.

Needs torch, transformers, accelerate and gguf. Tokens of stories260K stay as they are in the file: their text has been
compared with the published one, they are no work of transformers'.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path
from typing import Any

ORACLE = Path(__file__).with_name("language.json")
PASSAGE = Path(__file__).with_name("passage.txt")
PROMPTS = (
    "Write a short story about a lighthouse keeper who finds a message in a bottle.",
    "Explain in simple words why the sky is blue.",
)
"""Prompts whose answers are longer than 64 tokens."""
COUNT = 64


def main(file: Path) -> None:
    """Run transformers on a GGUF file of SmolLM2-135M-Instruct."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    source = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
    model = transformers.AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).eval()
    found = json.loads(ORACLE.read_text(encoding="utf-8"))
    with torch.no_grad():
        found["greedy"] = [_answer(torch, tokenizer, model, prompt) for prompt in PROMPTS]
        text = PASSAGE.read_text(encoding="utf-8")
        ids = [1, *tokenizer(text, add_special_tokens=False).input_ids]
        logits = model(torch.tensor([ids])).logits[0].double()
        surprise = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]))
    found["passage"] = {"perplexity": math.exp(float(surprise)), "ids": ids}
    ORACLE.write_text(json.dumps(found) + "\n", encoding="utf-8")


def _answer(torch: Any, tokenizer: Any, model: Any, prompt: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    whole = model.generate(torch.tensor([ids]), max_new_tokens=COUNT, min_new_tokens=COUNT, do_sample=False)
    return {"prompt": prompt, "ids": ids, "answer": whole[0][len(ids) :].tolist()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
