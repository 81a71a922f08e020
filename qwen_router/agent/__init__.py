"""The agent: plans over tools and models, acts step by step, and checks what can be checked."""
