#include "cli/cli.h"

#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tc_cli_finish(tc_status status, const tc_error *error) {
    if (status != TC_OK) fprintf(stderr, "tocsin: %s\n", error->message);
    return (int)status;
}

/* ---- signals ---- */

static volatile sig_atomic_t stop_requested = 0;

static void request_stop(int signal_number) {
    (void)signal_number;
    stop_requested = 1;
}

void tc_cli_catch_signals(void) {
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool tc_cli_stopped(void *context) {
    (void)context;
    return stop_requested != 0;
}

/* ---- specs ---- */

/* A flag that is short for a --set: --seed 3 is --set seed=3. */
static int shorthand(const tc_arguments *arguments, const char *name, char *text, size_t size) {
    const char *value = tc_arguments_value(arguments, name, NULL);
    if (value) snprintf(text, size, "%s=%s", name, value);
    return value != NULL;
}

enum { SHORTHANDS = 5 };

/* What the command line changes in a spec. */
typedef struct changes {
    const char *item[TC_MOST_ARGUMENTS + SHORTHANDS]; /* [count] */
    int count;
    char text[SHORTHANDS][128];
} changes;

static const char *const short_for[SHORTHANDS] = {"seed", "threads", "device", "gpu", "precision"};

/* Tried out here, because a spec knows only of --set. */
static tc_status check_shorthands(const tc_arguments *arguments, tc_error *error) {
    tc_study_options scratch;
    tc_error reason = {0};
    tc_options_default(tc_study_table, &scratch);
    for (int i = 0; i < SHORTHANDS; i++) {
        const char *value = tc_arguments_value(arguments, short_for[i], NULL);
        if (value && tc_options_set(tc_study_table, &scratch, short_for[i], value, &reason) != TC_OK)
            return tc_raise(error, TC_INVALID, "--%s", reason.message); /* which begins with the name */
    }
    return TC_OK;
}

static tc_status collect(const tc_arguments *arguments, changes *made, tc_error *error) {
    made->count = tc_arguments_values(arguments, "set", made->item);
    for (int i = 0; i < SHORTHANDS; i++)
        if (shorthand(arguments, short_for[i], made->text[i], sizeof made->text[i]))
            made->item[made->count++] = made->text[i];
    return check_shorthands(arguments, error);
}

tc_status tc_cli_spec(const tc_arguments *arguments, const char *path, tc_spec_need need, tc_spec **spec,
                      tc_error *error) {
    changes made;
    const tc_status status = collect(arguments, &made, error);
    return status == TC_OK ? tc_spec_load(path, made.item, made.count, need, spec, error) : status;
}

tc_status tc_cli_plan(const tc_arguments *arguments, const char *path, tc_plan **plan, tc_error *error) {
    changes made;
    const tc_status status = collect(arguments, &made, error);
    return status == TC_OK ? tc_plan_make(path, made.item, made.count, plan, error) : status;
}

/* ---- networks ---- */

tc_status tc_cli_network_of(const tc_arguments *arguments, const tc_spec *spec, tc_cli_network *network,
                            tc_error *error) {
    const char *command = arguments->usage->command, *name = tc_arguments_value(arguments, "network", "victim");
    const bool victim = !strcmp(name, "victim");
    const int count = victim ? spec->victim_count : tc_spec_surrogates(spec);
    int64_t index = 0;
    tc_status status = TC_OK;
    *network = (tc_cli_network){.role = victim ? TC_VICTIM : TC_SURROGATE};
    if (!victim && strcmp(name, "surrogate"))
        TC_RAISE(TC_INVALID, "%s: --network is '%.64s'; must be surrogate or victim", command, name);
    TC_TRY(tc_arguments_int(arguments, "index", 0, 1000000, 0, &index, error));
    if (index >= count)
        TC_RAISE(TC_INVALID, "%s: --index is %d; the spec has %d %s%s, counted from 0", command, (int)index, count,
                 name, count == 1 ? "" : "s");
    if (victim)
        network->victim = (int)index;
    else
        network->index = tc_spec_surrogate(spec, (int)index, &network->architecture);
done:
    return status;
}

const tc_model *tc_cli_model(const tc_lab *lab, const tc_cli_network *network) {
    return network->role == TC_VICTIM ? lab->victim : lab->surrogates[network->architecture];
}

tc_status tc_cli_device(const tc_arguments *arguments, const char *name, const char *otherwise, tc_device **device,
                        tc_error *error) {
    static const char *const words[] = {"threads", "gpu", "precision"};
    tc_spec spec = {0}; /* of which only the device is asked for */
    tc_options_default(tc_study_table, &spec.study);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *value = tc_arguments_value(arguments, words[i], NULL);
        if (value && tc_options_set(tc_study_table, &spec.study, words[i], value, error) != TC_OK)
            return tc_error_at(error, arguments->usage->command);
    }
    tc_device_options options = tc_spec_device(&spec, 0);
    options.name = tc_arguments_value(arguments, name, otherwise);
    return tc_device_open_with(&options, device, error);
}

