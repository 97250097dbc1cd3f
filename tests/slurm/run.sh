#!/usr/bin/env bash
# Trains under Slurm on loopback: one process and `srun -n 2` must write the same model, also if Slurm ends the latter by SIGTERM and one
# process resumes it. Writes a result beside this file.
#
#   tests/slurm/run.sh MPI_BIN [RESNET]
#
# MPI_BIN is the `bin` folder of an MPI (MPICH by PMI-2, Open MPI by PMIx), RESNET the binary (default: target/release/resnet). Needs
# root and Debian's `slurm-wlm`, for Open MPI also `libpmix-dev`. The daemons live in a temporary folder and end with the script.
set -Eeuo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
[ $# -ge 1 ] || { sed -n '2,8s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
bin=$(realpath "$1")
resnet=$(realpath "${2:-$here/../../target/release/resnet}")
folder=$(mktemp -d)
chmod 755 "$folder"
started=()

finish() {
    local pid index
    # A step that is cut off outlives the daemons.
    for _ in $(seq 50); do [ -n "$(squeue -h 2>/dev/null)" ] || break; sleep 0.2; done
    sleep 1
    for ((index = ${#started[@]} - 1; index >= 0; index--)); do
        pid=${started[index]}
        kill "$pid" 2>/dev/null || true
    done
    wait
    [ -z "${KEEP:-}" ] || { echo "kept $folder" >&2; return; }
    rm -rf "$folder"
}
trap finish EXIT

# start NAME COMMAND...: runs a daemon in the foreground of the background, with its output in a file.
start() {
    local name=$1
    shift
    "$@" >"$folder/$name.log" 2>&1 &
    started+=($!)
}

# By the name of this machine, Slurm finds the node that its daemon serves.
node=$(hostname -s)
mkdir "$folder/spool" "$folder/state"
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 400 "$folder/munge.key"
cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmdSpoolDir=$folder/spool
StateSaveLocation=$folder/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MpiDefault=none
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
CONF
export SLURM_CONF=$folder/slurm.conf

start munged munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munge.pid" --log-file="$folder/munge.log" --seed-file="$folder/munge.seed"
for _ in $(seq 50); do [ -S "$folder/munge.socket" ] && break; sleep 0.1; done
start slurmctld slurmctld -D
start slurmd slurmd -D
for _ in $(seq 100); do
    [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && break
    sleep 0.2
done
[ "$(sinfo -h -o %T)" = idle ] || { tail "$folder"/*.log >&2; exit 1; }

if "$bin/mpiexec" --version 2>&1 | grep -qi 'open.\?mpi\|prrte'; then
    protocol=pmix
    root=$(dirname "$bin")
    export OPAL_PREFIX=$root PRTE_PREFIX=$root PMIX_PREFIX=$root
else
    protocol=pmi2
fi
export PATH=$bin:$PATH
run=(train -d sample --depth 20 --width 8 --batch-size 64 --shards 2 --max-steps 40 --threads 1 --device cpu --color never)
"$resnet" "${run[@]}" -o "$folder/one" 2>"$folder/one.log"
command=(srun --mpi=$protocol -n 2 "$resnet" "${run[@]}" -o "$folder/two")
status=0
"${command[@]}" >"$folder/two.out" 2>"$folder/two.log" || status=$?

# The time of a job is over: Slurm signals the processes, as `#SBATCH --signal=TERM@120` asks for.
"${command[@]::${#command[@]}-1}" "$folder/ended" --format json >"$folder/ended.out" 2>"$folder/ended.log" &
step=$!
for _ in $(seq 600); do grep -q '"step":5,' "$folder/ended.out" && break; sleep 0.1; done
scancel --signal=TERM "$(squeue -h -o %A)"
ended=0
wait "$step" || ended=$?
"$resnet" train --resume "$folder/ended" --color never 2>"$folder/resumed.log"

same() { cmp -s "$folder"/{one,"$1"}/last/model.safetensors; }
if [ "$status" = 0 ] && same two && [ "$ended" = 143 ] && same ended; then
    verdict="One process, two, and two that SIGTERM ended before one resumed wrote the same \`last/model.safetensors\`, byte for byte."
else
    verdict="**Failed**: exit status $status, $ended after SIGTERM, or the models differ."
fi
{
    echo "# Result of \`run.sh\` with $("$bin/mpiexec" --version 2>&1 | sed -n 's/^ *Version: */MPICH /p; s/.*(\(Open MPI\|OpenRTE\)) */Open MPI /p' | head -1)"
    echo
    echo "\`$("$resnet" --version | head -1)\`, $(slurmd -V), $(nproc) cores, Linux $(uname -r)."
    echo
    printf '```console\n$ srun --mpi=%s -n 2 resnet %s\n' "$protocol" "${run[*]}"
    sed "s|$folder/|runs/|" "$folder/two.log"
    printf '$ resnet train --resume runs/ended\n'
    sed "s|$folder/|runs/|" "$folder/resumed.log"
    printf '```\n\n%s\n' "$verdict"
} | tee "$here/result-$protocol.md"
[[ $verdict == One* ]]
