/* defend.c — include/tocsin/defence.h. */
#include "api/api.h"

#include "defence/defence.h"
#include "defence/during.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEFENCES = 63 };

/* ---- a defence by its name, with its settings ---- */

static tc_status find_defence(const char *name, const tc_defence **found, tc_error *error) {
    const char *known[MOST_DEFENCES + 1] = {NULL};
    const tc_defence *all = tc_defences();
    *found = tc_defence_find(name);
    if (*found) return TC_OK;
    for (int i = 0; i < MOST_DEFENCES && all[i].name; i++) known[i] = all[i].name;
    const char *near = tc_nearest(name, known);
    if (near) return tc_raise(error, TC_INVALID, "defence: '%.64s' is not known; did you mean %s?", name, near);
    return tc_raise(error, TC_INVALID, "defence: '%.64s' is not known; tocsin_list names them all", name);
}

/* `kind` is what the function that was called is for; "none" is for both. */
static tc_status read_defence(const char *name, const char *kind, const char *const *settings, const tc_defence **found,
                              void **options, tc_error *error) {
    tc_status status = find_defence(name, found, error);
    if (!*found) goto done;
    if (strcmp((*found)->kind, kind) != 0 && strcmp((*found)->kind, "none") != 0)
        TC_RAISE(TC_INVALID, "%s: is a defence of the form %s, not %s; call %s", name, (*found)->kind, kind,
                 strcmp(kind, "filter") ? "tocsin_filter" : "tocsin_train_defended");
    TC_TRY(tc_new(options, 1, (*found)->options_size, error));
    tc_options_default((*found)->options, *options);
    TC_TRY(tc_api_lay((*found)->options, *options, settings, name, error));
    if (tc_defence_check(*found, *options, error) != TC_OK) TC_TRY(tc_error_at(error, name));
done:
    return status;
}

static void judge(const tc_view *view, const bool *keep, double seconds, tocsin_verdict *verdict) {
    if (!verdict) return;
    const tc_filter_verdict v = tc_filter_judge(view, keep);
    *verdict = (tocsin_verdict){v.samples, v.poisons, v.kept, v.caught, v.precision, v.recall, seconds};
}

/* ---- filters ---- */

static void tell(void *hooks, double fraction) {
    const tocsin_progress told = tc_api_progress("filter", fraction);
    tc_api_tell(hooks, &told);
}

tocsin_status tocsin_filter(tocsin_device *device, const tocsin_model *model, const tocsin_dataset *dataset,
                            const tocsin_poison *poison, const char *defence, const char *const *settings,
                            uint64_t seed, const tocsin_hooks *hooks, uint8_t *keep, double *score,
                            tocsin_verdict *verdict, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    TC_NEED(model);
    TC_NEED(dataset);
    TC_NEED(defence);
    TC_NEED(keep);
    const tc_defence *found = NULL;
    void *options = NULL;
    tc_view view = {0};
    tc_filtered filtered = {0};
    tc_status status = TC_OK;
    TC_TRY(read_defence(defence, "filter", settings, &found, &options, error));
    TC_TRY(tc_view_create(tc_dataset_of(dataset), tc_poison_of(poison), &view, error));
    const tc_filter_job job = {.device = tc_device_of(device),
                               .view = &view,
                               .model = model->network->model,
                               .weights = &model->weights,
                               .stream = tc_stream_child(tc_stream_make(seed), "filter", 0),
                               .progress = tell,
                               .stop = tc_api_stopped,
                               .context = (void *)(uintptr_t)hooks};
    TC_TRY(tc_defence_filter(found, options, &job, &filtered, error));
    for (size_t i = 0; i < view.count; i++) keep[i] = filtered.keep[i];
    if (score) memcpy(score, filtered.score, view.count * sizeof *score);
    judge(&view, filtered.keep, filtered.seconds, verdict);
done:
    tc_filtered_free(&filtered);
    tc_view_free(&view);
    free(options);
    return status;
}

/* ---- training ---- */

