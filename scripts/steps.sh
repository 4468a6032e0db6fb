# Functions for scripts that run in steps, mostly with a service that they start: headings, waiting with a time limit,
# cleaning up, work in the background, an image, keys, and load for the router.

# The folder of logs, which complaints mention.
logs=

# step WHAT: prints the heading of the next step.
step() {
    printf '\n== %s (%d s)\n' "$1" "$SECONDS"
}

# complain WHAT: prints what is wrong, with the name of the script.
complain() {
    echo "$(basename "$0"): $1${logs:+; see the logs in $logs}" >&2
}

# fail WHAT: complains and ends the script.
fail() {
    complain "$1"
    exit 1
}

# at_end COMMAND: calls it with the exit status when the script ends, even by ctrl-C.
at_end() {
    # shellcheck disable=SC2064 # The command must be expanded now, the status later.
    trap "$1 \$?" EXIT
    trap 'exit 130' INT TERM
}

# await SECONDS WHAT COMMAND...: repeats the command until it succeeds. After SECONDS, complains of WHAT and returns 1.
await() {
    local end=$((SECONDS + $1))
    until "${@:3}" > /dev/null 2>&1; do
        ((SECONDS < end)) || { complain "not seen within $1 s: $2"; return 1; }
        sleep 0.3
    done
}

# seen SECONDS WHAT COMMAND...: does the same, and prints how long it took.
seen() {
    local begin=$SECONDS
    await "$@"
    echo "$2: after $((SECONDS - begin)) s"
}

# end_process PID SECONDS: asks a child process to end, kills it if it has not ended after SECONDS, and returns its
# status.
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

# The process ids of background commands by name, and the folder of their output.
declare -A beside_pids=()
beside_folder=

# beside NAME COMMAND...: runs a command in the background; `result NAME` shows its output.
beside() {
    [[ -n $beside_folder ]] || beside_folder=$(mktemp -d)
    # It gets a process group of its own, so that it can be ended, but stays in this session: between sessions, the
    # kernel may not compare priorities.
    set -m
    "${@:2}" > "$beside_folder/$1" 2>&1 < /dev/null &
    set +m
    beside_pids[$1]=$!
}

# result NAME...: waits for background commands and shows their output; fails if any of them failed.
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

# end_beside: shows the remaining results, and ends the background commands that still run. It is meant for at_end.
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

# portrait: prints the path of a portrait of Commander Grace Hopper, US Navy, 1984, which is in the public domain.
portrait() {
    dpkg -L python-matplotlib-data 2> /dev/null | grep '/grace_hopper\.jpg$'
}

# make_keys DOCKER: makes key pairs in $folder/keys, and copies them to $folder/client for the test's client.
make_keys() {
    "$1" run --rm --user 0:0 --volume "$folder:/folder" "bifrons-cli:$BIFRONS_VERSION" keygen /folder/keys
    cp -r "$folder/keys" "$folder/client"
}

# load RUNNER ADDRESS SECONDS [--durable]: keeps 32 jobs in flight, and fails unless each is answered with 200. RUNNER
# runs the client where the address can be reached, and does not return.
load() {
    "$1" .venv-test/bin/python Tests/Deployment/load.py "tcp://$2" "$folder/client" "$image" "$3" 32 "${@:4}"
}

# load_while RUNNER ADDRESS SECONDS [--durable] COMMAND...: runs the command while the service is under load, which
# lasts for at least SECONDS.
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
