# Functions for scripts that need two hosts, a and b, which are namespaces of this machine. Each has its own network,
# mounts, processes and Docker engine; when it ends, only a folder is left. Between them is a third namespace, the desk,
# which routes their packets and from which they can be reached. Needs root.
#
# The script must have sourced scripts/steps.sh, and must set `folder`, which holds everything, and `self`, its own
# path. When called with `part FOLDER desk|a|b`, the script is the first process in the namespaces of that part, and
# must call `begin_desk` or `begin_host`.

# The hosts have their own Docker engines.
readonly machine_engine=${DOCKER_HOST:-}
unset DOCKER_HOST
PATH=$PATH:/usr/sbin

# shellcheck disable=SC2034 # scripts/steps.sh uses it.
logs=$folder

declare -A number=([a]=1 [b]=2)
cgroups=bifrons-$(stat --format %i "$folder")

# ours COMMAND...: runs docker with the engine of this machine.
ours() {
    DOCKER_HOST=$machine_engine docker "$@"
}

# on a|b COMMAND...: runs a command on that host.
on() {
    nsenter --target "$(cat "$folder/$1/pid")" --net --mount --uts --pid "${@:2}"
}

# at_desk COMMAND...: runs a command at the desk. Does not return.
at_desk() {
    exec nsenter --target "$(cat "$folder/desk/pid")" --net \
        unshare --mount bash -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$folder/desk/resolv.conf" "$@"
}

# images IMAGE...: copies images from this machine's engine to both hosts.
images() {
    local host
    ours save "$@" > "$folder/images.tar"
    for host in a b; do
        await 60 "the Docker engine of host $host" on $host docker version
        on $host docker load --quiet --input "$folder/images.tar" > /dev/null
    done
    rm "$folder/images.tar"
}

# link --append|--delete a|b: adds or removes rules that drop all packets from and to a host. Taking the link down
# instead would notify the host.
link() {
    (at_desk iptables --table raw "$1" PREROUTING --in-interface "host-$2" --jump DROP)
    (at_desk iptables --table mangle "$1" POSTROUTING --out-interface "host-$2" --jump DROP)
}

make_hosts() {
    local part
    mkdir -p "$folder"/{desk,a,b}
    touch "$folder/desk/resolv.conf"
    for part in desk a b; do
        setsid unshare --net --mount --uts --pid --fork --kill-child --mount-proc bash "$self" part "$folder" $part \
            > "$folder/$part/log" 2>&1 < /dev/null &
        echo $! > "$folder/$part/parent"
        await 5 "the first process of $part" pgrep --parent $!
        pgrep --parent $! > "$folder/$part/pid"
        disown
    done
    for part in a b; do
        nsenter --target "$(cat "$folder/desk/pid")" --net \
            ip link add name "host-$part" type veth peer name eth0 netns "$(cat "$folder/$part/pid")"
    done
}

end_hosts() {
    local part
    for part in a b desk; do
        kill -KILL "$(cat "$folder/$part/parent")" 2> /dev/null || true
    done
    # The first process of a namespace ends last, and then its mounts are gone.
    for part in a b desk; do
        await 30 "the end of $part" bash -c "! kill -0 $(cat "$folder/$part/pid")"
    done
    # Killed containers leave their control groups behind.
    find /sys/fs/cgroup -depth -type d -path "*/$cgroups*" -exec rmdir {} \;
    rm -rf "$folder"
}

# start NAME COMMAND...: runs a command in the background, until the first process of this part ends.
start() {
    "${@:2}" > "$folder/$part/$1.log" 2>&1 &
}

begin_desk() {
    ip link set lo up
    echo 1 > /proc/sys/net/ipv4/ip_forward
    await 10 "the hosts' links" ip link show host-b
    local host
    for host in a b; do
        ip address add "10.88.${number[$host]}.1/24" dev "host-$host"
        ip link set "host-$host" up
        ip route add "172.2${number[$host]}.0.0/16" via "10.88.${number[$host]}.2"
    done
}

begin_host() {
    hostname "host-$part"
    # The programs find their files in the usual places.
    mkdir -p "$folder/$part/lib"
    mount --bind "$folder/$part/lib" /var/lib
    mount -t tmpfs none /run
    mount -t tmpfs none /var/log
    ip link set lo up
    await 10 "the link" ip link show eth0
    ip address add "10.88.${number[$part]}.2/24" dev eth0
    ip link set eth0 up
    ip route add default via "10.88.${number[$part]}.1"

    # kubelet asks for OOM scores below 0 for processes that must not be killed first, which a machine may forbid.
    cat > "$folder/$part/runc" << 'EOF'
#!/bin/bash
arguments=("$@")
while (($#)); do
    [[ $1 != --bundle ]] || { jq -c 'if .process.oomScoreAdj < 0 then .process.oomScoreAdj = 0 else . end' \
        "$2/config.json" > "$2/config.new" && mv "$2/config.new" "$2/config.json"; }
    shift
done
exec /usr/sbin/runc "${arguments[@]}"
EOF
    chmod +x "$folder/$part/runc"
    start docker dockerd --bip "172.2${number[$part]}.0.1/16" --ip-masq=false --cgroup-parent "/$cgroups" \
        --add-runtime "here=$folder/$part/runc" --default-runtime here
    await 30 "the Docker engine of host $part" docker version
    iptables --policy FORWARD ACCEPT
}
