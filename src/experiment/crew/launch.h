/* launch.h — what the environment tells of the other processes that were started beside this one. */
#ifndef TC_EXPERIMENT_CREW_LAUNCH_H
#define TC_EXPERIMENT_CREW_LAUNCH_H

#include "experiment/crew/line.h"

/* As Open MPI's mpirun, MPICH's mpiexec (Hydra) and Slurm's srun leave it in the environment; {0, 1, 0} where none did.
 */
tc_ranks tc_launch_ranks(void);

#endif
