# Sourced by scripts that do one step after the other, mostly with a service that they bring up: headings, bounded waiting, an
# end whatever happens, work beside other work, an image, keys, and load for the router.

# Where logs are, for whoever reads that something was not seen.
logs=

# step WHAT: the heading of what comes next.
step() {
    printf '\n== %s (%d s)\n' "$1" "$SECONDS"
}

# complain WHAT: says what is wrong, and in which script.
complain() {
    echo "$(basename "$0"): $1${logs:+; see the logs in $logs}" >&2
}

# fail WHAT: complains, and ends the script.
fail() {
    complain "$1"
    exit 1
}

# at_end COMMAND: has it called with the exit status when the script ends, also by ctrl-C.
at_end() {
    # shellcheck disable=SC2064 # The command is known now, the status is not.
    trap "$1 \$?" EXIT
    trap 'exit 130' INT TERM
}

# await SECONDS WHAT COMMAND...: until it succeeds; complains of WHAT after so many seconds, and returns 1.
await() {
    local end=$((SECONDS + $1))
    until "${@:3}" > /dev/null 2>&1; do
        ((SECONDS < end)) || { complain "not seen within $1 s: $2"; return 1; }
        sleep 0.3
    done
}

# seen SECONDS WHAT COMMAND...: awaits it and tells how long that took.
seen() {
    local begin=$SECONDS
    await "$@"
    echo "$2: after $((SECONDS - begin)) s"
}

# end_process PID SECONDS: asks a child to end and kills it if it has not by then. Returns its status.
end_process() {
    local end=$((SECONDS + $2))
    kill -TERM "$1"
    while kill -0 "$1" 2> /dev/null; do
        if ((SECONDS >= end)); then
            complain "process $1 did not end within $2 s"
            kill -KILL "$1"
            break
        fi
        sleep 0.1
    done
    wait "$1"
}

# What runs beside, and where it prints to.
declare -A beside_pids=()
beside_folder=

# beside NAME COMMAND...: runs it while the script goes on; `result NAME` shows what it printed.
beside() {
    [[ -n $beside_folder ]] || beside_folder=$(mktemp -d)
    # A process group of its own, in the same session: of another one the kernel may not compare priorities.
    set -m
    "${@:2}" > "$beside_folder/$1" 2>&1 < /dev/null &
    set +m
    beside_pids[$1]=$!
}

# result NAME...: waits for what runs beside and shows what it printed; fails if any of it failed.
result() {
    local name status failed=0
    for name in "$@"; do
        status=0
        wait "${beside_pids[$name]}" || status=$?
        unset "beside_pids[$name]"
        printf '\n-- beside: %s (%d s)\n' "$name" "$SECONDS"
        cat "$beside_folder/$name"
        ((status == 0)) || { complain "$name failed with status $status" && failed=1; }
    done
    return "$failed"
}

# end_beside: shows the results that nobody asked for, and ends whatever still runs beside. For at_end.
end_beside() {
    local name
    for name in "${!beside_pids[@]}"; do
        if kill -TERM -- "-${beside_pids[$name]}" 2> /dev/null; then
            wait "${beside_pids[$name]}" || true
            complain "ended before it was done: $name"
        else
            result "$name" || true
        fi
    done
    [[ -z $beside_folder ]] || rm -rf "$beside_folder"
}

# portrait: the file of Commander Grace Hopper, US Navy, 1984, which is in the public domain.
portrait() {
    dpkg -L python-matplotlib-data 2> /dev/null | grep '/grace_hopper\.jpg$'
}

# make_keys DOCKER: key pairs in $folder/keys, and the same in $folder/client for who submits jobs.
make_keys() {
    "$1" run --rm --user 0:0 --volume "$folder:/folder" "bifrons-cli:$BIFRONS_VERSION" keygen /folder/keys
    cp -r "$folder/keys" "$folder/client"
}

# load RUNNER ADDRESS SECONDS [--durable]: 32 jobs in flight, of which each must be answered with 200. RUNNER runs the
# client where the address is known, and does not return.
load() {
    "$1" .venv-test/bin/python Tests/Deployment/load.py "tcp://$2" "$folder/client" "$image" "$3" 32 "${@:4}"
}

# load_while RUNNER ADDRESS SECONDS [--durable] COMMAND...: what is done to the service while it is under load, for at least
# so many seconds.
load_while() {
    local end=$((SECONDS + $3)) runner=$1 address=$2 options=() client
    shift 3
    if [[ $1 == --durable ]]; then
        options=("$1")
        shift
    fi
    (load "$runner" "$address" 600 "${options[@]}") &
    client=$!
    sleep 3
    "$@"
    while ((SECONDS < end)); do sleep 0.5; done
    kill "$client" 2> /dev/null || { complain "the load ended first"; return 1; }
    wait "$client"
}
