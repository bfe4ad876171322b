"""How configuration is read.

    sections.py     what each section of config.toml may say, checked on the way in
    shipped.py      the providers and tools that come with the product, as rows
    layers.py       file, environment and flags as layers, and which place said what
    environment.py  the environment's names
    problems.py     what is wrong, in words: place, key, what would be valid
    settings.py     the frozen Settings that the rest of the program sees
    build.py        checked sections -> Settings

`huntaze_console.config` is the face.
"""
