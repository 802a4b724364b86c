#include "api/api.h"

#include "experiment/study.h"
#include "report/report.h"

static void tell(void *hooks, const tc_progress *progress) {
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
    const tc_study_place place = {.folder = folder, .overwrite = overwrite};
    const tc_study_hooks inner = {.progress = tell, .stop = tc_api_stopped, .context = (void *)(uintptr_t)hooks};
    tc_spec *loaded = NULL;
    json_t *results = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_spec_load(spec, changes, tc_api_count(changes), TC_SPEC_STUDY, &loaded, error));
    TC_TRY(tc_study_run(loaded, &place, &inner, error));
    TC_TRY(tc_report_read(folder, &results, error));
    TC_TRY(tc_report_write(folder, results, error));
done:
    json_decref(results);
    tc_spec_free(loaded);
    return status;
}
