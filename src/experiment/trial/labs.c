#include "experiment/trial/labs.h"

#include <stdlib.h>
#include <string.h>

enum { SHELVES = 4 }; /* data sets kept: a sweep over the data goes back and forth between a few */

typedef struct shelf {
    json_t *options; /* what the data were opened with; NULL: empty */
    tc_dataset *dataset;
    uint64_t used; /* when last, on a clock that counts the uses */
} shelf;

struct tc_labs {
    shelf shelf[SHELVES];
    json_t *contents; /* digest by options, as text, of all data that were ever opened or expected here */
    uint64_t clock;
    tc_device *device;
    tc_device_options asked; /* of that device */
    int turn;
    bool lost;
};

tc_status tc_labs_create(int turn, tc_labs **labs, tc_error *error) {
    tc_labs *made = NULL;
    tc_status status = TC_OK;
    *labs = NULL;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->contents = json_object();
    if (!made->contents) TC_RAISE(TC_FAILED, "memory: none left to open the data; free some");
    made->turn = turn;
    *labs = made;
    made = NULL;
done:
    free(made);
    return status;
}

static void clear(shelf *s) {
    tc_dataset_free(s->dataset);
    json_decref(s->options);
    *s = (shelf){0};
}

void tc_labs_free(tc_labs *labs) {
    if (!labs) return;
    for (int i = 0; i < SHELVES; i++) clear(&labs->shelf[i]);
    tc_device_close(labs->device);
    json_decref(labs->contents);
    free(labs);
}

/* ---- what the data hold ---- */

/* Makes `digest` known for these options, or holds it against what is known. */
static tc_status agree(tc_labs *labs, const json_t *options, const char *digest, tc_error *error) {
    char *text = json_dumps(options, JSON_SORT_KEYS | JSON_COMPACT);
    const char *known = text ? json_string_value(json_object_get(labs->contents, text)) : NULL;
    tc_status status = TC_OK;
    if (known && strcmp(known, digest))
        TC_RAISE(TC_FAILED,
                 "dataset %s: does not hold what it held when the study began, or not what it holds elsewhere (SHA-256 "
                 "%.12s…, %.12s…); give all the same files, then --resume",
                 json_string_value(json_object_get(options, "source")), known, digest);
    if (!text || (!known && json_object_set_new(labs->contents, text, json_string(digest))))
        TC_RAISE(TC_FAILED, "memory: none left to open the data; free some");
done:
    free(text);
    return status;
}

static const char *known_contents(const tc_labs *labs, const json_t *options) {
    char *text = json_dumps(options, JSON_SORT_KEYS | JSON_COMPACT);
    const char *known = text ? json_string_value(json_object_get(labs->contents, text)) : NULL;
    free(text);
    return known;
}

/* ---- data ---- */

/* The shelf with these data, or else the one whose data were not used for longest. */
static shelf *find(tc_labs *labs, const json_t *options) {
    shelf *oldest = &labs->shelf[0];
    for (int i = 0; i < SHELVES; i++) {
        shelf *s = &labs->shelf[i];
        if (s->options && json_equal(s->options, options)) return s;
        if (s->used < oldest->used) oldest = s;
    }
    return oldest;
}

static tc_status data_of(tc_labs *labs, const tc_spec *spec, tc_dataset **dataset, tc_error *error) {
    json_t *options = tc_options_json(tc_data_table, &spec->data);
    char digest[TC_DIGEST_TEXT];
    tc_status status = TC_OK;
    if (!options) TC_RAISE(TC_FAILED, "memory: none left to open the data; free some");
    shelf *s = find(labs, options);
    if (!s->options || !json_equal(s->options, options)) {
        clear(s);
        TC_TRY(tc_spec_open_data(spec, &s->dataset, error));
        tc_dataset_digest(s->dataset, digest);
        TC_TRY(agree(labs, options, digest, error));
        s->options = json_incref(options);
    }
    s->used = ++labs->clock;
    *dataset = s->dataset;
done:
    json_decref(options);
    return status;
}

