"""The POSIX shell that keeps a detached job, the same on Linux and macOS, here and behind SSH.

Process ids are reused, so a pid counts only with the time its process began: field 22 of /proc/PID/stat on Linux, ps's
lstart elsewhere (macOS's ps was not tried).
"""

_MARK = r"""
mark() {
    if [ -r "/proc/$1/stat" ]; then
        sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
    else
        LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_'
    fi
}
"""

WRAPPER = (
    _MARK
    + r"""
cd -- "$1" || exit 1
here=$(pwd); cwd=$2; variables=$3; shift 3
# Whoever makes this folder is the one wrapper that runs the job; a second one leaves.
mkdir started 2>/dev/null || { rm -f "$variables"; exit 0; }
for name in $(env | sed -n 's/^\(SONARSTACK_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done
. "./$variables"; rm -f "$variables"
exec >>"$here/log" 2>&1 </dev/null
told= child=
trap 'if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null; else told=1; fi' TERM INT HUP
finish() { echo "$1" >"$here/exit_code.part" && mv "$here/exit_code.part" "$here/exit_code"; }
cd -- "$cwd" || { finish 1; exit 1; }
"$@" &
child=$!
[ -z "$told" ] || kill -TERM "$child" 2>/dev/null
echo "$$ $child $(mark $$) $(mark "$child")" >"$here/pid.part" && mv "$here/pid.part" "$here/pid"
# A signal ends `wait` early; it is over when the child is no more.
while :; do
    wait "$child"; code=$?
    kill -0 "$child" 2>/dev/null || break
done
finish "$code"
"""
)
"""Arguments: the job's folder, the directory to run in, the file of variables, the command."""

LAUNCH = r"""
spec=$1 stamp=$2 cwd=$3 folder=$4 wrapper=$5; shift 5
umask 077
mkdir -p -- "$folder" && [ -d "$cwd" ] || { echo "$cwd is no folder" >&2; exit 1; }
# Two starters at once must not share a file that is half written: each has names of its own.
variables=variables.$$
cat >"$folder/$variables" || exit 1
printf '%s\n' "$stamp" >"$folder/stamp" || exit 1
cwd=$(cd -- "$cwd" && pwd)
printf '%s\n' "$spec" >"$folder/spec.$$" && mv "$folder/spec.$$" "$folder/spec" || exit 1
# A session of its own, so that neither a hang-up nor Ctrl-C of the starter reaches the job. macOS has no setsid(1);
# Perl and Python have the call.
set -- sh -c "$wrapper" sonarstack-job "$folder" "$cwd" "$variables" "$@"
if command -v setsid >/dev/null 2>&1; then
    setsid "$@" >/dev/null 2>&1 </dev/null &
elif command -v perl >/dev/null 2>&1; then
    perl -MPOSIX -e 'POSIX::setsid(); exec @ARGV' "$@" >/dev/null 2>&1 </dev/null &
else
    python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@" >/dev/null 2>&1 </dev/null &
fi
"""
"""Arguments: spec, stamp, directory, folder, wrapper, command; the variables on standard input."""

STATUS = (
    _MARK
    + r"""
[ -f "$1/spec" ] || { echo absent; exit; }
cd -- "$1" || exit 1
said() { [ -f exit_code ] && echo "ended $(cat exit_code)"; }
said && exit
[ -d started ] || { echo waiting; exit; }
if [ -f pid ]; then
    read -r wrapper child began _ <pid
    [ "$(mark "$wrapper")" = "$began" ] && { echo running; exit; }
    said || echo lost
elif [ -n "$(find started -prune -mmin +1)" ]; then
    said || echo lost
else
    echo starting
fi
"""
)
"""Prints absent, waiting, starting, running, lost, or `ended CODE`."""

SIGNAL = (
    _MARK
    + r"""
cd -- "$1" && read -r wrapper child began child_began <pid || exit 0
case $2 in
    GROUP) [ -f exit_code ] || [ "$(mark "$wrapper")" = "$began" ] && kill -s KILL -- "-$wrapper" 2>/dev/null ;;
    *) [ "$(mark "$child")" = "$child_began" ] && kill "-$2" "$child" 2>/dev/null ;;
esac
:
"""
)
"""Arguments: folder; TERM or KILL for the job itself, GROUP for all that is left of its session."""
