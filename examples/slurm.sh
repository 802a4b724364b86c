#!/bin/sh
# A study on a cluster: one rank hands out the phases and writes the store, the others work. Needs a Tocsin built with MPI
# (-Dmpi=enabled) and a folder that all nodes see. Submit it again after a time limit: --resume goes on where it stopped, and
# begins where there is nothing yet.
#
#     sbatch examples/slurm.sh study.yaml /shared/out/study
#SBATCH --job-name=tocsin
#SBATCH --ntasks=33
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=12:00:00
#SBATCH --signal=INT@120
#SBATCH --requeue
set -eu
spec=$1 out=$2
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}" OMP_WAIT_POLICY=passive
# 120 seconds before the time is over every rank gets SIGINT: the first one has the others save where they are.
exec srun tocsin run "$spec" --out "$out" --threads "$OMP_NUM_THREADS" --resume
