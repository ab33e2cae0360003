"""Pictures for models, and what models say about pictures: boxes and classes (extra `openrpp[vision]`)."""
