/* cli.h — the program's subcommands. Each is one file with one function that gets its own argv (argv[0] is its name)
 * and returns the exit status, having reported its own error. A new command is such a function and one row in main.c.
 */
#ifndef TC_CLI_CLI_H
#define TC_CLI_CLI_H

#include "cli/arguments.h"
#include "experiment/plan/cost.h"
#include "experiment/trial/room.h"

int tc_cli_run(int argc, char **argv);
int tc_cli_status(int argc, char **argv);
int tc_cli_report(int argc, char **argv);
int tc_cli_train(int argc, char **argv);
int tc_cli_craft(int argc, char **argv);
int tc_cli_protect(int argc, char **argv);
int tc_cli_evaluate(int argc, char **argv);
int tc_cli_data(int argc, char **argv);
int tc_cli_derive(int argc, char **argv);
int tc_cli_bench(int argc, char **argv);
int tc_cli_list(int argc, char **argv);

/* ---- what they share (common.c) ---- */

/* Prints "tocsin: MESSAGE" unless all is well, and returns the exit status. */
int tc_cli_finish(tc_status status, const tc_error *error);

/* From here on SIGINT and SIGTERM ask to stop instead of killing; a second one kills. */
void tc_cli_catch_signals(void);
bool tc_cli_stopped(void *context);

/* The spec named by `path` (NULL: defaults), with --set, --seed, --threads and --device laid over it. */
tc_status tc_cli_spec(const tc_arguments *arguments, const char *path, tc_spec_need need, tc_spec **spec,
                      tc_error *error);
/* The same for a whole study. */
tc_status tc_cli_plan(const tc_arguments *arguments, const char *path, tc_plan **plan, tc_error *error);
#define TC_SPEC_FLAGS                                                                                                  \
    {"set", "KEY=VALUE", "change one value of the spec, e.g. threat.epsilon=8; may be repeated"},                      \
        {"seed", "N", "the same as --set seed=N"}, TC_DEVICE_FLAGS

/* Which of the spec's networks a command is about: one of its victims, or one of its surrogates in their order, as many
 * of each architecture as it has initialisations. */
typedef struct tc_cli_network {
    tc_role role;
    int victim;              /* of the spec's list; 0 where it is a surrogate's */
    int architecture, index; /* of surrogates, as tc_training has them */
} tc_cli_network;
#define TC_NETWORK_FLAGS                                                                                               \
    {"network", "NAME", "which section of the spec: surrogate or victim [victim]"}, {                                  \
        "index", "N", "of several surrogates or victims, which, from 0 [0]"                                            \
    }
tc_status tc_cli_network_of(const tc_arguments *arguments, const tc_spec *spec, tc_cli_network *network,
                            tc_error *error);
const tc_model *tc_cli_model(const tc_lab *lab, const tc_cli_network *network);

/* Opens the device that the flag `name` (else `otherwise`), --threads, --gpu and --precision say. */
tc_status tc_cli_device(const tc_arguments *arguments, const char *name, const char *otherwise, tc_device **device,
                        tc_error *error);

/* That the folder `path`, which is made with its parents, can be written: before the work is done, not after. */
tc_status tc_cli_check_output(const char *path, tc_error *error);
/* The same of a file, whose folder must be there; `flag` is what names it on the command line. */
tc_status tc_cli_check_file(const char *flag, const char *path, tc_error *error);

/* That OUT is none of the files that are read, and no folder in which one lies. input: a path, or the source of a
 * dataset; NULL: there is none. */
tc_status tc_cli_check_apart(const char *out, const char *input, tc_error *error);

/* Where a command that leaves OUT keeps its checkpoints, by --resume and --overwrite. */
#define TC_ROOM_FLAGS                                                                                                  \
    {"resume", NULL, "go on with what an interrupted or killed one left in DIR.checkpoint"}, {                         \
        "overwrite", NULL, "begin anew in spite of that, and replace an earlier result in DIR"                         \
    }
tc_status tc_cli_room(const tc_arguments *arguments, const char *out, tc_room *room, tc_error *error);

/* Writes FOLDER/report.html and prints the results: a table, or JSON with --json, or nothing with --quiet (report.c).
 */
tc_status tc_cli_show(const tc_arguments *arguments, const char *folder, tc_error *error);

/* Prints what a study comes to and what it will cost: a table, or JSON with --json (plan.c). from [from_count]: folders
 * of studies from which finished phases will be taken. */
tc_status tc_cli_show_plan(const tc_arguments *arguments, const tc_plan *plan, const char *const *from, int from_count,
                           tc_error *error);

/* `tocsin evaluate --predictions FILE --export DIR` (judge.c). */
tc_status tc_cli_judge(const tc_arguments *arguments, tc_error *error);

/* A JSON value on standard output, followed by a line's end; takes the reference. */
tc_status tc_cli_print_json(json_t *value, tc_error *error);

#endif
