#include "api/api.h"

#include "experiment/spec/spec.h"
#include "train/train.h"
#include "zoo/zoo.h"

#include <string.h>

/* ---- one row a kind: entry number i, false past the end, and the table of its options ---- */

static bool attack(size_t i, tocsin_entry *entry, const tc_option **options) {
    const tc_attack *all = tc_attacks();
    for (size_t n = 0; all->name && n < i; n++) all++;
    if (!all->name) return false;
    *entry = (tocsin_entry){all->name, all->name, all->summary, all->paper};
    *options = all->options;
    return true;
}

static bool model(size_t i, tocsin_entry *entry, const tc_option **options) {
    const tc_zoo_entry *all = tc_zoo_entries();
    for (size_t n = 0; all->name && n < i; n++) all++;
    if (!all->name) return false;
    *entry = (tocsin_entry){all->name, all->name, all->summary, ""};
    *options = all->options;
    return true;
}

static bool dataset(size_t i, tocsin_entry *entry, const tc_option **options) {
    const tc_source *all = tc_sources();
    for (size_t n = 0; all->name && n < i; n++) all++;
    if (!all->name) return false;
    *entry = (tocsin_entry){all->name, all->form, all->summary, ""};
    *options = tc_data_table;
    return true;
}

static bool training(size_t i, tocsin_entry *entry, const tc_option **options) {
    *entry = (tocsin_entry){"train", "train", "how a model is trained", ""};
    *options = tc_train_table;
    return i == 0;
}

static bool threat(size_t i, tocsin_entry *entry, const tc_option **options) {
    *entry = (tocsin_entry){"threat", "threat", "who is attacked, and what may be changed", ""};
    *options = tc_threat_table;
    return i == 0;
}

static bool defence(size_t i, tocsin_entry *entry, const tc_option **options) {
    const tc_defence *all = tc_defences();
    for (size_t n = 0; all->name && n < i; n++) all++;
    if (!all->name) return false;
    *entry = (tocsin_entry){all->name, all->kind, all->summary, all->paper};
    *options = all->options;
    return true;
}

static bool (*const kinds[])(size_t i, tocsin_entry *entry, const tc_option **options) = {
    [TOCSIN_ATTACKS] = attack,          [TOCSIN_MODELS] = model,           [TOCSIN_DATASETS] = dataset,
    [TOCSIN_TRAIN_SETTINGS] = training, [TOCSIN_THREAT_SETTINGS] = threat, [TOCSIN_DEFENCES] = defence,
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool find(tocsin_kind kind, size_t i, tocsin_entry *entry, const tc_option **options) {
    return (unsigned)kind < KINDS && kinds[kind](i, entry, options);
}

/* ---- the calls ---- */

size_t tocsin_list_count(tocsin_kind kind) {
    tocsin_entry entry;
    const tc_option *options;
    size_t count = 0;
    while (find(kind, count, &entry, &options)) count++;
    return count;
}

bool tocsin_list(tocsin_kind kind, size_t i, tocsin_entry *entry) {
    tocsin_entry found;
    const tc_option *options;
    if (!entry || !find(kind, i, &found, &options)) return false;
    *entry = found;
    return true;
}

/* A dataset's source is an argument, not a setting (dataset.c). */
static bool is_setting(tocsin_kind kind, const tc_option *option) {
    return kind != TOCSIN_DATASETS || strcmp(option->name, "source") != 0;
}

static const tocsin_option_type types[] = {
    [TC_OPTION_BOOL] = TOCSIN_OPTION_BOOL,     [TC_OPTION_INT] = TOCSIN_OPTION_INT,
    [TC_OPTION_REAL] = TOCSIN_OPTION_REAL,     [TC_OPTION_TEXT] = TOCSIN_OPTION_TEXT,
    [TC_OPTION_CHOICE] = TOCSIN_OPTION_CHOICE, [TC_OPTION_LIST] = TOCSIN_OPTION_LIST};

bool tocsin_option_list(tocsin_kind kind, size_t i, size_t j, tocsin_option *option) {
    tocsin_entry entry;
    const tc_option *table;
    if (!option || !find(kind, i, &entry, &table)) return false;
    for (; table->name; table++) {
        if (!is_setting(kind, table) || j--) continue;
        *option = (tocsin_option){.name = table->name,
                                  .type = types[table->type],
                                  .low = table->low,
                                  .high = table->high,
                                  .open_low = table->open_low,
                                  .choices = table->choices,
                                  .fallback = table->fallback,
                                  .unit = table->unit,
                                  .help = table->help};
        return true;
    }
    return false;
}

size_t tocsin_option_count(tocsin_kind kind, size_t i) {
    tocsin_option option;
    size_t count = 0;
    while (tocsin_option_list(kind, i, count, &option)) count++;
    return count;
}
