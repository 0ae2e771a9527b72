#!/bin/sh
# Makes the virtual environment named by $1 and installs the project into it.
# No administrator rights; uv comes from pip where it is missing.
#
# torch: the CPU build where its index answers (a tenth of the size), else the registry's own build. A backend
# chosen by the user in UV_TORCH_BACKEND is honoured and never replaced silently.
set -eu
venv=${1:-.venv}
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $("$python" --version 2>&1) is too old; install Python 3.11 or newer, or set PYTHON=/path/to/python3.11" >&2
    exit 1
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    [ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
    uv="$venv/bin/uv"
fi
install() { "$uv" pip install --quiet --python "$venv/bin/python" --constraint requirements-dev.txt "$@"; }

if [ -n "${UV_TORCH_BACKEND:-}" ]; then
    echo "setup: torch build '$UV_TORCH_BACKEND', as UV_TORCH_BACKEND asks"
    install -e '.[dev]'
elif UV_HTTP_TIMEOUT=10 UV_HTTP_RETRIES=1 install --torch-backend cpu -e '.[dev]' 2>/dev/null; then
    echo "setup: torch built for the CPU"
else
    echo "setup: the index of CPU builds does not answer; torch comes as the registry has it"
    install -e '.[dev]'
fi
# Pulumi's engine asks the environment's own pip what is installed; environments made by uv have none.
"$venv/bin/python" -c 'import pip' 2>/dev/null || "$uv" pip install --quiet --python "$venv/bin/python" pip
# opencv-python needs the system's OpenGL library, which servers and bare containers lack; the headless build of
# the same version brings the same module without it.
if ! "$venv/bin/python" -c 'import cv2' 2>/dev/null; then
    cv=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("opencv-python"))')
    echo "setup: no OpenGL library here; OpenCV comes in its headless build"
    install --reinstall --no-deps "opencv-python-headless==$cv"
fi
"$venv/bin/python" -m compileall -q app
# What a training and a detection import is compiled here once: where Python may not write, each start would compile
# torch anew (3 s of CPU time more).
PYTHONDONTWRITEBYTECODE='' "$venv/bin/python" -c 'import app.detector.export, app.report.write, app.training.run, tensorboard.summary'
# What the clouds' packages have is compiled here once, as far as a plan needs it: else each plan would do it where Python
# may not write (5 s instead of 2 s of CPU time).
for target in aws azure; do
    PYTHONDONTWRITEBYTECODE='' "$venv/bin/python" -m stacks plan "$target" >/dev/null ||
        echo "setup: the plan of target $target failed; python -m stacks plan $target says why" >&2
done
echo "setup: done, $("$venv/bin/python" --version) in $venv"
