"""`python -m tests.bench.recomputation`: what keeps a speaker busiest, again and again until it is ended.

Plans and renders 10 000 Services anew each time; a line on standard output says when the first time begins.
"""

from tests.bench.plan import full_recomputations

if __name__ == "__main__":
    rounds = full_recomputations()
    print("busy", flush=True)
    for _ in rounds:
        pass
