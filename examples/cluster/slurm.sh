#!/bin/bash
# A bench on the nodes of one Slurm job: sbatch slurm.sh SPEC.toml OUT. The folder OUT must be one that all nodes see.
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
set -euo pipefail

set -a
source "$(dirname "${SLURM_SUBMIT_SCRIPT:-$0}")/ray.env"
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
OMP_NUM_THREADS=1
set +a

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | cut -d' ' -f1):6379
folder=$(mktemp -d "${TMPDIR:-/tmp}/ray-XXXX")

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap ray start --head --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" \
    --temp-dir="$folder" --include-dashboard=false --disable-usage-stats --block &
for node in "${nodes[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$node" --overlap ray start --address="$address" \
        --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats --block &
done

# The job script runs on the head. The bench is begun when all hosts have come.
until mmrecun doctor --on "ray:$address" --json | grep -q "\"${#nodes[@]} with "; do sleep 5; done
mmrecun bench "$1" --out "$2" --on "ray:$address"
