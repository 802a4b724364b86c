/* arguments.h — one command's flags as a table, from which the parser, the suggestions and --help come.
 *
 *     static const tc_flag flags[] = {{"out", "DIR", "where the results go"}, TC_COMMON_FLAGS, TC_FLAGS_END};
 *
 * Everything that is no flag is a positional argument. "--flag=value" and "--flag value" are the same. */
#ifndef TC_CLI_ARGUMENTS_H
#define TC_CLI_ARGUMENTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct tc_flag {
    const char *name;  /* without the dashes; NULL ends a table */
    const char *value; /* what follows it, in capitals; NULL: nothing does */
    const char *help;  /* one line */
} tc_flag;

#define TC_FLAG_HELP                                                                                                   \
    { "help", NULL, "show this text" }
#define TC_FLAG_QUIET                                                                                                  \
    { "quiet", NULL, "say nothing but errors" }
#define TC_FLAG_VERBOSE                                                                                                \
    { "verbose", NULL, "say more" }
#define TC_COMMON_FLAGS TC_FLAG_QUIET, TC_FLAG_VERBOSE, TC_FLAG_HELP
#define TC_GPU_FLAGS                                                                                                   \
    {"gpu", "N", "of several GPUs, which one; -1: in turns [-1]"}, {                                                   \
        "precision", "NAME", "of a GPU's multiplications: f32, tf32 or bf16 [f32]"                                     \
    }
#define TC_DEVICE_FLAGS                                                                                                \
    {"threads", "N", "threads to compute with; 0: all cores"}, {"device", "NAME", "cpu, reference or cuda"},           \
        TC_GPU_FLAGS
#define TC_FLAGS_END                                                                                                   \
    { .name = NULL }

typedef struct tc_usage {
    const char *command;  /* "run" */
    const char *operands; /* "SPEC.yaml", or "" */
    const char *summary;  /* one line */
    const char *details;  /* more lines for --help, or "" */
    int least, most;      /* positional arguments */
    const tc_flag *flags;
} tc_usage;

enum { TC_MOST_ARGUMENTS = 256 };

typedef struct tc_arguments {
    const tc_usage *usage;
    int count;
    const char *positional[TC_MOST_ARGUMENTS]; /* [count] */
    int given;
    struct {
        const tc_flag *flag;
        const char *value;
    } flag[TC_MOST_ARGUMENTS]; /* [given] in order */
} tc_arguments;

/* argv[0] is the command's name. Sets the verbosity. With --help it prints the usage and ends the program. */
tc_status tc_arguments_parse(const tc_usage *usage, int argc, char **argv, tc_arguments *arguments, tc_error *error);
bool tc_arguments_has(const tc_arguments *arguments, const char *name);
/* The last value of a flag, or `fallback`. */
const char *tc_arguments_value(const tc_arguments *arguments, const char *name, const char *fallback);
/* All values of a flag that may be repeated; returns how many. */
int tc_arguments_values(const tc_arguments *arguments, const char *name, const char **values);
/* The value of a flag as a whole number between low and high. */
tc_status tc_arguments_int(const tc_arguments *arguments, const char *name, int64_t low, int64_t high, int64_t fallback,
                           int64_t *value, tc_error *error);

#endif