/* The samples, those to be trained on, and those that were in the end. */
typedef struct defended {
    tc_view whole, rest;
    const tc_view *view; /* one of the two */
    bool *mask;          /* [whole.count]: at first `keep`, then what is told */
    bool *left;          /* [view->count]: the during's mask */
    tc_during during;
} defended;

static tc_status lay_out(const tocsin_dataset *dataset, const tocsin_poison *poison, const uint8_t *keep, defended *d,
                         tc_error *error) {
    tc_status status = TC_OK;
    d->view = &d->whole;
    TC_TRY(tc_view_create(tc_dataset_of(dataset), tc_poison_of(poison), &d->whole, error));
    TC_TRY(tc_new(&d->mask, d->whole.count, sizeof *d->mask, error));
    for (size_t i = 0; i < d->whole.count; i++) d->mask[i] = !keep || keep[i];
    if (keep) {
        TC_TRY(tc_view_keep(&d->whole, d->mask, &d->rest, error));
        d->view = &d->rest;
    }
    TC_TRY(tc_new(&d->left, d->view->count, sizeof *d->left, error));
    memset(d->left, true, d->view->count * sizeof *d->left);
done:
    return status;
}

/* mask := of those that it has, the ones that are left. */
static void map_back(defended *d) {
    for (size_t i = 0, at = 0; i < d->whole.count; i++)
        if (d->mask[i]) d->mask[i] = d->left[at++];
}

static void give_back(defended *d) {
    tc_view_free(&d->rest);
    tc_view_free(&d->whole);
    free(d->mask);
    free(d->left);
}

/* The hooks of tocsin_train say what training says; only the mask is asked for besides. */
typedef struct both {
    const tocsin_hooks *hooks;
    tc_during *during;
} both;

static void tell_training(void *context, const tc_epoch_report *report, double fraction) {
    const both *b = context;
    tc_api_tell_training((void *)(uintptr_t)b->hooks, report, fraction);
}

static bool stopped(void *context) {
    const both *b = context;
    return tc_api_stopped((void *)(uintptr_t)b->hooks);
}

static tc_status watch(void *context, const tc_train_moment *moment, uint8_t *keep, tc_error *error) {
    const both *b = context;
    return tc_defence_during(b->during, moment, keep, error);
}

tocsin_status tocsin_train_defended(tocsin_device *device, tocsin_model *model, const tocsin_dataset *dataset,
                                    const tocsin_poison *poison, const char *defence,
                                    const char *const *defence_settings, const char *const *settings, uint64_t seed,
                                    const tocsin_hooks *hooks, const char *checkpoint, uint8_t *keep,
                                    tocsin_train_result *result, tocsin_verdict *verdict, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(device);
    TC_NEED(model);
    TC_NEED(dataset);
    defended d = {0};
    both context = {.hooks = hooks, .during = &d.during};
    void *own = NULL;
    tc_train_options options;
    tc_train_result done_so = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_api_training(settings, &options, error));
    TC_TRY(read_defence(defence ? defence : "none", "training", defence_settings, &d.during.defence, &own, error));
    if (d.during.defence->adapt) d.during.defence->adapt(own, &options);
    TC_TRY(lay_out(dataset, poison, keep, &d, error));
    const tc_prospect victim = {tc_dataset_of(dataset), model->network->model, &options};
    TC_TRY(tc_defence_check_victim(d.during.defence, &victim, own, error));
    d.during = (tc_during){d.during.defence, own, tc_api_stopped, (void *)(uintptr_t)hooks, d.left};
    const tc_train_hooks inner = {.progress = tell_training,
                                  .stop = stopped,
                                  .keep = d.during.defence->due ? watch : NULL,
                                  .context = &context,
                                  .checkpoint = checkpoint};
    TC_TRY(tc_train(tc_device_of(device), model->network->model, d.view, &options,
                    tc_stream_child(tc_stream_make(seed), "train", 0), &inner, &model->weights, &done_so, error));
    map_back(&d);
    for (size_t i = 0; keep && i < d.whole.count; i++) keep[i] = d.mask[i];
    if (result) *result = tc_api_trained(&done_so);
    judge(&d.whole, d.mask, NAN, verdict);
done:
    give_back(&d);
    free(own);
    return status;
}
