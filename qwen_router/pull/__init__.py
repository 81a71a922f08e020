"""Getting models: what is where (`hubs`), which files of it (`files`), whether they have room (`plan`), bringing them
(`download`), or having an Ollama server do all that (`ollama`).

How a model is got is `catalog/getting.py`'s knowledge; the folder that is filled is read by `engines/models_folder.py`.
Nothing here prints.

    qwen-router pull Qwen3-8B --quant q4_K_M
"""
