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
here=$(pwd); cwd=$2; secrets=$3; shift 3
# Whoever makes this folder is the one wrapper that runs the job; a second one leaves.
mkdir started 2>/dev/null || { [ -z "$secrets" ] || rm -rf -- "${secrets%/*}"; exit 0; }
# What an earlier start left says nothing about this one.
rm -f pid exit_code released owner_must_start
if [ -n "$secrets" ]; then . "$secrets"; rm -rf -- "${secrets%/*}"; fi
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
"""Arguments: the job's folder, the directory to run in, the file of secrets or nothing, the command."""

_AGAIN_BEGINS = r"""#!/bin/sh
# Starts this folder's job: at first, with the file of its secrets, and again when its machine was started again.
case $0 in */*) cd -- "${0%/*}" || exit 1 ;; esac
umask 077
"""

_AGAIN_NEEDS_SECRETS = r"""if [ -z "${1-}" ]; then
    echo "sonarstack: this job needs secrets that are kept nowhere here; its owner must start it again (run up)" >>log
    : >owner_must_start
    exit 0
fi
"""

_AGAIN_FORGETS = r"""for name in $(env | sed -n 's/^\(SONARSTACK_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done
"""

_AGAIN_DETACHES = r"""# A session of its own, so that neither a hang-up nor Ctrl-C of the starter reaches the job.
# macOS has no setsid(1); Perl and Python have the call.
if command -v setsid >/dev/null 2>&1; then
    setsid "$@" >/dev/null 2>&1 </dev/null &
elif command -v perl >/dev/null 2>&1; then
    perl -MPOSIX -e 'POSIX::setsid(); exec @ARGV' "$@" >/dev/null 2>&1 </dev/null &
else
    python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@" >/dev/null 2>&1 </dev/null &
fi
"""

LAUNCH = rf"""
spec=$1 stamp=$2 cwd=$3 folder=$4 wrapper=$5; shift 5
umask 077
mkdir -p -- "$folder" && [ -d "$cwd" ] || {{ echo "$cwd is no folder" >&2; exit 1; }}
cwd=$(cd -- "$cwd" && pwd)
cd -- "$folder" || exit 1
# Two starters at once must not share a file that is half written: each has names of its own.
again=again.$$ exports=exports.$$ secrets= room=
: >"$exports" || exit 1
failed() {{ [ -z "$room" ] || rm -rf -- "$room"; exit 1; }}
if read -r mark; then
    # Memory, where the system has a folder of it: the job's may lie on a network volume.
    room=/dev/shm/sonarstack-$mark
    mkdir -- "$room" 2>/dev/null || {{ room=$(pwd)/secrets.$$; mkdir -- "$room" || exit 1; }}
    LC_ALL=C awk -v mark="$mark" -v plain="$exports" -v secret="$room/variables" \
        '$0 == mark {{ hidden = 1; next }} {{ print >(hidden ? secret : plain) }}' || failed
    if [ -f "$room/variables" ]; then secrets=$room/variables; else rm -rf -- "$room"; room=; fi
fi
quoted() {{ printf '%s\n' "$1" | LC_ALL=C sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/"; }}
{{
    cat <<'PART'
{_AGAIN_BEGINS}PART
    [ -z "$secrets" ] || cat <<'PART'
{_AGAIN_NEEDS_SECRETS}PART
    cat <<'PART'
{_AGAIN_FORGETS}PART
    cat "$exports"
    printf 'set -- sh -c %s sonarstack-job . %s "${{1-}}"' "$(quoted "$wrapper")" "$(quoted "$cwd")"
    for word; do printf ' %s' "$(quoted "$word")"; done
    echo
    cat <<'PART'
{_AGAIN_DETACHES}PART
}} >"$again" && chmod 700 "$again" && mv -f "$again" again && rm -f "$exports" || failed
printf '%s\n' "$stamp" >stamp || failed
printf '%s\n' "$spec" >"spec.$$" && mv -f "spec.$$" spec || failed
rm -f owner_must_start
sh ./again "$secrets"
"""
"""Arguments: spec, stamp, directory, folder, wrapper, command.

Standard input: a line that occurs nowhere else, the variables, that line again, the secret ones. The first kind is kept
in `again`, the second only until the job has read it.
"""

STATUS = (
    _MARK
    + r"""
[ -f "$1/spec" ] || { echo absent; exit; }
cd -- "$1" || exit 1
said() { [ -f exit_code ] && echo "ended $(cat exit_code)"; }
said && exit
[ -d started ] || { if [ -f owner_must_start ]; then echo owner; else echo waiting; fi; exit; }
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
"""Prints absent, waiting, owner, starting, running, lost, or `ended CODE`."""

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

CLEAR = (
    _MARK
    + r"""
cd -- "$1" 2>/dev/null && [ -f spec ] || exit 0
if [ ! -f exit_code ] && [ ! -f pid ] && [ -d started ] && [ -z "$(find started -prune -mmin +1)" ]; then
    echo running; exit 0
fi
if [ ! -f exit_code ] && [ -f pid ] && read -r wrapper child began child_began <pid; then
    [ "$(mark "$wrapper")" = "$began" ] && { echo running; exit 0; }
    # The wrapper was killed alone: what it ran would write into the same run as the new one.
    if [ "$(mark "$child")" = "$child_began" ]; then
        kill -TERM "$child" 2>/dev/null
        left=$2
        while [ "$left" -gt 0 ] && [ "$(mark "$child")" = "$child_began" ]; do sleep 1; left=$((left - 1)); done
        kill -KILL -- "-$wrapper" 2>/dev/null
    fi
fi
# The spec last: without it nobody knows that the folder is a job's.
for entry in * .[!.]*; do
    case $entry in log | spec) ;; *) rm -rf -- "$entry" ;; esac
done
rm -f spec
"""
)
"""Arguments: folder, seconds for a job that lost its wrapper. Prints `running` and touches nothing if the job runs."""
