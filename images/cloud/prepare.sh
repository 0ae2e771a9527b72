#!/bin/sh
# Makes the virtual environment VENV on a machine whose image brings torch, and installs the project there.
#   sh images/cloud/prepare.sh VENV      from the code's folder; may be run again at any time, also by two at once
# torch and what came with it stay the image's own: they fit its CUDA. Everything else has the versions of
# requirements.txt; what sealed runs and messages need, those of requirements-cloud.txt. The interpreter is the first with torch of $PYTHON, python3 and python.
set -eu
[ "$#" -eq 1 ] || { echo "prepare: name one folder for the virtual environment" >&2; exit 2; }
fail() { echo "prepare: $1" >&2; exit 1; }
for file in requirements.txt requirements-cloud.txt pyproject.toml; do
    [ -f "$file" ] || fail "$(pwd) is not the code's folder; change there first"
done
venv=$1
case $venv in /*) ;; *) venv=$(pwd)/$venv ;; esac

has_torch='
import sys
from importlib.util import find_spec
sys.exit(sys.version_info < (3, 11) or None in (find_spec("torch"), find_spec("torchvision")))'
python=
for name in ${PYTHON:+"$PYTHON"} python3 python python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null 2>&1 && "$name" -c "$has_torch" 2>/dev/null; then python=$name && break; fi
done
[ -n "$python" ] || fail "no Python 3.11 or newer here has torch and torchvision; take an image that brings them, or set PYTHON"

# What the environment was made from: another image, code or folder of the code makes another one.
base=$("$python" -c '
import sys
from importlib.metadata import version
print(sys.version.split()[0], sys.prefix, version("torch"), version("torchvision"))') || fail "$python does not tell its torch"
wanted="$base
$(cat requirements.txt requirements-cloud.txt pyproject.toml | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
$(pwd)"
stamp=$venv/.sonarstack-prepared
is_ready() { [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; }
if is_ready; then echo "prepare: $venv is ready" && exit 0; fi

mkdir -p "$(dirname "$venv")" || fail "$(dirname "$venv") cannot be made"
# The lock is the open file's, which this shell keeps; it ends with the shell, however that ends.
exec 9>"$venv.lock"
"$python" -c 'import fcntl, signal; signal.alarm(1800); fcntl.flock(9, fcntl.LOCK_EX)' ||
    fail "somebody else has been preparing $venv for half an hour, or its folder knows no locks; take another folder"
if is_ready; then echo "prepare: $venv is ready" && exit 0; fi

log=$venv.log
: >"$log"
logged() { "$@" >>"$log" 2>&1; }
last() { grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-300; }
if [ "$(head -n 1 "$stamp" 2>/dev/null)" != "$base" ]; then
    # Debian's Python may come without ensurepip; pip is then the system's, seen from within.
    logged "$python" -m venv --clear --system-site-packages "$venv" ||
        logged "$python" -m venv --clear --without-pip --system-site-packages "$venv" ||
        fail "$venv cannot be made: $(last)"
    if ! "$venv/bin/python" -c "$has_torch"; then
        # The image's Python is an environment itself: a new one sees the packages of the Python below it, not those.
        site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        "$python" -c 'import sysconfig
for place in dict.fromkeys(map(sysconfig.get_path, ("purelib", "platlib"))): print(place)' >"$site/sonarstack-image.pth"
    fi
fi
rm -f "$stamp"
logged "$venv/bin/python" -m pip --version || fail "the image's Python has no pip; install python3-pip there"
install() { logged "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --progress-bar off "$@"; }

grep -vE '^(torch|torchvision|triton)[ =]|^(nvidia|cuda)-' requirements.txt >"$venv/requirements.txt"
# pyrage opens sealed data; apprise sends messages, with what it needs itself.
grep -E '^(pyrage|apprise|requests|requests-oauthlib|oauthlib|urllib3|idna|charset-normalizer|click)==' \
    requirements-cloud.txt >>"$venv/requirements.txt"
install --only-binary :all: -r "$venv/requirements.txt" || fail "packages cannot be installed: $(last) (all of it: $log)"
install --no-build-isolation --editable . || fail "the project cannot be installed: $(last) (all of it: $log)"
# opencv-python needs the system's OpenGL library, which servers lack; the headless build of the same version does not.
if ! "$venv/bin/python" -c 'import cv2' 2>/dev/null; then
    cv=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("opencv-python"))')
    install --only-binary :all: --force-reinstall "opencv-python-headless==$cv" ||
        fail "OpenCV cannot be installed in its headless build: $(last) (all of it: $log)"
fi
logged "$venv/bin/python" -c 'import app, cv2, torch, torchvision' || fail "the environment does not work: $(last)"
printf '%s\n' "$wanted" >"$stamp.part" && mv "$stamp.part" "$stamp"
echo "prepare: $venv is ready, torch $("$venv/bin/python" -c 'from importlib.metadata import version; print(version("torch"))')"
