"""Language models of the Llama architecture: files, tokenizers, their ONNX graph, and generation on a card."""
