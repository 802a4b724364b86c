#include "api/api.h"

#include "experiment/run/study_run.h"
#include "report/report.h"

static void tell(void *hooks, int worker, const tc_progress *progress, const tc_standing *standing) {
    (void)worker;
    (void)standing;
    tocsin_progress told = tc_api_progress(progress->phase, progress->fraction);
    told.label = progress->label;
    told.trial = progress->trial;
    told.trials = progress->trials;
    told.loss = progress->loss;
    told.accuracy = progress->accuracy;
    told.images_per_second = progress->images_per_second;
    told.seconds_left = progress->seconds_left;
    tc_api_tell(hooks, &told);
}

tocsin_status tocsin_study(const char *spec, const char *const *changes, const char *folder, bool overwrite,
                           const tocsin_hooks *hooks, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(folder);
    int given_up = 0;
    const tc_study_order order = {.folder = folder,
                                  .mode = overwrite ? TC_STORE_OVERWRITE : TC_STORE_NEW,
                                  .here = true,
                                  .spec = spec,
                                  .given_up = &given_up};
    const tc_study_hooks inner = {.progress = tell, .stop = tc_api_stopped, .context = (void *)(uintptr_t)hooks};
    tc_plan *plan = NULL;
    json_t *results = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_plan_make(spec, changes, tc_api_count(changes), &plan, error));
    status = tc_study_run(plan, &order, &inner, error);
    if (status != TC_OK && given_up && tc_report_read(folder, &results, NULL) == TC_OK)
        tc_report_write(folder, results, NULL); /* of what there is */
    if (status != TC_OK) goto done;
    TC_TRY(tc_report_read(folder, &results, error));
    TC_TRY(tc_report_write(folder, results, error));
done:
    json_decref(results);
    tc_plan_free(plan);
    return status;
}
