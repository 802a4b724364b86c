/* export.c — `tocsin data export`: one poison of a run, laid over its data, for somebody else's pipeline. */
#include "data/export.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/data.h"
#include "experiment/trial/threat_file.h"

#include <stdio.h>
#include <string.h>

static const char control[] = "random-noise";

/* ---- which poison ---- */

/* What --attack says may be a label or a method's name, which several attacks can share: a label wins. */
enum { BY_LABEL, BY_NAME, WAYS };

typedef struct choice {
    const char *wanted; /* NULL: whichever is not the control */
    int64_t trial;
    char folder[WAYS][TC_PATH_SIZE]; /* of the last one found */
    int found[WAYS];
    char folders[WAYS][400]; /* of all found, "RUN/poisons/1-0, …" */
    char names[400];         /* of all there are, each once */
} choice;

/* To a list that commas part; cut off where it is long. */
static void add(char *list, size_t size, const char *item) {
    const char *const parts[] = {*list ? ", " : "", item};
    size_t at = strlen(list);
    for (int p = 0; p < 2; p++)
        for (const char *from = parts[p]; *from && at + 1 < size; from++) list[at++] = *from;
    list[at] = '\0';
}

static bool lists(const char *list, const char *item) {
    const size_t length = strlen(item);
    for (const char *at = list; (at = strstr(at, item)); at++)
        if ((at == list || at[-1] == ' ') && (at[length] == ',' || !at[length])) return true;
    return false;
}

static void note(choice *c, int way, bool found, const char *folder) {
    if (!found) return;
    snprintf(c->folder[way], sizeof c->folder[way], "%s", folder);
    add(c->folders[way], sizeof c->folders[way], folder);
    c->found[way]++;
}

static tc_status consider(choice *c, const char *folder, tc_error *error) {
    tc_threat_file file;
    const tc_status status = tc_threat_file_read(folder, &file, error);
    if (status == TC_OK && file.trial == c->trial) {
        if (!lists(c->names, file.label)) add(c->names, sizeof c->names, file.label); /* a sweep's cells share them */
        note(c, BY_LABEL, c->wanted && !strcmp(c->wanted, file.label), folder);
        const bool named = !strcmp(file.attack, c->wanted ? c->wanted : control);
        note(c, BY_NAME, named == (c->wanted != NULL), folder);
    }
    tc_threat_file_free(&file);
    return status;
}

static tc_status pick(const char *run, choice *c, tc_error *error) {
    const int way = c->found[BY_LABEL] ? BY_LABEL : BY_NAME;
    if (c->found[way] == 1) {
        if (way != BY_LABEL) strcpy(c->folder[BY_LABEL], c->folder[way]);
        return TC_OK;
    }
    if (!*c->names)
        return tc_raise(error, TC_INVALID, "%s: holds no poison of trial %lld; choose another with --trial", run,
                        (long long)c->trial);
    if (c->found[way] && c->wanted)
        return tc_raise(error, TC_INVALID,
                        "%s: %d poisons in trial %lld are '%.64s'; name one's folder in its place: %s", run,
                        c->found[way], (long long)c->trial, c->wanted, c->folders[way]);
    return tc_raise(error, TC_INVALID, "%s: %s in trial %lld; choose one of %s with --attack LABEL", run,
                    c->found[way] ? "more than one poison" : "no such poison", (long long)c->trial, c->names);
}

static tc_status choose(const char *run, choice *c, tc_error *error) {
    tc_status status = TC_OK;
    char poisons[TC_PATH_SIZE], folder[TC_PATH_SIZE];
    tc_names names = {0};
    TC_TRY(tc_path_format(poisons, error, "%s/poisons", run));
    if (!tc_folder_exists(poisons))
        TC_RAISE(TC_INVALID, "%s: holds neither poisons/ nor threat.json; name a run's or a poison's folder", run);
    TC_TRY(tc_folder_list(poisons, true, &names, error));
    for (size_t i = 0; i < names.count; i++) {
        TC_TRY(tc_path_format(folder, error, "%s/%s", poisons, names.name[i]));
        TC_TRY(consider(c, folder, error));
    }
    TC_TRY(pick(run, c, error));
done:
    tc_names_free(&names);
    return status;
}

static tc_status find_poison(const tc_arguments *arguments, choice *c, tc_error *error) {
    const char *path = arguments->positional[1];
    char mark[TC_PATH_SIZE];
    tc_status status = TC_OK;
    *c = (choice){.wanted = tc_arguments_value(arguments, "attack", NULL)};
    TC_TRY(tc_arguments_int(arguments, "trial", 0, 1000000, 0, &c->trial, error));
    TC_TRY(tc_path_format(mark, error, "%s/threat.json", path));
    if (tc_file_exists(mark))
        TC_TRY(tc_path_format(c->folder[BY_LABEL], error, "%s", path));
    else
        TC_TRY(choose(path, c, error));
done:
    return status;
}

/* ---- exporting it ---- */

static tc_status write_all(const tc_arguments *arguments, const char *folder, const tc_threat_file *file,
                           const tc_dataset *dataset, tc_error *error) {
    const char *out = tc_arguments_value(arguments, "out", "");
    tc_poison *poison = NULL;
    tc_attacked *attacked = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_cli_check_apart(out, dataset->name, error));
    TC_TRY(tc_threat_file_check(file, dataset, error));
    TC_TRY(tc_poison_load(dataset, folder, &poison, error));
    TC_TRY(tc_threat_file_attacked(file, folder, dataset, &attacked, error));
    TC_TRY(tc_export_write(dataset, poison, attacked, tc_arguments_value(arguments, "format", ""), out, error));
    tc_log("%s: %zu training images (%zu replaced, %zu added), %zu test images and %zu of the attack's to judge by",
           out, dataset->train.count + poison->added, poison->replaced, poison->added, dataset->test.count,
           attacked->count);
done:
    tc_attacked_free(attacked);
    tc_poison_free(poison);
    return status;
}

tc_status tc_cli_data_export(const tc_arguments *arguments, tc_error *error) {
    const char *out = tc_arguments_value(arguments, "out", "");
    choice c;
    tc_threat_file file = {.trial = 0};
    tc_dataset *dataset = NULL;
    tc_status status = TC_OK;
    TC_TRY(find_poison(arguments, &c, error));
    TC_TRY(tc_cli_check_output(out, error));
    TC_TRY(tc_export_check_folder(out, tc_arguments_has(arguments, "overwrite"), error));
    TC_TRY(tc_cli_check_apart(out, c.folder[BY_LABEL], error));
    TC_TRY(tc_threat_file_read(c.folder[BY_LABEL], &file, error));
    TC_TRY(tc_cli_open_data(arguments, file.data, &dataset, error));
    TC_TRY(write_all(arguments, c.folder[BY_LABEL], &file, dataset, error));
done:
    tc_dataset_free(dataset);
    tc_threat_file_free(&file);
    return status;
}
