#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/progress.h"
#include "experiment/protect/protect.h"

#include <stdio.h>
#include <string.h>

static const tc_flag flags[] = {
    {"out", "DIR", "where the protected pictures go (required)"},
    {"epsilon", "N", "largest change of a pixel's value, of 255 [8]"},
    {"method", "NAME", "error-min, separable, autoregressive, error-max or random-noise [error-min]"},
    {"ratio", "R", "share of the pictures that are changed; less than all protects hardly [1]"},
    {"size", "N", "craft at N x N pixels [the pictures' own size, at most 64]"},
    {"no-measure", NULL, "do not train two networks to see what it does"},
    TC_ROOM_FLAGS,
    TC_SPEC_FLAGS,
    TC_COMMON_FLAGS,
    TC_FLAGS_END};

static const tc_usage usage = {
    .command = "protect",
    .operands = "IMAGES",
    .summary = "make a folder of images un-learnable, visibly changed as little as asked",
    .details =
        "IMAGES is a folder with a folder a class (or train/ and test/ with such), or a data set's source. DIR gets "
        "the\n"
        "same folders and names as PNG, index.csv, protect.json and REPORT.md: what was measured, and what it cannot "
        "do.\n"
        "Networks and methods are set as in a spec: --set surrogate.model=resnet18 --set attacks.1.noise=class-wise.\n"
        "While at work it keeps what it has done in DIR.checkpoint; interrupted (Ctrl-C) or killed, it goes on with "
        "--resume.\n",
    .least = 1,
    .most = 1,
    .flags = flags};

/* What a protection is where nothing else is said: a spec's settings. */
static const char *const presets[] = {
    "threat.goal=untargeted",          "surrogate.model=resnet18", "surrogate.width=16",
    "surrogate.train.epochs=30",       "surrogate.train.batch=64", "surrogate.train.rate=0.05",
    "surrogate.train.schedule=cosine", "victim.model=resnet18",    "victim.width=16",
    "victim.train.epochs=30",          "victim.train.batch=64",    "victim.train.rate=0.05",
    "victim.train.schedule=cosine"};
enum { PRESETS = sizeof presets / sizeof *presets };

/* Flags that are short for a setting, with what they are where they are not given. */
static const struct {
    const char *flag, *setting, *otherwise; /* otherwise NULL: the spec's own default */
} shorthands[] = {{"epsilon", "threat.epsilon", "8"},
                  {"method", "attacks.1.name", "error-min"},
                  {"ratio", "threat.ratio", "1"},
                  {"seed", "seed", NULL},
                  {"threads", "threads", NULL},
                  {"device", "device", NULL},
                  {"gpu", "gpu", NULL},
                  {"precision", "precision", NULL}};
enum { SHORTHANDS = sizeof shorthands / sizeof *shorthands };

/* What of a spec plays a part; a section ends with a dot. */
static const char *const used[] = {"seed",         "threads",       "device",      "gpu",
                                   "precision",    "deterministic", "threat.goal", "threat.epsilon",
                                   "threat.ratio", "attacks.",      "surrogate.",  "victim."};

static bool is_used(const char *item) {
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        const size_t length = strlen(used[i]);
        if (!strncmp(item, used[i], length) && (used[i][length - 1] == '.' || item[length] == '=')) return true;
    }
    return false;
}

/* The settings of a study are all known here, and most would do nothing: said, not passed over. */
static tc_status check_used(const tc_spec *spec, const char *const *item, int count, tc_error *error) {
    for (int i = 0; i < count; i++)
        if (!is_used(item[i]))
            return tc_raise(error, TC_INVALID, "--set: %.*s: plays no part in protecting pictures; leave it away",
                            (int)strcspn(item[i], "="), item[i]);
    if (spec->attack_count > 1)
        return tc_raise(error, TC_INVALID, "--set: attacks.2: plays no part, one method protects; leave it away");
    return TC_OK;
}

typedef struct items {
    const char *item[PRESETS + 2 * SHORTHANDS + TC_MOST_ARGUMENTS]; /* [count] */
    char text[2 * SHORTHANDS][128];
    int count, texts;
} items;

static void add(items *made, const char *setting, const char *value) {
    if (!value) return;
    char *text = made->text[made->texts++];
    snprintf(text, sizeof made->text[0], "%s=%.100s", setting, value);
    made->item[made->count++] = text;
}