tc_status tc_labs_contents(tc_labs *labs, const tc_spec *spec, char digest[TC_DIGEST_TEXT], tc_error *error) {
    json_t *options = tc_options_json(tc_data_table, &spec->data);
    tc_dataset *dataset = NULL;
    tc_status status = TC_OK;
    if (options && !known_contents(labs, options)) TC_TRY(data_of(labs, spec, &dataset, error));
    const char *known = options ? known_contents(labs, options) : NULL;
    if (!known) TC_RAISE(TC_FAILED, "memory: none left to open the data; free some");
    memcpy(digest, known, TC_DIGEST_TEXT);
done:
    json_decref(options);
    return status;
}

json_t *tc_labs_all_contents(const tc_labs *labs) {
    json_t *made = json_array(), *digest;
    const char *options;
    json_object_foreach(labs->contents, options, digest) {
        json_t *entry = json_loads(options, 0, NULL);
        json_object_set(entry, "sha256", digest);
        if (json_array_append_new(made, entry)) {
            json_decref(made);
            return NULL;
        }
    }
    return made;
}

tc_status tc_labs_expect(tc_labs *labs, const tc_spec *spec, const char *digest, tc_error *error) {
    json_t *options = tc_options_json(tc_data_table, &spec->data);
    const tc_status status = options ? agree(labs, options, digest, error)
                                     : tc_raise(error, TC_FAILED, "memory: none left to open the data; free some");
    json_decref(options);
    return status;
}

/* ---- device ---- */

static bool same_device(const tc_device_options *a, const tc_device_options *b) {
    return !strcmp(a->name, b->name) && a->threads == b->threads && a->index == b->index &&
           a->precision == b->precision && a->fastest == b->fastest;
}

tc_status tc_labs_lend(tc_labs *labs, tc_lab *lab, tc_error *error) {
    const tc_device_options wanted = tc_spec_device(lab->spec, labs->turn);
    if (labs->device && !same_device(&labs->asked, &wanted)) {
        tc_device_close(labs->device);
        labs->device = NULL;
    }
    if (!labs->device) {
        const tc_status status = tc_device_open_with(&wanted, &labs->device, error);
        if (status != TC_OK) return status;
        labs->asked = wanted;
    }
    lab->device = labs->device;
    return TC_OK;
}

tc_status tc_labs_settle(tc_labs *labs, const tc_lab *lab, tc_error *error) {
    const tc_status status = lab->device ? tc_device_health(lab->device, error) : TC_OK;
    if (status != TC_OK) labs->lost = true;
    return status;
}

bool tc_labs_lost(const tc_labs *labs) {
    return labs->lost;
}

/* ---- labs ---- */

tc_status tc_labs_open(tc_labs *labs, const tc_spec *spec, int victim, tc_lab *lab, tc_error *error) {
    tc_status status = TC_OK;
    *lab = (tc_lab){.spec = spec, .network = victim < 0 ? NULL : &spec->victims[victim]};
    TC_TRY(data_of(labs, spec, &lab->dataset, error));
    TC_TRY(tc_lab_build_surrogates(lab, error));
    if (lab->network) TC_TRY(tc_spec_build(spec, lab->network, lab->dataset, &lab->victim, error));
done:
    if (status != TC_OK) tc_labs_close(lab);
    return status;
}

void tc_labs_close(tc_lab *lab) {
    tc_lab_free_surrogates(lab);
    tc_model_free(lab->victim);
    *lab = (tc_lab){0};
}

tc_status tc_labs_check(tc_labs *labs, const tc_spec *spec, tc_error *error) {
    tc_dataset *dataset = NULL;
    const tc_status status = data_of(labs, spec, &dataset, error);
    return status == TC_OK ? tc_spec_check(spec, dataset, error) : status;
}

/* Of the same source with the same options, whatever it holds. */
static bool same_source(const json_t *a, const json_t *b) {
    json_t *first = json_copy((json_t *)a), *second = json_copy((json_t *)b);
    json_object_del(first, "sha256");
    json_object_del(second, "sha256");
    const bool same = json_equal(first, second);
    json_decref(first);
    json_decref(second);
    return same;
}

const json_t *tc_contents_changed(const json_t *was, const json_t *is, const json_t **before) {
    size_t i, k;
    json_t *now, *then;
    json_array_foreach(is, i, now) {
        json_array_foreach(was, k, then) {
            const char *a = json_string_value(json_object_get(now, "sha256"));
            const char *b = json_string_value(json_object_get(then, "sha256"));
            if (!a || !b || !strcmp(a, b) || !same_source(now, then)) continue;
            *before = then;
            return now;
        }
    }
    return NULL;
}
