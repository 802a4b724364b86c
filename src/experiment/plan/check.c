#include "experiment/plan/data.h"

#include <stdlib.h>

static bool same_data(const tc_plan *plan, int a, int b) {
    return json_equal(json_object_get(plan->resolved[a], "dataset"), json_object_get(plan->resolved[b], "dataset"));
}

tc_status tc_plan_each_data(const tc_plan *plan, tc_plan_visit visit, void *context, tc_error *error) {
    tc_status status = TC_OK;
    tc_dataset *dataset = NULL;
    bool *done = NULL; /* [variants] */
    TC_TRY(tc_new(&done, (size_t)plan->variants, sizeof *done, error));
    for (int first = 0; first < plan->variants; first++) {
        if (done[first]) continue;
        TC_TRY(tc_spec_open_data(plan->variant[first], &dataset, error));
        for (int v = first; v < plan->variants; v++) {
            if (done[v] || !same_data(plan, first, v)) continue;
            TC_TRY(visit(context, plan->variant[v], dataset, error));
            done[v] = true;
        }
        tc_dataset_free(dataset);
        dataset = NULL;
    }
done:
    tc_dataset_free(dataset);
    free(done);
    return status;
}

static tc_status check(void *context, const tc_spec *spec, const tc_dataset *dataset, tc_error *error) {
    (void)context;
    return tc_spec_check(spec, dataset, error);
}

tc_status tc_plan_check(const tc_plan *plan, tc_error *error) {
    return tc_plan_each_data(plan, check, NULL, error);
}
