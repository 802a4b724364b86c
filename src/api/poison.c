#include "api/api.h"

#include <string.h>

tocsin_status tocsin_poison_create(const tocsin_dataset *dataset, size_t replaced, const uint32_t *index, size_t added,
                                   const tocsin_samples *samples, tocsin_poison **poison, tocsin_error *error) {
    TC_ENTER;
    TC_NEED(poison);
    *poison = NULL;
    TC_NEED(dataset);
    TC_NEED(samples);
    if (replaced) TC_NEED(index);
    const tc_dataset *data = tc_dataset_of(dataset);
    tc_poison *made = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_poison_create(data, replaced, added, &made, error)); /* refuses counts that would overflow */
    if (samples->count != replaced + added)
        TC_RAISE(TC_INVALID, "poison: %zu samples for %zu replaced and %zu added; give one each", samples->count,
                 replaced, added);
    if (samples->count && (!samples->images || !samples->labels))
        TC_RAISE(TC_INVALID, "poison: samples without images or labels; give both");
    if (replaced) memcpy(made->index, index, replaced * sizeof *index);
    if (samples->count) {
        memcpy(made->images, samples->images, samples->count * made->image_bytes);
        memcpy(made->labels, samples->labels, samples->count * sizeof *samples->labels);
    }
    TC_TRY(tc_poison_check(made, data, error));
    *poison = (tocsin_poison *)made;
    made = NULL;
done:
    tc_poison_free(made);
    return status;
}

void tocsin_poison_free(tocsin_poison *poison) {
    tc_poison_free((tc_poison *)poison);
}

size_t tocsin_poison_replaced(const tocsin_poison *poison) {
    return poison ? tc_poison_of(poison)->replaced : 0;
}

size_t tocsin_poison_added(const tocsin_poison *poison) {
    return poison ? tc_poison_of(poison)->added : 0;
}

const uint32_t *tocsin_poison_index(const tocsin_poison *poison) {
    return poison ? tc_poison_of(poison)->index : NULL;
}

tocsin_samples tocsin_poison_samples(const tocsin_poison *poison) {
    const tc_poison *p = tc_poison_of(poison);
    return p ? (tocsin_samples){p->replaced + p->added, p->images, p->labels} : (tocsin_samples){0, NULL, NULL};
}

tocsin_status tocsin_poison_distance(const tocsin_poison *poison, const tocsin_dataset *dataset, int *distance,
                                     tocsin_error *error) {
    TC_ENTER;
    TC_NEED(poison);
    TC_NEED(dataset);
    TC_NEED(distance);
    const tc_status status = tc_poison_check(tc_poison_of(poison), tc_dataset_of(dataset), error);
    if (status == TC_OK) *distance = tc_poison_linf(tc_poison_of(poison), tc_dataset_of(dataset));
    return status;
}

tocsin_status tocsin_poison_save(const tocsin_poison *poison, const tocsin_dataset *dataset, const char *folder,
                                 tocsin_error *error) {
    TC_ENTER;
    TC_NEED(poison);
    TC_NEED(dataset);
    TC_NEED(folder);
    const tc_status status = tc_poison_check(tc_poison_of(poison), tc_dataset_of(dataset), error);
    return status == TC_OK ? tc_poison_save(tc_poison_of(poison), tc_dataset_of(dataset), folder, error) : status;
}

tocsin_status tocsin_poison_load(const tocsin_dataset *dataset, const char *folder, tocsin_poison **poison,
                                 tocsin_error *error) {
    TC_ENTER;
    TC_NEED(poison);
    *poison = NULL;
    TC_NEED(dataset);
    TC_NEED(folder);
    tc_poison *loaded = NULL;
    const tc_status status = tc_poison_load(tc_dataset_of(dataset), folder, &loaded, error);
    *poison = (tocsin_poison *)loaded;
    return status;
}