/* ---- what will be written ---- */

static tc_status parent_of(const char *path, char parent[TC_PATH_SIZE], tc_error *error) {
    const tc_status status = tc_path_format(parent, error, "%s", *path ? path : ".");
    if (status != TC_OK) return status;
    char *slash = strrchr(parent, '/');
    if (!slash) return tc_path_format(parent, error, ".");
    slash[slash == parent] = '\0';
    return TC_OK;
}

tc_status tc_cli_check_output(const char *path, tc_error *error) {
    char parent[TC_PATH_SIZE];
    tc_status status = parent_of(path, parent, error);
    if (status == TC_OK) status = tc_folder_check_writable(parent, error);
    return status == TC_OK ? TC_OK : tc_error_at(error, "--out");
}

/* The file behind "npz:FILE", too. */
static char *resolve(const char *input) {
    char expanded[TC_PATH_SIZE], *path = realpath(input, NULL);
    if (path || tc_path_expand_home(expanded, input, NULL) != TC_OK) return path;
    const char *colon = strchr(expanded, ':');
    return colon ? realpath(colon + 1, NULL) : NULL;
}

tc_status tc_cli_check_apart(const char *out, const char *input, tc_error *error) {
    char *from = input ? resolve(input) : NULL; /* NULL: not there */
    const bool apart = !from || !tc_path_within(from, out);
    free(from);
    if (apart) return TC_OK;
    return tc_raise(error, TC_INVALID, "--out: %s is where %s is read from; name another place", out, input);
}

tc_status tc_cli_check_file(const char *flag, const char *path, tc_error *error) {
    char parent[TC_PATH_SIZE];
    tc_status status = TC_OK;
    TC_TRY(parent_of(path, parent, error));
    if (!*path || tc_folder_exists(path) || path[strlen(path) - 1] == '/')
        TC_RAISE(TC_INVALID, "'%s' is a folder; name a file in it", path);
    TC_TRY(tc_folder_check_writable(parent, error));
    if (!tc_folder_exists(parent)) TC_RAISE(TC_INVALID, "%s: there is no folder %s; make it first", path, parent);
done:
    return status == TC_OK ? TC_OK : tc_error_at(error, flag);
}

tc_status tc_cli_room(const tc_arguments *arguments, const char *out, tc_room *room, tc_error *error) {
    const bool resume = tc_arguments_has(arguments, "resume"), overwrite = tc_arguments_has(arguments, "overwrite");
    if (resume && overwrite)
        return tc_raise(error, TC_INVALID, "%s: --resume and --overwrite exclude each other; give one of them",
                        arguments->usage->command);
    return tc_room_name(out, resume ? TC_ROOM_RESUME : overwrite ? TC_ROOM_OVERWRITE : TC_ROOM_NEW, room, error);
}

tc_status tc_cli_print_json(json_t *value, tc_error *error) {
    if (!value) return tc_raise(error, TC_FAILED, "memory: none left for the JSON; free some");
    errno = 0;
    bool failed = json_dumpf(value, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) || putchar('\n') == EOF;
    json_decref(value);
    failed = failed || fflush(stdout);
    if (!failed) return TC_OK;
    if (errno == EPIPE)
        return tc_raise(error, TC_FAILED, "standard output: nobody reads on; let the reader take it all");
    return tc_raise(error, TC_FAILED, "standard output: cannot be written; free space on the disk");
}
