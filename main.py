"""The old way in: `python main.py [--device auto|cpu|cuda|mps|xpu]` runs the whole pipeline; no flag means CPU."""

from app.verbs.pipeline import main

if __name__ == "__main__":
    main()
