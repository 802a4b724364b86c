#include "experiment/crew/launch.h"

#include <stdlib.h>

/* srun sets SLURM_NTASKS for a plain step as well; the MPI plug-ins' own names tell that the ranks know each other. */
static const struct {
    const char *rank, *size;
} launchers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"PMI_RANK", "PMI_SIZE"},
    {"PMIX_RANK", "SLURM_NTASKS"},
};

static int number(const char *name, int fallback) {
    const char *text = getenv(name);
    char *end = NULL;
    const long value = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && value >= 0 && value < 1 << 20 ? (int)value : fallback;
}

tc_ranks tc_launch_ranks(void) {
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const tc_ranks found = {number(launchers[i].rank, -1), number(launchers[i].size, 1), 0};
        if (found.rank >= 0 && found.size > 1 && found.rank < found.size) return found;
    }
    return (tc_ranks){0, 1, 0};
}
