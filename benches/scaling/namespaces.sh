#!/usr/bin/env bash
# Hosts on one machine: network namespaces that are connected by a bridge with a limited rate and delay. Needs root and
# Debian's `iproute2`.
#
#   benches/scaling/namespaces.sh up N [RATE [DELAY]]   makes N hosts, such as `up 4 10gbit 50us`
#   benches/scaling/namespaces.sh mpi COMMAND...        runs COMMAND with one process per host by $MPIEXEC (default: mpiexec)
#   benches/scaling/namespaces.sh on I COMMAND...       runs COMMAND on host I, from 1
#   benches/scaling/namespaces.sh down                  removes the hosts
#
# RATE limits each direction of each link (`tc tbf`). DELAY is that from host to host (`tc netem`); a kernel without netem
# refuses it, and `up` without it leaves the delay of the links themselves. Host I has the address 10.77.0.I.
set -Eeuo pipefail

self=$(realpath "${BASH_SOURCE[0]}")
hub=resnet-hub
agent=

hosts() { ip netns list | sed -n 's/^\(resnet-[0-9][0-9]*\).*/\1/p' | sort -V; }

# limit NAMESPACE DEVICE RATE DELAY
limit() {
    local parent=root
    if [ -n "$4" ]; then
        ip netns exec "$1" tc qdisc add dev "$2" root handle 1: netem delay "$4" limit 100000 ||
            { echo "this kernel has no netem (CONFIG_NET_SCH_NETEM): leave DELAY out" >&2; return 1; }
        parent="parent 1:"
    fi
    # $parent is one word or two.
    # shellcheck disable=SC2086
    [ -z "$3" ] || ip netns exec "$1" tc qdisc add dev "$2" $parent tbf rate "$3" burst 512kb latency 50ms
}

up() {
    local count=$1 rate=${2:-} delay=${3:-} index
    down
    trap 'down' ERR
    ip netns add "$hub"
    ip -n "$hub" link add bridge type bridge
    ip -n "$hub" link set bridge up
    for index in $(seq "$count"); do
        ip netns add "resnet-$index"
        ip -n "resnet-$index" link set lo up
        ip link add eth0 netns "resnet-$index" type veth peer name "port$index" netns "$hub"
        ip -n "$hub" link set "port$index" master bridge up
        ip -n "resnet-$index" addr add "10.77.0.$index/24" dev eth0
        ip -n "resnet-$index" link set eth0 up
        # A frame passes two of these: the rate limits both, the delay is the sender's.
        limit "resnet-$index" eth0 "$rate" "$delay"
        limit "$hub" "port$index" "$rate" ""
    done
    trap - ERR
}

down() {
    local name
    for name in $(hosts) "$hub"; do
        ip netns del "$name" 2>/dev/null || true
    done
}

# In a host, also the host's name, by which an MPI tells hosts apart.
on() {
    local index=${1##*.}
    shift
    exec ip netns exec "resnet-$index" unshare --uts -- bash -c 'hostname "$0" && exec "$@"' "resnet-$index" "$@"
}

# What a launcher of MPI calls in place of ssh: [OPTION...] HOST COMMAND...
remote() {
    while [[ $1 == -* ]]; do shift; done
    local host=$1
    shift
    on "$host" bash -c "$*"
}

mpi() {
    local launcher addresses
    launcher=$(command -v "${MPIEXEC:-mpiexec}") || { echo "there is no mpiexec: set MPIEXEC" >&2; return 1; }
    # `resnet` finds the library beside the launcher.
    export PATH="$(dirname "$(realpath "$launcher")"):$PATH"
    addresses=$(hosts | sed 's/resnet-/10.77.0./' | paste -sd,)
    agent=$(mktemp)
    trap 'rm -f "$agent"' EXIT
    printf '#!/bin/sh\nexec %q remote "$@"\n' "$self" >"$agent"
    chmod +x "$agent"
    if "$launcher" --version 2>&1 | grep -qi 'open.\?mpi\|prrte'; then
        (on 1 "$launcher" --allow-run-as-root --host "$addresses" --map-by node --mca plm_ssh_agent "$agent" \
            --prtemca prte_if_include 10.77.0.0/24 --mca btl tcp,self --mca pml ob1 --mca btl_tcp_if_include 10.77.0.0/24 "$@")
    else
        (UCX_TLS=${UCX_TLS:-tcp,self} UCX_NET_DEVICES=eth0 FI_PROVIDER=${FI_PROVIDER:-tcp} FI_TCP_IFACE=eth0 on 1 "$launcher" -launcher ssh -launcher-exec "$agent" \
            -hosts "$addresses" -iface eth0 -ppn 1 -n "$(hosts | wc -l)" "$@")
    fi
}

case ${1:-} in
    up | down | on | remote | mpi) "$@" ;;
    *) sed -n '2,/^set/p' "$self" | grep '^#' >&2; exit 2 ;;
esac
