#!/bin/bash
# A bench on the nodes of one Slurm job: sbatch slurm.sh SPEC.toml OUT. The folder OUT must be one that all nodes see.
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
set -euo pipefail

# Slurm runs a copy of this script, so it is asked where the script, with ray.env beside it, was.
script=$(scontrol show job --oneliner "$SLURM_JOB_ID" | sed -n 's/.* Command=\([^ ]*\).*/\1/p')
set -a
source "$(dirname "$script")/ray.env"
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
OMP_NUM_THREADS=1
set +a

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}
folder=$(mktemp -d "${TMPDIR:-/tmp}/ray-XXXX")
trap 'rm -rf "$folder"' EXIT

on_node() { # a step does not take over the --cpus-per-task of its job
    srun --nodes=1 --ntasks=1 --nodelist="$1" --cpus-per-task="$SLURM_CPUS_PER_TASK" --overlap "${@:2}"
}
start=(ray start --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats --block)
ip=$(on_node "$head" hostname --ip-address | cut -d' ' -f1)
address=$ip:6379
on_node "$head" "${start[@]}" --head --node-ip-address="$ip" --port=6379 --temp-dir="$folder" --include-dashboard=false &
for node in "${nodes[@]:1}"; do
    on_node "$node" "${start[@]}" --address="$address" &
done

# The job script runs on the head. The bench is begun when all hosts have come.
until mmrecun doctor --on "ray:$address" --json | grep -q "\"${#nodes[@]} with "; do sleep 5; done
mmrecun bench "$1" --out "$2" --on "ray:$address"