/* What is laid over what: presets, --set, flags. Flags come before --set as well, for the keys that a method knows:
 * attacks.separable.noise. */
static tc_status read_spec(const tc_arguments *arguments, tc_spec **spec, tc_error *error) {
    items made = {.count = 0};
    for (int i = 0; i < PRESETS; i++) made.item[made.count++] = presets[i];
    for (int i = 0; i < SHORTHANDS; i++)
        add(&made, shorthands[i].setting, tc_arguments_value(arguments, shorthands[i].flag, shorthands[i].otherwise));
    const int first = made.count, asked = tc_arguments_values(arguments, "set", made.item + first);
    made.count += asked;
    for (int i = 0; i < SHORTHANDS; i++)
        add(&made, shorthands[i].setting, tc_arguments_value(arguments, shorthands[i].flag, NULL));
    const tc_status status = tc_spec_load(NULL, made.item, made.count, TC_SPEC_PHASE, spec, error);
    return status == TC_OK ? check_used(*spec, made.item + first, asked, error) : status;
}

static tc_status check(const tc_spec *spec, int64_t size, tc_error *error) {
    if (spec->threat.goal != TC_GOAL_UNTARGETED)
        return tc_raise(error, TC_INVALID,
                        "protect: threat.goal is %s; pictures are protected against everybody's "
                        "learning, leave it away",
                        tc_goal_names[spec->threat.goal]);
    if (spec->threat.epsilon < 1 || spec->threat.epsilon > 64)
        return tc_raise(error, TC_INVALID, "protect: --epsilon is %g; must be 1 … 64, of 255", spec->threat.epsilon);
    if (size && tc_protect_keeps_size(spec))
        return tc_raise(error, TC_INVALID,
                        "protect: --size: plays no part, %s is made at the pictures' own size; leave it away",
                        spec->attacks[0].name);
    return TC_OK;
}

/* Within, they would be taken for a class the next time; around or in place of, the originals would be replaced. */
static tc_status check_apart(const char *source, const char *out, tc_error *error) {
    const char *images = tc_album_folder(source);
    if (!images || !tc_folder_exists(images)) return TC_OK;
    if (tc_path_within(out, images) || (tc_folder_exists(out) && tc_path_within(images, out)))
        return tc_raise(error, TC_INVALID,
                        "--out: %s is, holds or lies in %s, whose pictures are read; choose another place", out,
                        images);
    return TC_OK;
}

static tc_status protect(const tc_arguments *arguments, tc_error *error) {
    tc_meter meter = tc_meter_begin();
    const tc_trial_hooks hooks = {.progress = tc_meter_show, .stop = tc_cli_stopped, .context = &meter};
    const char *out = tc_arguments_value(arguments, "out", "");
    tc_protection made = {0};
    tc_spec *spec = NULL;
    tc_room room = {0};
    int64_t size;
    tc_status status = TC_OK;
    if (!*out) TC_RAISE(TC_INVALID, "protect: --out is missing; write --out DIR");
    TC_TRY(tc_arguments_int(arguments, "size", 8, 1024, 0, &size, error));
    TC_TRY(read_spec(arguments, &spec, error));
    TC_TRY(check(spec, size, error));
    TC_TRY(tc_cli_check_output(out, error));
    TC_TRY(check_apart(arguments->positional[0], out, error));
    TC_TRY(tc_cli_room(arguments, out, &room, error));
    TC_TRY(tc_protect_check_folder(out, tc_room_replaces(&room), error));
    tc_cli_catch_signals();
    TC_TRY(tc_protect(arguments->positional[0], spec, (int)size, !tc_arguments_has(arguments, "no-measure"), &room,
                      &hooks, &made, error));
    tc_meter_clear(&meter);
    TC_TRY(tc_protect_write(&made, out, error));
    if (tc_log_verbosity() == TC_QUIET) goto done;
    tc_protect_tell(&made, stdout);
    printf("The pictures are in %s; read %s/REPORT.md for what this cannot do.\n", out, out);
done:
    tc_meter_clear(&meter);
    status = tc_room_close(&room, status, error);
    tc_protection_free(&made);
    tc_spec_free(spec);
    return status;
}

int tc_cli_protect(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = protect(&arguments, &error);
    return tc_cli_finish(status, &error);
}
